"""Memory for results, of which much is kept for the next ones when they are gone.

malloc keeps what is given back to it, but of 32 MB and more nothing: such memory comes from the
system page by page for every picture, in as long as a 3x3 takes. What is kept here is free to be
taken: a system that runs short of memory takes it back, without asking.
"""

from __future__ import annotations

import math
import mmap
from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar

from imgconv.compiled import memory
from imgconv.engine import samples

if TYPE_CHECKING:
    import numpy.typing as npt

# Bytes from which on NumPy asks for large pages, what malloc gives back at once, and what is too
# much to be kept; of a large page, and of what malloc puts before.
LARGE, GIVEN_BACK, MOST = 1 << 22, 1 << 25, 1 << 30
LARGE_PAGE, HEAD = 1 << 21, 16


def new(shape: tuple[int, ...], kind: str, size: int) -> npt.NDArray[Any]:
    """Return an array of so many bytes in new memory, or in that of an array which is gone.

    What is large begins with a large page: Linux clears these in a tenth less time. What is beyond
    the array is never touched.
    """
    import numpy as np

    if GIVEN_BACK <= size <= MOST and (found := _lent(-(-size // LARGE_PAGE) * LARGE_PAGE)):
        return np.asarray(_Lent(found, shape, np.dtype(kind).str))
    if not LARGE <= size < GIVEN_BACK:
        return np.empty(shape, kind)
    whole = -(-(size + HEAD) // LARGE_PAGE) * LARGE_PAGE - HEAD
    return np.empty(whole, np.uint8)[:size].view(kind).reshape(shape)


class _Lent:
    """What an array of NumPy's has as its base, and gives its memory back when that is gone."""

    # The last two: who computes in turns has two results. A class is there to the end of Python,
    # when a module's names may be gone.
    kept: ClassVar[deque[mmap.mmap]] = deque(maxlen=2)
    free = getattr(mmap, "MADV_FREE", 0)

    def __init__(self, held: mmap.mmap, shape: tuple[int, ...], kind: str) -> None:
        self.held = held
        begin = -(-samples.address_of(held) // LARGE_PAGE) * LARGE_PAGE
        self.__array_interface__ = {
            "version": 3, "shape": shape, "typestr": kind, "data": (begin, False),
        }  # fmt: skip

    def __del__(self) -> None:
        self.held.madvise(self.free)
        self.kept.append(self.held)


def _lent(size: int) -> mmap.mmap | None:
    """Memory for whole large pages, wherever it begins; None where it cannot be kept."""
    if not _Lent.free or memory.room() != (math.inf, math.inf):
        return None
    size += LARGE_PAGE
    for _ in range(len(_Lent.kept)):
        try:
            found = _Lent.kept.popleft()
        except IndexError:  # another thread was faster
            break
        if size <= len(found) <= size + size // 4:
            return found
        _Lent.kept.append(found)
    try:
        made = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError:  # NumPy has the words for it
        return None
    if hasattr(mmap, "MADV_HUGEPAGE"):
        made.madvise(mmap.MADV_HUGEPAGE)
    return made
