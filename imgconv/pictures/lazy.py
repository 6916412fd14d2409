"""Sequences whose items are made when they are asked for: a frame takes memory, not all frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar, overload

T = TypeVar("T")
S = TypeVar("S")


class Lazy(Sequence[T]):
    """So many items, each made anew unless it was the last that was asked for."""

    def __init__(self, count: int, make: Callable[[int], T]) -> None:
        self._count, self._make = count, make
        self._last: tuple[int, T] | None = None

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        places = range(self._count)[index]
        if isinstance(places, range):
            return Lazy(len(places), lambda i: self[places[i]])
        if not self._last or self._last[0] != places:
            self._last = None  # before there are two
            self._last = places, self._make(places)
        return self._last[1]


def each(items: Sequence[T], change: Callable[[T], S]) -> Sequence[S]:
    """Return what becomes of each item when it is asked for; of a single one at once."""
    if len(items) == 1:
        return (change(items[0]),)
    return Lazy(len(items), lambda i: change(items[i]))
