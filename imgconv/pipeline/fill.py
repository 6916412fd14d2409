"""What fills a constant border: a number, or by the picture a part of white or a colour."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from imgconv.engine.geometry import Fill
from imgconv.engine.levels import MAXIMUM
from imgconv.errors import ImageError, OptionError, shortened
from imgconv.light import NamedTuple
from imgconv.pipeline.layout import border_named

if TYPE_CHECKING:
    from fractions import Fraction

    from imgconv.pictures.pixels import Colour

PERCENT = r"([+-]?\d{1,9}(?:\.\d{1,9})?)%"


class Paint(NamedTuple):
    """A colour of 8 bits a channel; with a `part`, so much of white."""

    colour: Colour = (0, 0, 0)
    part: Fraction | None = None

    def on(self, names: str, kind: str, depth: int) -> Fill:
        """Return it in samples of a kind, for pixels of such channels, `depth` samples in memory.

        Raises
        ------
        ImageError
            If the channels are none of a picture's, and it is a colour.
        """
        top = MAXIMUM[kind]
        if self.part is not None:
            return round(self.part * top) if top > 1 else float(self.part * top)
        samples = self._samples(names, kind)
        if names == "la" and depth == 4:  # Pillow has gray three times, before alpha
            samples = (*samples[:1] * 3, *samples[1:])
        samples += (0,) * (depth - len(samples))
        return samples if len(set(samples)) > 1 else samples[0]

    def _samples(self, names: str, kind: str) -> tuple[float, ...]:
        """A sample for each channel; alpha is opaque."""
        from imgconv.pictures.pixels import NAMELESS  # Pillow, which misuse is told without

        top = MAXIMUM[kind]
        scaled = tuple(c * top // 255 if top > 1 else c / 255 for c in self.colour)
        bare = names.removesuffix("a")
        alpha = (float(top) if top == 1 else top,) * (len(names) - len(bare))
        if bare == "cmyk":  # which is turned into colours the other way round
            return *(top - c for c in scaled), 0
        if bare in ("l", NAMELESS):
            return _gray(scaled, kind), *alpha
        if bare in ("rgb", NAMELESS * 3):
            return *scaled, *alpha
        raise ImageError(
            f"has {len(bare)} channels that are no colours, and the fill is one; give a number"
        )


def _gray(colour: tuple[float, ...], kind: str) -> float:
    """The brightness of a colour, as that of a picture is made."""
    if len(set(colour)) == 1:
        return colour[0]
    import numpy as np

    from imgconv.pictures.pixels import ArrayPixels

    pixel = np.array([[colour]], kind)
    found: float = ArrayPixels(pixel, "rgb").gray().array().item()
    return found


def filling(text: str, border: str) -> tuple[float, Paint | None]:
    """Return what a user's words for the fill of a border mean: a number, or what takes its place.

    Only a constant border is filled.

    Raises
    ------
    OptionError
        If they mean nothing, or the border is none.
    """
    if border_named(border) != "constant":
        return 0, None
    try:
        return float(text), None
    except ValueError:
        pass
    if percent := re.fullmatch(PERCENT, text.strip()):
        from fractions import Fraction

        return 0, Paint(part=Fraction(percent[1]) / 100)
    if colour := colour_named(text):
        return 0, Paint(colour)
    raise OptionError(
        f"fill {shortened(text)!r} is no number, no part of white as 50%, and no colour such as "
        "white, #ff8000 or 255,128,0"
    )


def colour_named(text: str) -> Colour | None:
    """Return the colour that a name, a code or three numbers from 0 to 255 mean, if they do."""
    numbers = re.fullmatch(r"\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*", text)
    found: tuple[int, ...]
    if numbers:
        found = tuple(map(int, numbers.groups()))
    else:
        from PIL import ImageColor

        try:
            found = ImageColor.getrgb(text)
        except (ValueError, IndexError):  # the latter for nothing at all
            return None
    if len(found) != 3 or max(found) > 255:  # a fourth number would be alpha
        return None
    return found[0], found[1], found[2]
