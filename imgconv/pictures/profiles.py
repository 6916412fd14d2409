"""Inks to colours through the picture's own ICC profile, by Pillow's LittleCMS; sRGB comes out."""

from __future__ import annotations

import functools
import io
from typing import TYPE_CHECKING

from PIL import Image

from imgconv.pictures.lazy import each
from imgconv.pictures.metadata import Metadata
from imgconv.pictures.picture import Picture
from imgconv.pictures.pixels import ImagePixels, Pixels, of_array

if TYPE_CHECKING:
    from PIL.ImageCms import ImageCmsTransform


def in_srgb(picture: Picture, channels: str) -> Picture:
    """Return a picture in sRGB, without its profiles, where its inks are to be other channels."""
    frames, kept = picture.frames, picture.metadata

    def inks(place: int) -> bool:
        return serves(kept[place].icc, frames[place].names, frames[place].kind, channels)

    def made(place: int) -> Pixels:
        return colour(frames[place], kept[place].icc) if inks(place) else frames[place]

    def told(place: int) -> Metadata:
        return kept[place]._replace(icc=b"") if inks(place) else kept[place]

    return picture._replace(
        frames=each(range(len(frames)), made), metadata=each(range(len(kept)), told)
    )


def serves(profile: bytes, names: str, kind: str, channels: str) -> bool:
    """Return whether such pixels become the channels through a profile: CMYK of 8 bits."""
    asked = channels in ("gray", "rgb") and names.startswith("cmyk") and kind == "uint8"
    return asked and bool(profile) and _to_srgb(profile) is not None


def colour(inks: Pixels, profile: bytes) -> Pixels:
    """Return red, green and blue of pixels that a profile serves, and what is beside them."""
    change = _to_srgb(profile)
    assert change
    if isinstance(inks, ImagePixels):
        return ImagePixels(change.apply(inks.image))
    import numpy as np

    image = Image.frombytes("CMYK", inks.size, inks.samples[:, :, :4].tobytes())
    made = np.dstack([np.asarray(change.apply(image)), inks.samples[:, :, 4:]])
    return of_array(made, "rgb" + inks.names[4:])


@functools.lru_cache(maxsize=8)
def _to_srgb(profile: bytes) -> ImageCmsTransform | None:
    """What changes colours; nothing for a broken profile, or one of other colours."""
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        srgb = ImageCms.createProfile("sRGB")
        return ImageCms.buildTransform(source, srgb, "CMYK", "RGB")
    except (ImageCms.PyCMSError, OSError):
        return None
