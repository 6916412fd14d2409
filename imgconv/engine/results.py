"""Memory for results, of which much is kept for the next ones when they are gone.

malloc keeps what is given back to it, but of 32 MB and more nothing: such memory comes from the
system page by page for every picture, in as long as a 3x3 takes. What is kept here is free to be
taken: a system that runs short of memory takes it back, without asking.
"""

from __future__ import annotations

import contextlib
import math
import mmap
from collections import deque
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from imgconv.compiled import memory
from imgconv.engine import samples

# Bytes from which on NumPy asks for large pages, that malloc gives back at once, and of the largest
# result that is kept; of a large page, and of what malloc puts before.
LARGE, GIVEN_BACK, MOST = 1 << 22, 1 << 25, 1 << 30
LARGE_PAGE, HEAD = 1 << 21, 16


def new(shape: tuple[int, ...], kind: str, row: int) -> npt.NDArray[Any]:
    """Return an array, of so many bytes a row, in new memory or in that of one which is gone.

    What is large begins with a large page: Linux clears these in a tenth less time. What is beyond
    the array is never touched.
    """
    size = shape[0] * row
    if GIVEN_BACK <= size <= MOST and (held := _held(-(-size // LARGE_PAGE) * LARGE_PAGE)):
        return _Lent.of(held, shape, kind).view(np.ndarray)
    if not LARGE <= size < GIVEN_BACK:
        return np.empty(shape, kind)
    whole = -(-(size + HEAD) // LARGE_PAGE) * LARGE_PAGE - HEAD
    return np.empty(whole, np.uint8)[:size].view(kind).reshape(shape)


class _Lent(np.ndarray[Any, Any]):
    """What a result is a view of, and gives its memory back when all that see it are gone."""

    # The last two. A class, unlike the names of a module, is there to the end of Python.
    kept: ClassVar[deque[mmap.mmap]] = deque(maxlen=2)
    free: ClassVar[int] = getattr(mmap, "MADV_FREE", 0)
    held: mmap.mmap | None = None  # of views of the same type none

    @classmethod
    def of(cls, held: mmap.mmap, shape: tuple[int, ...], kind: str) -> _Lent:
        """Return an array that begins with a large page of some memory."""
        made = cls(shape, kind, held, -samples.address_of(held) % LARGE_PAGE)
        made.held = held
        return made

    def __del__(self) -> None:
        if self.held is not None:
            try:
                self.held.madvise(self.free)
            except OSError:  # an old system, or locked memory: it is given back
                return
            self.kept.append(self.held)


def _held(size: int) -> mmap.mmap | None:
    """Memory for whole large pages, wherever it begins; None where it cannot be kept."""
    kept = _Lent.kept
    if not _Lent.free or memory.room() != (math.inf, math.inf):
        kept.clear()
        return None
    size += LARGE_PAGE
    with contextlib.suppress(IndexError):  # another thread was faster
        for _ in range(len(kept)):
            found = kept.popleft()
            if size <= len(found) <= size + size // 4:
                return found
            kept.append(found)
    try:
        made = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError:  # NumPy has the words for it
        kept.clear()
        return None
    with contextlib.suppress(AttributeError, OSError):  # systems without them
        made.madvise(mmap.MADV_HUGEPAGE)
    return made
