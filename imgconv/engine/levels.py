"""The rule from a signed response to a pixel, written once for whole arrays and for the core."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from imgconv.errors import OptionError

if TYPE_CHECKING:
    import numpy.typing as npt

Ends = tuple[Fraction, Fraction]  # the responses that a stretch spans

NOTHING: Ends = (Fraction(0), Fraction(0))
LEVELS = ("clip", "abs", "offset", "stretch")
NONE = "none"  # the responses themselves, as float32
SAMPLES = ("uint8", "uint16", "float32")
MAXIMUM = {"uint8": 255, "uint16": 65535, "float32": 1, "float64": 1}


class Rule(NamedTuple):
    """pixel = round(scale * response + shift), of the response's absolute value if so told.

    The factors are exact, so that the core can fold them into an integer kernel.
    """

    scale: Fraction
    shift: Fraction
    absolute: bool


def rule(levels: str, sample: str, ends: Ends = NOTHING) -> Rule:
    """Return the rule for a kind of sample; ends are the responses that stretch spans.

    Raises
    ------
    OptionError
        If the name of the levels is unknown.
    """
    maximum = MAXIMUM[sample]
    if levels == "offset":
        middle = Fraction(1, 2) if sample == "float32" else Fraction(maximum + 1, 2)
        return Rule(Fraction(1, 2), middle, False)
    if levels == "stretch":
        low, high = ends
        if high <= low:
            return Rule(Fraction(0), Fraction(0), False)
        scale = maximum / (high - low)
        return Rule(scale, -scale * low, False)
    if levels not in LEVELS:
        raise OptionError(f"no levels {levels!r}; choose from {', '.join(LEVELS)}")
    return Rule(Fraction(1), Fraction(0), levels == "abs")


def extent(response: npt.NDArray[Any]) -> Ends | None:
    """Return the least and the greatest finite response, if there is one."""
    import numpy as np

    finite = response[np.isfinite(response)]
    return (Fraction(float(finite.min())), Fraction(float(finite.max()))) if finite.size else None


def outermost(each: Iterable[Ends | None]) -> Ends | None:
    """Return the ends of several parts taken together, if any has some."""
    found = [ends for ends in each if ends]
    return (min(low for low, _ in found), max(high for _, high in found)) if found else None


def to_levels(
    response: npt.NDArray[Any], sample: str, levels: str = "clip", ends: Ends | None = None
) -> npt.NDArray[Any]:
    """Turn responses into the levels of a kind of sample, neither rounded nor saturated."""
    import numpy as np

    values: npt.NDArray[np.float64] = response.astype(np.float64)
    if levels == "stretch":
        ends = ends or extent(values)
    scale, shift, absolute = rule(levels, sample, ends or NOTHING)
    if absolute:
        np.abs(values, out=values)
    with np.errstate(invalid="ignore"):  # an infinity times a scale of 0 is NaN, and told as such
        return values * float(scale) + float(shift)


def to_pixels(
    response: npt.NDArray[Any], sample: str, levels: str = "clip", ends: Ends | None = None
) -> npt.NDArray[Any]:
    """Turn responses into samples of a kind ("uint8", "uint16" or "float32"), unfiltered by us.

    Integers are rounded half to even once, then saturated, and NaN becomes 0; floats are neither
    rounded nor clipped.
    """
    import numpy as np

    pixels = to_levels(response, sample, levels, ends)
    if sample == "float32":
        return pixels.astype(np.float32)
    rounded = np.nan_to_num(np.clip(np.rint(pixels), 0, MAXIMUM[sample]), nan=0)
    found: npt.NDArray[Any] = rounded.astype(sample)
    return found


def clipped(
    response: npt.NDArray[Any], sample: str, levels: str, ends: Ends | None = None
) -> tuple[int, int]:
    """Return how many responses are below and above the range of a kind, once rounded."""
    import numpy as np

    if MAXIMUM[sample] == 1:
        return 0, 0
    wide = np.rint(to_levels(response, sample, levels, ends))
    return int((wide < 0).sum()), int((wide > MAXIMUM[sample]).sum())
