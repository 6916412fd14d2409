"""Threads that share the calls of a picture, and wait for the next one.

What they do and how they meet is compiled (`share` in `conductor`), without Python's
lock: on 512x512, starting a thread takes half of a 3x3's time, and waking one a quarter. So a
helper looks for work a moment longer, before it sleeps until it is rung.
"""

from __future__ import annotations

import os
import time
from _thread import allocate_lock, start_new_thread
from array import array
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from imgconv.compiled import native
from imgconv.compiled.words import HELPERS, LEFT, TAKEN
from imgconv.engine.samples import pointer
from imgconv.light import NamedTuple

# How often a thread looks for work, or whether others have left, before it sleeps: some 0.1 ms.
TURNS = 4000
NAP = 5e-5  # seconds
# Times what is worth a thread is worth one that sleeps, or is not there yet, and one that still
# looks, since the last work ended less than so many seconds ago.
ASLEEP, AWAKE, CLOSE = 3, 3 / 16, 8e-5


class _Helper(NamedTuple):
    """A thread, the word in which it finds work, and what wakes it where it does not look."""

    given: array[int]
    bell: Any

    def serve(self, take_part: Callable[[int, int, bool], None]) -> None:
        """Take part in work after work."""
        word = pointer(self.given)
        while True:
            take_part(word, TURNS, False)
            self.bell.acquire()

    def wake(self) -> None:
        """Have it look, before there is something to see.

        It may have looked in vain and wait for Python's lock, to sleep: so it is rung for in any
        case, and may look once more for nothing.
        """
        if self.bell.locked():
            self.bell.release()


_ended: deque[float] = deque(maxlen=1)  # when work that could have been shared last ended
# Helpers that nobody has; a process that is forked has none.
_waiting: deque[_Helper] = deque()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_waiting.clear)


def _crew(count: int) -> list[_Helper]:
    """Helpers that waited, or new ones; fewer where the system gives no more threads."""
    crew: list[_Helper] = []
    while len(crew) < count:
        try:
            crew.append(_waiting.pop())
        except IndexError:
            helper = _Helper(array("q", (0,)), allocate_lock())
            helper.bell.acquire()
            try:
                start_new_thread(helper.serve, (native.sharing(),))
            except RuntimeError:
                break
            crew.append(helper)
    return crew


def price() -> float:
    """Return how many times what is worth a thread is worth one now."""
    awake = _ended and time.perf_counter() - _ended[0] < CLOSE
    return AWAKE if awake else ASLEEP


def end() -> None:
    """Take note that work has ended which could be shared if more followed at once."""
    _ended.append(time.perf_counter())


def share(calls: Sequence[int], size: int, helpers: int) -> array[int]:
    """Have the conductor do calls of so many words each, here and by helpers; return their words.

    An interrupt is raised when all that was begun has ended: they write to plain addresses.
    """
    crew = _crew(helpers)
    work = array("q", (
        0, 0, 0, len(calls) // size, native.conductor_address(), 0, 0, 0, len(crew), size,
        *[pointer(helper.given) for helper in crew], *calls,
    ))  # fmt: skip
    failed: list[BaseException] = []
    led = False
    while not led or work[LEFT] != work[TAKEN]:
        try:
            if led:
                time.sleep(NAP)
                continue
            for helper in crew:
                helper.wake()
            native.sharing()(pointer(work), TURNS, True)
            led = True
        except BaseException as error:
            failed.append(error)
    _waiting.extend(crew)
    end()
    if failed:
        raise failed[0]
    return work[HELPERS + len(crew) :]
