"""Responses in whole arrays to samples, where more is done to them than the engine does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imgconv.engine.levels import MAXIMUM, NOTHING, Ends, ratio, rule

if TYPE_CHECKING:
    import numpy.typing as npt


def extent(response: npt.NDArray[Any]) -> Ends | None:
    """Return the least and the greatest finite response, if there is one."""
    import numpy as np

    finite = response[np.isfinite(response)]
    return (ratio(float(finite.min())), ratio(float(finite.max()))) if finite.size else None


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
