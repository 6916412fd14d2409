"""One picture through its kernels: channels once at the start, levels once at the end."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from imgconv import bands, pixels, samples, steps
from imgconv.errors import ImageError, OptionError
from imgconv.geometry import Layout
from imgconv.kernel import Kernel
from imgconv.levels import LEVELS, MAXIMUM, NONE
from imgconv.pixels import NAMELESS, Pixels
from imgconv.recipes import Combined
from imgconv.steps import Step

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

    @property
    def sums(self) -> bool:
        """Whether kernels add up channels, so that others come out."""
        steps = (k.kernels[0] if isinstance(k, Combined) else k for k in self.kernels)
        return any(len(kernel.shape) > 2 for kernel in steps)

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
    if work.alpha == "weighted" and picture.names.endswith("a"):
        from imgconv.weighted import filter_weighted

        chosen[-1] = True
        out, clipped = filter_weighted(picture, work, chosen)
        counted = (len(out.names) if work.sums else sum(chosen)) - 1
    else:
        out, clipped = _chain(picture, work, chosen)
        counted = len(out.names) if work.sums else sum(chosen)
    out = _with_unfiltered(out, picture, work, chosen)
    width, height = out.size
    return out, Clipped(*clipped, width * height * counted)


def _with_unfiltered(out: Pixels, picture: Pixels, work: Work, chosen: list[bool]) -> Pixels:
    """Put the channels that are not filtered beside those that are."""
    if all(chosen):
        return out
    sampled = {
        i: _sampled(picture.channel(i), work).of_kind(out.kind)
        for i, yes in enumerate(chosen)
        if not yes
    }
    if not work.sums:
        channels = [sampled.get(i) or out.channel(i) for i in range(len(chosen))]
        return out.merged(channels)
    made = [out.channel(i) for i in range(len(out.names))]
    alpha = len(chosen) - 1
    if picture.names.endswith("a") and list(sampled) == [alpha]:
        return pixels.put_together([*made, sampled[alpha]], f"{out.names}a")
    if len(made) != sum(chosen):
        raise ImageError(
            f"has channels beside the {sum(chosen)} named, and the kernel makes {len(made)} "
            "of them; name all channels, or take a kernel with as many outputs"
        )
    each = iter(made)
    channels = [sampled.get(i) or next(each) for i in range(len(chosen))]
    return pixels.put_together(channels, picture.names)


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
    if after.names != before.names:
        raise ImageError("has one brightness, and the kernel makes more of it; leave out luma")
    before = _sampled(before, work)
    channels = [_sampled(picture.channel(i), work) for i in range(len(picture.names))]
    moved = [pixels.moved(colour, before, after) for colour in channels[:3]]
    width, height = before.size
    return picture.merged(moved + channels[3:]), Clipped(*clipped, width * height)


def _chain(picture: Pixels, work: Work, chosen: list[bool]) -> tuple[Pixels, tuple[int, int]]:
    """Apply the kernels one after the other, unrounded in between."""
    source, fill = picture.view(), work.layout.fill
    places, mask = _places(chosen, source.channels), _mask(chosen, source.channels)
    names = "".join(name for name, yes in zip(picture.names, chosen, strict=True) if yes)
    low, high = 0.0, float(MAXIMUM[source.kind])
    magnitude = high
    for i, kernel in enumerate(work.kernels, 1):
        step = Step(kernel, work.layout, places, magnitude, work.threads)
        height, width, channels = step.shape(source)
        if outputs := step.outputs(len(places)):
            places, mask = tuple(range(outputs)), bytes([1]) * outputs
            names = pixels.of_outputs(names, outputs)
        if i == len(work.kernels):
            break
        low, high = kernel.response_range(min(low, fill), max(high, fill))
        magnitude = max(abs(low), abs(high))
        kind = _between(magnitude, work.kernels[i:], max(map(_taps, step.kernels)))
        responses = samples.of_floats(kind, height, width, channels)
        steps.respond(source, responses, step)
        source = responses
    kind = "float32" if work.levels == NONE else work.result or picture.kind
    if work.sums:
        depth = 0 if outputs else channels
        target, finished = pixels.room(names, kind, height, width, depth)
    else:
        target, finished = picture.room(height, width, kind)
    if work.levels == NONE:
        steps.respond(source, target, step)
        return finished(), (0, 0)
    clipped = steps.to_pixels(source, target, step, work.levels, mask)
    return finished(), clipped


def _between(reach: float, following: tuple[Kernel | Combined, ...], taps: int) -> str:
    """float32 for the responses in between, unless later kernels would blow up its rounding."""
    gain = math.prod(
        math.fsum(_magnification(k) for k in (s.kernels if isinstance(s, Combined) else (s,)))
        for s in following
    )
    return "float32" if reach * gain * (taps / 9 + 13) * 2**-24 < 0.1 else "float64"


def _taps(kernel: Kernel) -> int:
    return len(kernel.outputs[0].weights) * kernel.size[1]


def _magnification(kernel: Kernel) -> float:
    """How many times as large as samples a response may be."""
    return max(
        math.fsum(abs(w / kernel.divisor) for row in output.weights for w in row)
        for output in kernel.outputs
    )


def _places(chosen: list[bool], channels: int) -> tuple[int, ...]:
    """Where in a pixel in memory the filtered channels are."""
    places = [i for i, yes in enumerate(chosen) if yes]
    if len(chosen) == 2 and channels == 4:  # gray stands three times, before alpha
        places = [3 * i for i in places]
    return tuple(places)


def _mask(chosen: list[bool], channels: int) -> bytes:
    """Which samples of a pixel in memory are filtered channels; a fourth of RGB is nobody's."""
    places = _places(chosen, channels)
    return bytes([int(i in places) for i in range(channels)])


def _sampled(channel: Pixels, work: Work) -> Pixels:
    """Take an unfiltered channel through the geometry of every kernel."""
    for kernel in work.kernels:
        source = channel.view()
        geometry = Step(kernel, work.layout).on(source)[0]
        target, finished = channel.room(*geometry.shape)
        bands.sample(source, target, geometry)
        channel = finished()
    return channel
