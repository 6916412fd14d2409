"""Weights that are columns times rows and are kept as these, so that a side may be long."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

from imgconv.errors import KernelError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Number = int | float
Product = tuple[tuple[Number, ...], tuple[Number, ...]]

MAX_LONG = 4095


class Separable(Sequence[tuple[Number, ...]]):
    """Rows of weights: sums of one or two columns times rows, each made when it is asked for.

    Parameters
    ----------
    products : iterable of (column, row)
        Finite numbers; all columns equally long, and all rows, at most 4095 each.

    Raises
    ------
    KernelError
        If a side is too long.
    """

    def __init__(self, products: Iterable[tuple[Sequence[Number], Sequence[Number]]]) -> None:
        self.products: tuple[Product, ...] = tuple((tuple(c), tuple(r)) for c, r in products)
        for side in self.shape:
            if side > MAX_LONG:
                raise KernelError(f"weights have a side of {side}; the most is {MAX_LONG}")

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.products[0][0]), len(self.products[0][1])

    def __len__(self) -> int:
        return self.shape[0]

    @overload
    def __getitem__(self, y: int) -> tuple[Number, ...]: ...
    @overload
    def __getitem__(self, y: slice) -> tuple[tuple[Number, ...], ...]: ...
    def __getitem__(self, y: int | slice) -> Any:
        if isinstance(y, slice):
            return tuple(self[i] for i in range(*y.indices(len(self))))
        rows = [[column[y] * w for w in row] for column, row in self.products]
        return tuple(map(sum, zip(*rows, strict=True))) if len(rows) > 1 else tuple(rows[0])

    def __iter__(self) -> Iterator[tuple[Number, ...]]:
        return map(self.__getitem__, range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Separable) and self.products == other.products

    def __hash__(self) -> int:
        return hash(self.products)

    def __repr__(self) -> str:
        return f"Separable({self.products!r})"

    @property
    def numbers(self) -> Iterator[Number]:
        """All numbers that the weights are made of."""
        return itertools.chain.from_iterable(itertools.chain(*self.products))

    def each(self, change: Callable[[Number], Number]) -> Separable:
        """Return them with each weight changed by a factor."""
        return Separable((tuple(map(change, column)), row) for column, row in self.products)

    def turned(self) -> Separable:
        """Return them turned by 180 degrees."""
        return Separable((column[::-1], row[::-1]) for column, row in self.products)

    @property
    def total(self) -> Number:
        """Their sum."""
        return sum(sum(column) * sum(row) for column, row in self.products)

    def signs(self) -> tuple[float, float]:
        """Return the sums of the negative and of the positive weights."""
        weights = self.array()
        return float(weights[weights < 0].sum()), float(weights[weights > 0].sum())

    def array(self) -> npt.NDArray[np.float64]:
        """Return all of them."""
        import numpy

        made: npt.NDArray[np.float64] = sum(
            (numpy.outer(column, row).astype(numpy.float64) for column, row in self.products),
            numpy.zeros(self.shape),
        )
        return made
