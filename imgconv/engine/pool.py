"""Threads that do one thing after another; where none is to be had, who waits does it.

Python's own pool raises where the system gives no more threads, and waits for ever where one has
died for want of memory.
"""

from __future__ import annotations

import time
from _thread import allocate_lock, start_new_thread
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Generic, TypeVar

try:  # without what `queue` loads beside it, at the start of each large picture
    from _queue import Empty, SimpleQueue
except ImportError:
    from queue import Empty, SimpleQueue

__all__ = ["Empty", "Pending", "Pool", "Queue", "SimpleQueue"]
LOOK = 0.2  # seconds after which who waits looks whether anybody is at work
T = TypeVar("T")


class Pending(Generic[T]):
    """What is to be done, and what has come of it when it is done."""

    def __init__(self, do: Callable[..., T], arguments: tuple[object, ...], pool: Pool) -> None:
        self.do, self.arguments, self._pool = do, arguments, pool
        self.found: list[T] = []
        self.error: BaseException | None = None
        self.done = allocate_lock()
        self.done.acquire()

    @property
    def is_done(self) -> bool:
        """Whether anything has come of it."""
        return not self.done.locked()

    def result(self) -> T:
        """Return what has come of it, or raise what was raised."""
        while not self.done.acquire(timeout=LOOK):
            self._pool.help_out()
        self.done.release()
        if self.error:
            raise self.error
        return self.found[0]


class Pool:
    """As many threads as are wanted, or fewer; used as a context, it ends with them."""

    def __init__(self, threads: int) -> None:
        self._todo: SimpleQueue[Pending[Any] | None] = SimpleQueue()
        self._serving: deque[bool] = deque()
        self.size = 0
        while self.size < threads:
            try:
                start_new_thread(self._serve, ())
            except RuntimeError:
                break
            self.size += 1

    def submit(self, do: Callable[..., T], *arguments: object) -> Pending[T]:
        """Have it done after what was submitted before."""
        pending = Pending(do, arguments, self)
        self._todo.put(pending)
        return pending

    def map(self, do: Callable[..., T], each: Iterable[object]) -> Iterator[T]:
        """Yield what comes of each, in order."""
        begun = [self.submit(do, one) for one in each]
        return (pending.result() for pending in begun)

    def help_out(self) -> None:
        """Do the next thing here if no thread serves."""
        if not self._serving:
            self.help()

    def help(self) -> bool:
        """Do the next thing here; return whether there was one."""
        return self._next(block=False)

    def shutdown(self, *, wait: bool = True) -> None:
        """Begin nothing more, and wait for what was begun."""
        try:
            while True:
                self._todo.get_nowait()
        except Empty:
            pass
        for _ in range(self.size):
            self._todo.put(None)
        while wait and self._serving:
            time.sleep(0.001)

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End; where all is given up, as at an interrupt, nobody waits for what was begun."""
        self.shutdown(wait=kind is None or issubclass(kind, Exception))

    def _serve(self) -> None:
        self._serving.append(True)
        try:
            while self._next(block=True):
                pass
        except MemoryError:  # others serve, or who waits
            pass
        finally:
            self._serving.pop()

    def _next(self, *, block: bool) -> bool:
        """Do the next thing; return whether there was one."""
        try:
            pending = self._todo.get(block)
        except Empty:
            return False
        if not pending:
            return False
        try:
            pending.found.append(pending.do(*pending.arguments))
        except BaseException as error:
            pending.error = error
        finally:
            pending.done.release()
        return True


class Queue(Generic[T]):
    """What a pool does, taken in the order in which it was added; who adds too much helps."""

    def __init__(self, pool: Pool, take: Callable[[T], object], most: int) -> None:
        self._pool, self._take, self._most = pool, take, most
        self._pending: deque[Pending[T]] = deque()

    def add(self, do: Callable[..., T], *arguments: object) -> None:
        """Have it done; no more than the most are left to be taken."""
        self._pending.append(self._pool.submit(do, *arguments))
        self._taken(self._most)

    def finish(self) -> None:
        """Take all that is left."""
        self._taken(0)

    def _taken(self, most: int) -> None:
        """Take what is there, until no more than so many are left."""
        pending = self._pending
        while pending and (pending[0].is_done or len(pending) > most):
            if pending[0].is_done or not self._pool.help():
                self._take(pending.popleft().result())
