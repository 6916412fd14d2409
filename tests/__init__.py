"""The tests, laid out as the package is: `pytest tests/engine` and its like run alone."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
