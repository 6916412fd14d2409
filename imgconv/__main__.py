"""Run imgconv as `python -m imgconv`."""

import sys

from imgconv.cli import main

sys.exit(main())
