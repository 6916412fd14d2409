"""Run imgconv as `python -m imgconv`."""

from imgconv.cli import run

run()
