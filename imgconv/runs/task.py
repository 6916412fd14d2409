"""The task that a run does for each of its jobs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from imgconv.errors import ImageError
from imgconv.light import NamedTuple
from imgconv.pictures.encode import Writing
from imgconv.pictures.picture import Reading
from imgconv.pictures.pixels import Pixels
from imgconv.pictures.replacing import Ending
from imgconv.pipeline.work import Work

PATIENCE = 30  # seconds that a disk may take


def _unheard() -> None:
    """Tell nobody; a name of its own has it travel to other machines."""


class Gate:
    """What threads pass to write an output; once it is closed nobody begins to.

    What they read may never come, so an interrupted run waits for none that only reads.
    """

    def __init__(self, near: Callable[[], None] = _unheard) -> None:
        self.near = near  # told when a picture has only to be encoded and written
        self._inside: set[object] = set()
        self._closed = False

    @contextlib.contextmanager
    def passed(self) -> Iterator[None]:
        """Write here: until that is done, or undone, the gate is not closed."""
        one = object()
        self._inside.add(one)  # and then look, as `close` does: one of the two sees the other
        try:
            self.look()
            yield
        finally:
            self._inside.remove(one)

    def look(self, _: float = 0) -> None:
        """Raise an error where the gate is closed."""
        if self._closed:
            raise ImageError("interrupted")

    def close(self) -> None:
        """Let nobody in, and wait for those who are inside."""
        self._closed = True
        until = time.monotonic() + PATIENCE
        while self._inside and time.monotonic() < until:
            time.sleep(0.001)


class Left:
    """What is left to be done of a job when its output is written, and what it has read."""

    def __init__(self) -> None:
        self.ending: Ending | None = None
        self.seen = ""


class Task(NamedTuple):
    """What is done to every input."""

    work: Work
    reading: Reading = Reading()
    writing: Writing = Writing()
    levels: str | None = None  # by default none for arrays, and clip for images
    skip_existing: bool = False
    dry: bool = False
    preview: Callable[[Pixels], str] | None = None
    tile: int | None = None  # piece by piece, each of so many rows and columns
    progress: Callable[[float], None] | None = None  # of a picture that is done in pieces
    again: bool = False  # a process that was killed may have begun, or done it all but the telling
    alone: bool = False  # the one input, named here: it may be a pipe or a device
    gate: Gate = Gate()
    left: Left | None = None  # where an output's end is kept, for who calls `finish`
    meaning: str = ""  # what decides an output's bytes beside the input, where a journal is kept
