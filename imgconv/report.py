"""Outcomes to what people and programs see: messages on stderr, an exit code."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import NamedTuple


class Outcome(NamedTuple):
    """What became of one input: written, or why not; and notes on what was not kept."""

    name: str
    error: str = ""
    notes: tuple[str, ...] = ()


def printable(text: str) -> str:
    """Return a text in which control characters and broken bytes are spelled out."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class Report:
    """Tells of each outcome as it comes, and adds up the exit code."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._failed = 0

    def add(self, outcome: Outcome) -> None:
        """Tell of one outcome: errors always, notes unless quiet."""
        for note in outcome.notes:
            self.note(f"{outcome.name}: {note}")
        if outcome.error:
            self._failed += 1
            say(f"{outcome.name}: {outcome.error}")

    def note(self, text: str) -> None:
        """Tell what is worth knowing but no error."""
        if not self._quiet:
            say(f"note: {text}")

    @property
    def exit_code(self) -> int:
        """0 when every input was done, 1 when some failed."""
        return 1 if self._failed else 0


def say(text: str) -> None:
    """Print one line on stderr."""
    print(f"imgconv: {printable(text)}", file=sys.stderr, flush=True)


def discard_stdout() -> None:
    """Let what is still to be flushed go nowhere, so that nobody complains of it again."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
