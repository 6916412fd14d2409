"""Stdout, where results go: a terminal, a pipe whose reader may have gone, or nothing at all."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from typing import TYPE_CHECKING

from imgconv.errors import ImageError

if TYPE_CHECKING:
    from mmap import mmap


def to_terminal() -> bool:
    """Return whether what is printed to stdout is seen on a terminal."""
    return sys.stdout is not None and sys.stdout.isatty()


class ClosedStdout(io.TextIOBase):
    """What stands in the place of a stdout that is closed: who prints hears of it."""

    def write(self, text: str) -> int:  # noqa: ARG002
        """Refuse a text."""
        raise OSError(errno.EBADF, "it is closed")


def stdout_is_closed() -> bool:
    """Return whether nothing can be printed, so that it is told before the work."""
    return sys.stdout is None or isinstance(sys.stdout, ClosedStdout)


def discard_stdout() -> None:
    """Let what is still to be flushed go nowhere, so that nobody complains of it again."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_bytes(data: bytes | mmap) -> None:
    """Write to stdout; a reader that has gone is no error of the image's."""
    if stdout_is_closed():
        raise ImageError("stdout is closed; name a file with -o")
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        discard_stdout()
        raise ImageError(f"stdout cannot be written: {error.strerror or error}") from None
