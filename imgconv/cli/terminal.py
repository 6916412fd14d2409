"""What is printed to a terminal alone."""

import os
import sys
from typing import TextIO


def has_colours(stream: TextIO | None) -> bool:
    """Whether what is printed to a stream is seen on a terminal in colours, and they are wanted."""
    if stream is None or not stream.isatty():
        return False
    return os.environ.get("TERM") != "dumb" and not os.environ.get("NO_COLOR")


def show_compiling(done: bool) -> None:
    """Say on a terminal why this once takes longer, and wipe it out again."""
    if sys.stderr.isatty():
        text = "\r\x1b[K" if done else "compiling for this machine, once ..."
        print(text, end="", file=sys.stderr, flush=True)
