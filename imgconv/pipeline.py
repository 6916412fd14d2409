"""One picture through its kernels: channels once at the start, levels once at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PIL import Image

from imgconv.arrays import respond, to_samples
from imgconv.errors import ImageError, OptionError
from imgconv.geometry import Layout
from imgconv.kernel import Kernel
from imgconv.levels import LEVELS, MAXIMUM

if TYPE_CHECKING:
    import numpy.typing as npt

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
    import numpy as np

    if work.channels == "luma" and image.mode.startswith("RGB"):
        return _filter_luma(image, work)
    image = _converted(image, work.channels)
    pixels = np.asarray(image)
    names = "".join(image.getbands()).lower() if pixels.ndim == 3 else "l"
    chosen = _chosen(names, work.channels)
    out, clipped = _chain(pixels, work, bytes(chosen))
    if pixels.ndim == 3 and not all(chosen):
        kept = [i for i, yes in enumerate(chosen) if not yes]
        out[..., kept] = _sampled(pixels[..., kept], work)
    return Image.fromarray(out), clipped


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
    import numpy as np

    brightness = np.asarray(image.convert("RGB").convert("L"))
    filtered, clipped = _chain(brightness, work, bytes([1]))
    pixels = _sampled(np.asarray(image), work)
    change = filtered.astype(np.int16) - _sampled(brightness, work)
    out = np.clip(pixels + change[..., None], 0, 255).astype(np.uint8)
    out[..., 3:] = pixels[..., 3:]
    return Image.fromarray(out), clipped


def _chain(
    pixels: npt.NDArray[Any], work: Work, filtered: bytes
) -> tuple[npt.NDArray[Any], tuple[int, int]]:
    """Apply the kernels one after the other, unrounded in between."""
    *first, last = work.kernels
    kind = pixels.dtype.name
    low, high = 0.0, float(MAXIMUM[kind])
    magnitude = high
    for kernel in first:
        pixels = respond(pixels, kernel, work.layout, magnitude=magnitude, threads=work.threads)
        fill = work.layout.fill
        low, high = kernel.response_range(min(low, fill), max(high, fill))
        magnitude = max(abs(low), abs(high))
    return to_samples(
        pixels, last, work.layout, work.levels, kind,
        magnitude=magnitude, filtered=filtered, threads=work.threads,
    )  # fmt: skip


def _sampled(pixels: npt.NDArray[Any], work: Work) -> npt.NDArray[Any]:
    """Take unfiltered channels through the geometry of every kernel."""
    for kernel in work.kernels:
        geometry = work.layout.on((pixels.shape[0], pixels.shape[1]), kernel.size)
        rows, columns = geometry.rows.centres(), geometry.columns.centres()
        if rows != list(range(pixels.shape[0])):
            pixels = pixels[rows]
        if columns != list(range(pixels.shape[1])):
            pixels = pixels[:, columns]
    return pixels
