"""What is told: on a terminal alone, and wherever a file fails."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from imgconv.errors import ImgconvError, shortage
from imgconv.runs.report import say

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO


def has_colours(stream: TextIO | None) -> bool:
    """Whether what is printed to a stream is seen on a terminal in colours, and they are wanted."""
    if stream is None or not stream.isatty():
        return False
    return os.environ.get("TERM") != "dumb" and not os.environ.get("NO_COLOR")


def tell_of_compiling(note: Callable[[str], None], *, verbose: bool = False) -> None:
    """Tell on a terminal that code is compiled and why it is not kept; all hints where asked.

    Where this process is the program's, one more may help to compile.
    """
    from imgconv import cli
    from imgconv.compiled import cache, native

    on_terminal = sys.stderr is not None and sys.stderr.isatty()
    native.helped = cli.is_program
    native.compiling = _show_compiling if on_terminal else _be_silent
    cache.warn = note if verbose or on_terminal else _be_silent
    cache.hint = note if verbose else _be_silent


def _show_compiling(done: bool) -> None:
    """Say why this once takes longer, and wipe it out again."""
    text = "\r\x1b[K" if done else "compiling for this machine, once ..."
    with contextlib.suppress(OSError):
        print(text, end="", file=sys.stderr, flush=True)


def _be_silent(_: object) -> None:
    """Tell nothing."""


def failed(error: Exception, subject: str = "") -> int:
    """Say what is wrong with a file, and return the exit code; raise a fault of ours."""
    found = shortage(error) or error
    if not isinstance(found, ImgconvError):
        raise error
    say(f"{subject}: {found}" if subject else str(found))
    return 1
