"""How pictures are turned upright, by what EXIF says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt

# From an orientation of EXIF: whether rows and columns change places, then which axes turn round.
_TURNS: dict[int, tuple[bool, tuple[int, ...]]] = {
    1: (False, ()), 2: (False, (1,)), 3: (False, (0, 1)), 4: (False, (0,)),
    5: (True, ()), 6: (True, (1,)), 7: (True, (0, 1)), 8: (True, (0,)),
}  # fmt: skip


def upright(array: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """Return samples of shape (H, W, C) turned upright."""
    import numpy as np

    swapped, turned = _TURNS.get(orientation, _TURNS[1])
    return np.flip(array.swapaxes(0, 1) if swapped else array, turned)
