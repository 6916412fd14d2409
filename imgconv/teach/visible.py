"""Pixels for the eye: 8 bits a channel, nothing transparent, of a size to be looked at."""

from __future__ import annotations

from PIL import Image

from imgconv.errors import ImageError
from imgconv.pictures import pixels
from imgconv.pictures.pixels import NAMELESS, Colour, ImagePixels, Pixels


def visible(picture: Pixels, background: Colour) -> Image.Image:
    """Return a gray or RGB image of 8 bits; reals are stretched from their least to their greatest.

    Raises
    ------
    ImageError
        If there are more channels than colours.
    """
    from imgconv.pictures.picture import cut
    from imgconv.pictures.responses import to_pixels

    names = picture.names
    if names.startswith(NAMELESS):
        if len(names) not in (1, 3):
            raise ImageError(f"has {len(names)} channels, of which no picture can be made; 1 or 3")
        names = "rgb" if len(names) == 3 else "l"
        picture = pixels.of_array(picture.array(), names)
    elif NAMELESS in names:
        names = pixels.coloured(names)
        picture = pixels.of_array(picture.array()[:, :, : len(names)], names)
    picture = pixels.flattened(picture, background)
    if picture.kind == "float32":
        picture = pixels.of_array(to_pixels(picture.array(), "uint8", "stretch"), picture.names)
    elif picture.kind != "uint8":
        picture = pixels.of_array(cut(picture.array()), picture.names)
    if picture.names == "cmyk":
        picture = picture.colour()
    assert isinstance(picture, ImagePixels), picture.names
    return picture.image


def reduced(image: Image.Image, width: int, height: int) -> Image.Image:
    """Return an image that fits, in its proportions; a small one as it is."""
    share = min(width / image.width, height / image.height)
    if share >= 1:
        return image
    size = max(1, round(image.width * share)), max(1, round(image.height * share))
    return image.resize(size, Image.Resampling.LANCZOS)


def enlarged(image: Image.Image, width: int, height: int) -> Image.Image:
    """Return an image whose pixels are squares, as large as fit; a large one as it is."""
    times = min(width // image.width, height // image.height)
    if times <= 1:
        return image
    size = image.width * times, image.height * times
    return image.resize(size, Image.Resampling.NEAREST)
