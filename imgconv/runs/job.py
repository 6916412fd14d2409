"""A job, an input and its output, and what became of it."""

from __future__ import annotations

from imgconv.light import NamedTuple
from imgconv.pictures.files import PIPE

OK, SKIPPED, FAILED = "ok", "skipped", "failed"


class Job(NamedTuple):
    """An input and its output; `-` is stdin or stdout. `format` where the output does not tell.

    `marks` are what a journal says that an earlier run has read and left.
    """

    source: str
    target: str
    format: str = ""
    marks: bytes = b""

    @property
    def name(self) -> str:
        """What messages call the input."""
        return "stdin" if self.source == PIPE else self.source


class Outcome(NamedTuple):
    """What became of one input; `clipped` of `samples` below and above, notes on what is lost.

    `preview` is the output as a terminal draws it; `marks` are what a journal keeps.
    """

    name: str
    output: str = ""
    status: str = OK
    error: str = ""
    notes: tuple[str, ...] = ()
    width: int | None = None
    height: int | None = None
    samples: int = 0
    clipped: tuple[int, int] = (0, 0)
    seconds: float = 0.0
    preview: str = ""
    marks: bytes = b""
