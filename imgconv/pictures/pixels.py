"""A picture's pixels as named channels, whoever holds them: Pillow, without NumPy, or an array."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from PIL import Image

from imgconv.compiled.memory import refuse_beyond
from imgconv.engine import samples
from imgconv.engine.levels import MAXIMUM
from imgconv.engine.samples import Samples
from imgconv.light import NamedTuple
from imgconv.pictures import pillow

if TYPE_CHECKING:
    import numpy.typing as npt

# Pillow's modes, the channels they hold and the kind of their samples.
MODES = {
    "L": ("l", "uint8"), "LA": ("la", "uint8"), "RGB": ("rgb", "uint8"), "RGBA": ("rgba", "uint8"),
    "CMYK": ("cmyk", "uint8"), "I;16": ("l", "uint16"), "F": ("l", "float32"),
}  # fmt: skip
NAMELESS = "x"  # a channel of an array, or one beside the colours of a TIFF that is not alpha

Colour = tuple[int, int, int]


class ImagePixels(NamedTuple):
    """Pixels in an image of Pillow's, of one of the MODES."""

    image: Image.Image

    @property
    def names(self) -> str:
        """A letter for each channel: l is gray, a alpha."""
        return MODES[self.image.mode][0]

    @property
    def kind(self) -> str:
        """The type of the samples."""
        return MODES[self.image.mode][1]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.image.size

    def view(self) -> Samples:
        """The samples in memory, to be read."""
        return pillow.of_image(self.image)

    def room(self, height: int, width: int, kind: str = "") -> tuple[Samples, Callable[[], Pixels]]:
        """Room for as many samples, of this kind or another, and what returns their pixels."""
        return room(self.names, kind or self.kind, height, width, self.view().channels)

    def array(self) -> npt.NDArray[Any]:
        """A copy of shape (H, W, C)."""
        import numpy as np

        found = np.array(self.image)
        return found if found.ndim == 3 else found[:, :, None]

    def gray(self) -> Pixels:
        """The brightness, (19595 R + 38470 G + 7471 B + 32768) >> 16, and alpha."""
        if self.names.startswith("l"):
            return self
        return ImagePixels(self.image.convert("LA" if self.names.endswith("a") else "L"))

    def colour(self) -> Pixels:
        """Red, green and blue, and alpha."""
        if self.names.startswith("rgb"):
            return self
        if self.kind != "uint8":
            import numpy as np

            return of_array(np.repeat(self.array(), 3, axis=2), "rgb")
        return ImagePixels(self.image.convert("RGBA" if self.names.endswith("a") else "RGB"))

    def channel(self, index: int) -> Pixels:
        """One channel as gray."""
        return ImagePixels(self.image.getchannel(index)) if len(self.names) > 1 else self

    def of_kind(self, kind: str) -> Pixels:
        """The same numbers as samples of another kind."""
        return self if kind == self.kind else of_array(self.array().astype(kind), self.names)

    def merged(self, channels: Sequence[Pixels]) -> Pixels:
        """Channels put together to pixels like these."""
        if len(channels) == 1:
            return channels[0]
        images = [c.image for c in channels if isinstance(c, ImagePixels)]
        return ImagePixels(Image.merge(self.image.mode, images))


class ImagePart(ImagePixels):
    """A rectangle of an image, read in place; for all but its samples it is copied."""

    rows: range
    columns: range

    def __new__(cls, whole: Image.Image, rows: range, columns: range) -> ImagePart:
        """Take the rectangle of a whole image."""
        made = super().__new__(cls, whole)
        made.rows, made.columns = rows, columns
        return made

    @property
    def image(self) -> Image.Image:
        """A copy of the rectangle."""
        rows, columns = self.rows, self.columns
        return self[0].crop((columns.start, rows.start, columns.stop, rows.stop))

    @property
    def names(self) -> str:
        """A letter for each channel: l is gray, a alpha."""
        return MODES[self[0].mode][0]

    @property
    def kind(self) -> str:
        """The type of the samples."""
        return MODES[self[0].mode][1]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return len(self.columns), len(self.rows)

    def view(self) -> Samples:
        """The samples in memory, to be read."""
        found, (width, height) = pillow.of_memory(self[0].im), self.size
        if not found:
            return super().view()
        place = found.at(self.rows.start, self.columns.start)
        return found._replace(address=place, height=height, width=width)


class ArrayPixels(NamedTuple):
    """Pixels in an array of shape (H, W, C), of kinds and channels that Pillow has no mode for."""

    samples: npt.NDArray[Any]
    names: str

    @property
    def kind(self) -> str:
        """The type of the samples."""
        return str(self.samples.dtype.name)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.samples.shape[1], self.samples.shape[0]

    def view(self) -> Samples:
        """The samples in memory, to be read."""
        return samples.of_array(self.samples)

    def room(self, height: int, width: int, kind: str = "") -> tuple[Samples, Callable[[], Pixels]]:
        """Room for as many samples, of this kind or another, and what returns their pixels."""
        return room(self.names, kind or self.kind, height, width, len(self.names))

    def array(self) -> npt.NDArray[Any]:
        """A copy of shape (H, W, C)."""
        return self.samples.copy()

    def gray(self) -> Pixels:
        """The brightness, by the same rule (for reals .299, .587, .114), and alpha."""
        import numpy as np

        if self.names.startswith("cmyk"):
            return self.colour().gray()
        if not self.names.startswith("rgb"):
            return self
        colours = self.samples[:, :, :3]
        if self.kind == "float32":
            red, green, blue = (colours[:, :, i].astype(np.float64) for i in range(3))
            brightness = (0.299 * red + 0.587 * green + 0.114 * blue).astype(np.float32)
        else:
            whole = colours @ np.array([19595, 38470, 7471], np.uint64)
            brightness = (whole + np.uint64(32768) >> np.uint64(16)).astype(self.samples.dtype)
        return of_array(np.dstack([brightness, self.samples[:, :, 3:]]), "l" + self.names[3:])

    def colour(self) -> Pixels:
        """Red, green and blue, and alpha."""
        import numpy as np

        if self.names.startswith("cmyk"):  # as Pillow does: of what black leaves, what ink does
            top, others = MAXIMUM[self.kind], self.samples[:, :, 4:]
            wide = self.samples.astype(np.int64 if top > 1 else np.float64)
            light = top - wide[:, :, 3:4]
            ink = wide[:, :, :3] * light
            left = light - (ink + top // 2) // top if top > 1 else light - ink
            return of_array(np.dstack([left.astype(others.dtype), others]), "rgb" + self.names[4:])
        if not self.names.startswith("l"):
            return self
        repeated = [self.samples[:, :, :1]] * 3
        return of_array(np.dstack([*repeated, self.samples[:, :, 1:]]), "rgb" + self.names[1:])

    def channel(self, index: int) -> Pixels:
        """One channel as gray."""
        import numpy as np

        return of_array(np.ascontiguousarray(self.samples[:, :, index : index + 1]), "l")

    def of_kind(self, kind: str) -> Pixels:
        """The same numbers as samples of another kind."""
        return self if kind == self.kind else of_array(self.samples.astype(kind), self.names)

    def merged(self, channels: Sequence[Pixels]) -> Pixels:
        """Channels put together to pixels like these."""
        import numpy as np

        return of_array(np.concatenate([c.array() for c in channels], axis=2), self.names)


Pixels: TypeAlias = ImagePixels | ArrayPixels


def room(
    names: str, kind: str, height: int, width: int, depth: int = 0
) -> tuple[Samples, Callable[[], Pixels]]:
    """Return room for pixels, and what returns them: Pillow's own memory where it has a mode.

    `depth` samples of each pixel will be written, alpha as the last, if not 0.
    """
    refuse_beyond(weight(names, kind, (width, height)))
    mode = next((mode for mode, held in MODES.items() if held == (names, kind)), None)
    if mode:
        target, finished = pillow.blank(mode, height, width)
        if depth in (0, target.channels):
            return target, lambda: ImagePixels(finished())
    import numpy as np

    new = np.empty((height, width, depth or len(names)), kind)
    places = list(range(len(names)))
    if names.endswith("a"):  # Pillow has gray three times, before alpha
        places[-1] = new.shape[2] - 1
    return samples.of_array(new), lambda: of_array(new[:, :, places], names)


def common(names: Collection[str]) -> str:
    """Return the mode of 8 bits that has the channels of all of these; nothing if they are alike.

    They are gray, or red, green and blue, with alpha or without.
    """
    if len(names) == 1:
        return ""
    colour = any("r" in each for each in names)
    return ("RGB" if colour else "L") + "A" * any(each.endswith("a") for each in names)


def weight(names: str, kind: str, size: tuple[int, int]) -> float:
    """Return how many bytes the samples of a picture of such a size take."""
    return float(size[0] * size[1] * len(names) * samples.size(kind))


def coloured(names: str) -> str:
    """Return the letters of the colours, without alpha and what is neither; of arrays nothing."""
    return names.rstrip(f"a{NAMELESS}")


def of_outputs(names: str, outputs: int) -> str:
    """Return the names of so many sums over channels of these names, without alpha."""
    if outputs == len(names) or names.startswith(NAMELESS):
        return names[:1] * outputs if names.startswith(NAMELESS) else names
    return {1: "l", 3: "rgb"}.get(outputs, NAMELESS * outputs)


def put_together(channels: Sequence[Pixels], names: str) -> Pixels:
    """Return pixels of such channels, each of one, in Pillow's own memory where it has a mode."""
    mode = next((m for m, held in MODES.items() if held == (names, channels[0].kind)), None)
    images = [c.image for c in channels if isinstance(c, ImagePixels)]
    if mode and len(images) == len(channels) > 1:
        return ImagePixels(Image.merge(mode, images))
    import numpy as np

    return of_array(np.concatenate([c.array() for c in channels], axis=2), names)


def of_array(array: npt.NDArray[Any], names: str) -> Pixels:
    """Return pixels of an array of shape (H, W, C), in an image of Pillow's where it has a mode."""
    import numpy as np

    for mode, held in MODES.items():
        if held == (names, array.dtype.name):
            plane = array[:, :, 0] if len(names) == 1 else array
            return ImagePixels(Image.frombytes(mode, plane.shape[1::-1], plane.tobytes()))
    return ArrayPixels(np.ascontiguousarray(array), names)


def white(names: str, kind: str) -> Pixels:
    """Return one pixel, white and opaque, that stands for a picture of such channels."""
    top = MAXIMUM[kind]
    for mode, held in MODES.items():
        if held == (names, kind):
            return ImagePixels(Image.new(mode, (1, 1), (top,) * len(names) if names[1:] else top))
    import numpy as np

    return ArrayPixels(np.full((1, 1, len(names)), top, kind), names)


def flattened(pixels: Pixels, background: Colour) -> Pixels:
    """Lay pixels with alpha upon a colour of 8 bits a channel; others stay as they are."""
    if not pixels.names.endswith("a"):
        return pixels
    import numpy as np

    if pixels.names == "la" and len(set(background)) > 1:
        pixels = pixels.colour()
    array, top = pixels.array(), MAXIMUM[pixels.kind]
    below = np.array(background[: len(pixels.names) - 1]) * (top / 255)
    alpha = array[:, :, -1:] / top
    laid = array[:, :, :-1] * alpha + below * (1 - alpha)
    if top > 1:
        laid = np.rint(laid)
    return of_array(laid.astype(array.dtype), pixels.names[:-1])


def moved(channel: Pixels, before: Pixels, after: Pixels) -> Pixels:
    """Return a channel plus the difference of two others, saturated."""
    if (
        isinstance(channel, ImagePixels)
        and isinstance(before, ImagePixels)
        and isinstance(after, ImagePixels)
        and channel.kind == "uint8"
    ):
        from PIL import ImageChops

        more = ImageChops.subtract(after.image, before.image)
        less = ImageChops.subtract(before.image, after.image)
        return ImagePixels(ImageChops.subtract(ImageChops.add(channel.image, more), less))
    import numpy as np

    wide = np.int64 if MAXIMUM[channel.kind] > 1 else np.float64
    total = channel.array().astype(wide) + after.array() - before.array()
    if wide is np.int64:
        total = np.clip(total, 0, MAXIMUM[channel.kind])
    return of_array(total.astype(channel.kind), "l")
