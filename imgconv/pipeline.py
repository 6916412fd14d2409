"""One picture through its kernels: channels once at the start, levels once at the end."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from imgconv import bands, pixels, samples, steps
from imgconv.errors import ImageError, OptionError
from imgconv.geometry import Layout
from imgconv.kernel import Kernel
from imgconv.levels import LEVELS, MAXIMUM, NONE, clipped, to_pixels
from imgconv.pixels import NAMELESS, Pixels, of_array
from imgconv.recipes import Combined

if TYPE_CHECKING:
    import numpy.typing as npt

CHANNELS = ("auto", "gray", "rgb", "luma")
LETTERS = "lrgbacmyk"
ALPHAS = ("keep", "weighted")

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Work:
    """What is done to every picture."""

    kernels: tuple[Kernel | Combined, ...]
    layout: Layout
    levels: str = "clip"  # or none: the responses
    channels: str = "auto"
    threads: int | None = None
    alpha: str = "keep"
    background: Colour | None = None
    result: str = ""  # the kind of the samples, where it is not that of the source

    def __post_init__(self) -> None:
        if self.levels not in (*LEVELS, NONE):
            choices = ", ".join((*LEVELS, NONE))
            raise OptionError(f"no levels {self.levels!r}; choose from {choices}")
        letters = self.channels.split(",")
        if self.channels not in CHANNELS and not all(len(c) == 1 and c in LETTERS for c in letters):
            raise OptionError(
                f"no channels {self.channels!r}; choose from {', '.join(CHANNELS)} "
                "or list letters as r,g,b (l is gray, a alpha)"
            )
        if self.alpha not in ALPHAS:
            raise OptionError(f"no alpha {self.alpha!r}; choose from {', '.join(ALPHAS)}")
        for step in self.kernels:
            if isinstance(step, Combined):
                self._check(step)
        if self.alpha == "weighted" and self.channels == "luma":
            raise OptionError("--alpha weighted is for the colours themselves; leave out luma")

    def _check(self, step: Combined) -> None:
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


def filter_pixels(picture: Pixels, work: Work) -> tuple[Pixels, Clipped]:
    """Return the filtered pixels, and how many samples were clipped.

    Raises
    ------
    ImageError, GeometryError
        If the picture lacks a channel, or no pixel remains.
    """
    if work.background:
        picture = pixels.flattened(picture, work.background)
    if work.channels == "luma" and picture.names.startswith("rgb"):
        if work.levels == NONE:
            raise ImageError("has no response under --channels luma; choose gray, or other levels")
        return _filter_luma(picture, work)
    picture = _converted(picture, work.channels)
    chosen = _chosen(picture.names, work.channels)
    counted = sum(chosen)
    if work.alpha == "weighted" and picture.names.endswith("a"):
        from imgconv.weighted import filter_weighted

        chosen[-1] = True
        out, clipped = filter_weighted(picture, work, chosen)
    else:
        out, clipped = _chain(picture, work, chosen)
    if not all(chosen):
        out = out.merged(
            [
                out.channel(i) if yes else _sampled(picture.channel(i), work).of_kind(out.kind)
                for i, yes in enumerate(chosen)
            ]
        )
    width, height = out.size
    return out, Clipped(*clipped, width * height * counted)


def _converted(picture: Pixels, channels: str) -> Pixels:
    if picture.names.startswith(NAMELESS) and channels != "auto":
        raise ImageError("is an array, whose channels have no names; leave out --channels")
    if channels == "gray":
        return picture.gray()
    if channels == "rgb":
        return picture.colour()
    if channels == "luma" and picture.names == "cmyk":
        raise ImageError("is CMYK, which has no brightness of its own; --channels rgb makes it RGB")
    return picture


def _chosen(names: str, channels: str) -> list[bool]:
    """Which channels are filtered, by their letters."""
    if channels in CHANNELS:
        return [name != "a" for name in names]
    missing = [letter for letter in channels.split(",") if letter not in names]
    if missing:
        raise ImageError(f"has no channel {missing[0]!r}; it has {','.join(names)}")
    return [name in channels.split(",") for name in names]


def _filter_luma(picture: Pixels, work: Work) -> tuple[Pixels, Clipped]:
    """Filter the brightness and move each colour by as much as it moved."""
    before = picture.gray().channel(0)
    after, clipped = _chain(before, work, [True])
    before = _sampled(before, work)
    channels = [_sampled(picture.channel(i), work) for i in range(len(picture.names))]
    moved = [pixels.moved(colour, before, after) for colour in channels[:3]]
    width, height = before.size
    return picture.merged(moved + channels[3:]), Clipped(*clipped, width * height)


def _chain(picture: Pixels, work: Work, chosen: list[bool]) -> tuple[Pixels, tuple[int, int]]:
    """Apply the kernels one after the other, unrounded in between."""
    *first, last = work.kernels
    source = picture.view()
    low, high = 0.0, float(MAXIMUM[source.kind])
    magnitude, fill = high, work.layout.fill
    for i, kernel in enumerate(first, 1):
        if isinstance(kernel, Combined):
            from imgconv import combine

            low, high = combine.response_range(kernel, min(low, fill), max(high, fill))
            array = combine.respond(
                source, kernel, work.layout, magnitude=magnitude, threads=work.threads
            )
            source, magnitude = samples.of_array(array), max(abs(low), abs(high))
            continue
        low, high = kernel.response_range(min(low, fill), max(high, fill))
        reach = max(abs(low), abs(high))
        geometry = steps.geometry_of(source, kernel, work.layout)
        kind = _between(reach, work.kernels[i:], len(kernel.weights) * len(kernel.weights[0]))
        responses = samples.of_floats(kind, *geometry.shape, source.channels)
        steps.respond(
            source, responses, kernel, geometry, magnitude=magnitude, threads=work.threads
        )
        source, magnitude = responses, reach
    if isinstance(last, Combined):
        from imgconv import combine

        array = combine.respond(
            source, last, work.layout, magnitude=magnitude, threads=work.threads
        )
        return _levelled(array, picture, work, chosen)
    geometry = steps.geometry_of(source, last, work.layout)
    if work.levels == NONE:
        target, finished = picture.room(*geometry.shape, "float32")
        steps.respond(source, target, last, geometry, magnitude=magnitude, threads=work.threads)
        return finished(), (0, 0)
    target, finished = picture.room(*geometry.shape, work.result)
    clipped = steps.to_pixels(
        source, target, last, geometry, work.levels, _mask(chosen, source.channels),
        magnitude=magnitude, threads=work.threads,
    )  # fmt: skip
    return finished(), clipped


def _levelled(
    array: npt.NDArray[Any], picture: Pixels, work: Work, chosen: list[bool]
) -> tuple[Pixels, tuple[int, int]]:
    """Responses of the channels in memory as pixels, or as they are under `none`."""
    import numpy as np

    places = [i for i, yes in enumerate(chosen) if yes]
    if picture.names.endswith("a"):  # Pillow has gray three times, before alpha
        places = [array.shape[2] - 1 if i == len(chosen) - 1 else i for i in places]
    kind = "float32" if work.levels == NONE else work.result or picture.kind
    out = np.zeros((*array.shape[:2], len(chosen)), kind)
    responses, counts = array[:, :, places], (0, 0)
    if work.levels == NONE:
        out[:, :, chosen] = responses
    else:
        out[:, :, chosen] = to_pixels(responses, kind, work.levels)
        counts = clipped(responses, kind, work.levels)
    return of_array(out, picture.names), counts


def _between(reach: float, following: tuple[Kernel | Combined, ...], taps: int) -> str:
    """float32 for the responses in between, unless later kernels would blow up its rounding."""
    steps_after = [k.kernels if isinstance(k, Combined) else (k,) for k in following]
    gain = math.prod(
        math.fsum(abs(w) / abs(k.divisor) for k in kernels for row in k.weights for w in row)
        for kernels in steps_after
    )
    return "float32" if reach * gain * (taps / 9 + 13) * 2**-24 < 0.1 else "float64"


def _mask(chosen: list[bool], channels: int) -> bytes:
    """Which samples of a pixel in memory are filtered channels; a fourth of RGB is nobody's."""
    if len(chosen) == 2 and channels == 4:  # gray stands three times, before alpha
        return bytes([chosen[0], 0, 0, chosen[1]])
    return bytes(chosen + [False] * (channels - len(chosen)))


def _sampled(channel: Pixels, work: Work) -> Pixels:
    """Take an unfiltered channel through the geometry of every kernel."""
    for step in work.kernels:
        kernel = step.kernels[0] if isinstance(step, Combined) else step
        source = channel.view()
        geometry = steps.geometry_of(source, kernel, work.layout)
        target, finished = channel.room(*geometry.shape)
        bands.sample(source, target, geometry)
        channel = finished()
    return channel
