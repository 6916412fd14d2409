"""What is done to every picture: kernels, geometry, channels, levels; checked once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from imgconv.engine.geometry import Layout, Size
from imgconv.engine.levels import LEVELS, NONE, Ends
from imgconv.engine.samples import Samples
from imgconv.engine.step import Step
from imgconv.errors import OptionError
from imgconv.kernels.kernel import Kernel
from imgconv.kernels.recipes import Combined
from imgconv.light import NamedTuple
from imgconv.pictures.pixels import Colour
from imgconv.pipeline.fill import Paint

CHANNELS = ("auto", "gray", "rgb", "luma")
LETTERS = "lrgbacmykx"
ALPHAS = ("keep", "weighted")


class Link(NamedTuple):
    """A step of a chain: what it makes of samples, the last one whatever is wanted of them.

    `grain` are rows and columns of outputs that are the same bytes only if made together.
    """

    step: Step
    make: Callable[[Samples, Step], Any]
    grain: Size = (1, 1)


class _Fields(NamedTuple):
    """What a work is made of."""

    kernels: tuple[Kernel | Combined, ...]
    layout: Layout
    levels: str = "clip"  # or none: the responses
    channels: str = "auto"
    threads: int | None = None
    alpha: str = "keep"
    background: Colour | None = None
    result: str = ""  # the kind of the samples, where it is not that of the source
    ends: Ends | None = None  # what a stretch spans, where that is given or found before
    paint: Paint | None = None  # of a constant border, in place of the layout's fill
    together: bool = False  # whether a stretch spans all frames of a file


class Work(_Fields):
    """What is done to every picture."""

    __slots__ = ()

    def __new__(cls, *fields: Any, **named: Any) -> Work:
        """Check what is given."""
        work = super().__new__(cls, *fields, **named)
        work._check()
        return work

    def _replace(self, **changes: Any) -> Work:
        """Return a work with other values in some fields, which are checked as well."""
        return Work(**(self._asdict() | changes))

    def _check(self) -> None:
        if self.levels not in (*LEVELS, NONE):
            choices = ", ".join((*LEVELS, NONE))
            raise OptionError(f"no levels {self.levels!r}; choose from {choices}")
        letters = self.channels.split(",")
        if self.channels not in CHANNELS and not all(len(c) == 1 and c in LETTERS for c in letters):
            raise OptionError(
                f"no channels {self.channels!r}; choose from {', '.join(CHANNELS)} "
                "or list letters as r,g,b (l is gray, a alpha, x any other)"
            )
        if self.alpha not in ALPHAS:
            raise OptionError(f"no alpha {self.alpha!r}; choose from {', '.join(ALPHAS)}")
        for step in self.kernels:
            if isinstance(step, Combined):
                self._check_combined(step)
        for size in self.sizes:
            self.layout.anchored(size)
        if self.alpha == "weighted" and self.channels == "luma":
            raise OptionError("--alpha weighted is for the colours themselves; leave out luma")

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """The sizes of all kernels."""
        steps = [k.kernels if isinstance(k, Combined) else (k,) for k in self.kernels]
        return [kernel.size for several in steps for kernel in several]

    @property
    def sums(self) -> bool:
        """Whether kernels add up channels, so that others come out."""
        steps = (k.kernels[0] if isinstance(k, Combined) else k for k in self.kernels)
        return any(len(kernel.shape) > 2 for kernel in steps)

    def laid(self, names: str, kind: str, depth: int = 0) -> Layout:
        """Return the layout whose border is filled as such channels and samples want it.

        `depth` is how many samples a pixel has in memory, where not one for each channel.
        """
        if not self.paint:
            return self.layout
        return self.layout._replace(fill=self.paint.on(names, kind, depth or len(names)))

    def _check_combined(self, step: Combined) -> None:
        if self.alpha == "weighted":
            raise OptionError("--alpha weighted is for single kernels, not for combined ones")
        sizes = {kernel.size for kernel in step.kernels}
        if len(sizes) > 1 and self.layout.padding is not None:
            shown = ", ".join("{}x{}".format(*size) for size in sorted(sizes))
            raise OptionError(
                f"kernels of {shown} give outputs of different shapes to combine; "
                "use --padding same, or kernels of one size"
            )


class Clipped(NamedTuple):
    """How many samples were clipped below and above, and of how many."""

    low: int
    high: int
    samples: int
