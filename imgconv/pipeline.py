"""One picture through its kernels: channels once at the start, levels once at the end."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PIL import Image

from imgconv import bands, samples, steps
from imgconv.errors import ImageError, OptionError
from imgconv.geometry import Layout
from imgconv.kernel import Kernel
from imgconv.levels import LEVELS, MAXIMUM

CHANNELS = ("auto", "gray", "rgb", "luma")
LETTERS = "lrgba"


@dataclass(frozen=True)
class Work:
    """What is done to every picture."""

    kernels: tuple[Kernel, ...]
    layout: Layout
    levels: str = "clip"
    channels: str = "auto"
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.levels not in LEVELS:
            raise OptionError(f"no levels {self.levels!r}; choose from {', '.join(LEVELS)}")
        letters = self.channels.split(",")
        if self.channels not in CHANNELS and not all(len(c) == 1 and c in LETTERS for c in letters):
            raise OptionError(
                f"no channels {self.channels!r}; choose from {', '.join(CHANNELS)} "
                "or list letters as r,g,b (l is gray, a alpha)"
            )


def filter_image(image: Image.Image, work: Work) -> tuple[Image.Image, tuple[int, int]]:
    """Return the filtered image, and how many samples were clipped below and above.

    Raises
    ------
    ImageError, GeometryError
        If the image lacks a channel, or no pixel remains.
    """
    if work.channels == "luma" and image.mode.startswith("RGB"):
        return _filter_luma(image, work)
    image = _converted(image, work.channels)
    names = "".join(image.getbands()).lower() if image.mode != "I;16" else "l"
    chosen = _chosen(names, work.channels)
    out, clipped = _chain(image, work, chosen)
    if not all(chosen):
        channels = [
            out.getchannel(i) if yes else _sampled(image.getchannel(i), work)
            for i, yes in enumerate(chosen)
        ]
        out = Image.merge(out.mode, channels)
    return out, clipped


def _converted(image: Image.Image, channels: str) -> Image.Image:
    alpha = "A" if image.mode in ("LA", "RGBA") else ""
    if channels == "gray" and image.mode.startswith("RGB"):
        return image.convert("L" + alpha)
    if channels == "rgb" and image.mode == "I;16":
        raise ImageError("has 16 bits, which colour would cut to 8; --channels gray keeps them")
    if channels == "rgb" and image.mode.startswith("L"):
        return image.convert("RGB" + alpha)
    return image


def _chosen(names: str, channels: str) -> list[bool]:
    """Which channels are filtered, by their letters."""
    if channels in CHANNELS:
        return [name != "a" for name in names]
    missing = [letter for letter in channels.split(",") if letter not in names]
    if missing:
        raise ImageError(f"has no channel {missing[0]!r}; it has {','.join(names)}")
    return [name in channels.split(",") for name in names]


def _filter_luma(image: Image.Image, work: Work) -> tuple[Image.Image, tuple[int, int]]:
    """Filter the brightness and move each colour by as much as it moved."""
    from PIL import ImageChops

    before = image.convert("RGB").convert("L")
    after, clipped = _chain(before, work, [True])
    before = _sampled(before, work)
    more, less = ImageChops.subtract(after, before), ImageChops.subtract(before, after)
    colours = [_sampled(image.getchannel(c), work) for c in image.getbands()]
    moved = [ImageChops.subtract(ImageChops.add(c, more), less) for c in colours[:3]]
    return Image.merge(image.mode, moved + colours[3:]), clipped


def _chain(
    image: Image.Image, work: Work, chosen: list[bool]
) -> tuple[Image.Image, tuple[int, int]]:
    """Apply the kernels one after the other, unrounded in between."""
    *first, last = work.kernels
    pixels = samples.of_image(image)
    low, high = 0.0, float(MAXIMUM[pixels.kind])
    magnitude, fill = high, work.layout.fill
    for i, kernel in enumerate(first, 1):
        low, high = kernel.response_range(min(low, fill), max(high, fill))
        reach = max(abs(low), abs(high))
        geometry = steps.geometry_of(pixels, kernel, work.layout)
        kind = _between(reach, work.kernels[i:], len(kernel.weights) * len(kernel.weights[0]))
        responses = samples.of_floats(kind, *geometry.shape, pixels.channels)
        steps.respond(
            pixels, responses, kernel, geometry, magnitude=magnitude, threads=work.threads
        )
        pixels, magnitude = responses, reach
    geometry = steps.geometry_of(pixels, last, work.layout)
    target, finished = samples.blank(image.mode, *geometry.shape)
    clipped = steps.to_pixels(
        pixels, target, last, geometry, work.levels, _mask(chosen, pixels.channels),
        magnitude=magnitude, threads=work.threads,
    )  # fmt: skip
    return finished(), clipped


def _between(reach: float, following: tuple[Kernel, ...], taps: int) -> str:
    """float32 for the responses in between, unless later kernels would blow up its rounding."""
    gain = math.prod(
        math.fsum(abs(w) for row in k.weights for w in row) / abs(k.divisor) for k in following
    )
    return "float32" if reach * gain * (taps / 9 + 13) * 2**-24 < 0.1 else "float64"


def _mask(chosen: list[bool], channels: int) -> bytes:
    """Which samples of a pixel in memory are filtered channels; a fourth of RGB is nobody's."""
    if len(chosen) == 2 and channels == 4:  # gray stands three times, before alpha
        return bytes([chosen[0], 0, 0, chosen[1]])
    return bytes(chosen + [False] * (channels - len(chosen)))


def _sampled(channel: Image.Image, work: Work) -> Image.Image:
    """Take an unfiltered channel through the geometry of every kernel."""
    for kernel in work.kernels:
        source = samples.of_image(channel)
        geometry = steps.geometry_of(source, kernel, work.layout)
        target, finished = samples.blank(channel.mode, *geometry.shape)
        bands.sample(source, target, geometry)
        channel = finished()
    return channel
