"""A kernel: exact weights with a divisor and a bias, and what follows from them alone."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from imgconv.errors import KernelError, shortened

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Number = int | float

MAX_SIDE = 255
# Control characters, line ends and half characters, which a terminal or a file might not survive.
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
# Above this neither a float nor the 64-bit accumulators hold every whole number.
MAX_WHOLE = 2**53
# Beyond this (a divisor: below its reciprocal) sums and quotients might overflow a float.
MAX_REAL = 1e100


def exact_number(value: object, what: str) -> Number:
    """Return a plain int or float: a float that is whole becomes an int.

    Raises
    ------
    KernelError
        If the value is no real number (a boolean is none), not finite or a whole number over 2**53.
    """
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:  # a NumPy or torch scalar
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise KernelError(f"{what} is {_short(value)}, not a number")
    if isinstance(value, float):
        if not math.isfinite(value):
            raise KernelError(f"{what} is {value}, not a finite number")
        if abs(value) > MAX_REAL:
            raise KernelError(f"{what} is {value:g}, too large; the limit is {MAX_REAL:g}")
        return int(value) if value.is_integer() and abs(value) <= MAX_WHOLE else value
    if abs(value) > MAX_WHOLE:
        raise KernelError(f"{what} is a whole number beyond 2**53, too large to stay exact")
    return value


def _short(value: object) -> str:
    try:
        text = repr(value)
    except RecursionError:
        return f"a deeply nested {type(value).__name__}"
    return shortened(text, 40)


def _rows(weights: Any) -> tuple[tuple[Number, ...], ...]:
    """Check nested rows of numbers and return them as tuples of plain numbers."""
    if hasattr(weights, "tolist"):
        weights = weights.tolist()
    if not isinstance(weights, (list, tuple)):
        raise KernelError(
            f"weights are {_short(weights)}, not rows of numbers such as [[1, 0, -1]]"
        )
    if not weights:
        raise KernelError("weights are empty; give at least one row with one number")
    if len(weights) > MAX_SIDE:
        raise KernelError(f"weights have {len(weights)} rows; a side has at most {MAX_SIDE}")
    rows = []
    for y, row in enumerate(weights, 1):
        row = row.tolist() if hasattr(row, "tolist") else row
        if not isinstance(row, (list, tuple)):
            raise KernelError(
                f"row {y} of the weights is {_short(row)}, not a list of numbers; "
                "a single row is written [[1, 0, -1]]"
            )
        if not row:
            raise KernelError(f"row {y} of the weights is empty")
        if len(row) > MAX_SIDE:
            raise KernelError(f"row {y} has {len(row)} weights; a side has at most {MAX_SIDE}")
        if len(row) != len(weights[0]):
            raise KernelError(
                f"row {y} has {len(row)} weights where row 1 has {len(weights[0])}; "
                "all rows must be equally long"
            )
        rows.append(
            tuple(
                exact_number(w, f"the weight in row {y}, column {x}") for x, w in enumerate(row, 1)
            )
        )
    return tuple(rows)


@dataclass(frozen=True)
class Kernel:
    """A correlation kernel: response = sum(weights * samples) / divisor + bias.

    Parameters
    ----------
    weights : nested sequence or array of shape (KH, KW)
        Real numbers, at most 255 a side. Kept as tuples of exact int or float; whole floats
        become int.
    name : str, optional
        What the catalogue calls it.
    divisor : int or float, default 1
        Not 0.
    bias : int or float, default 0
        In units of the samples.
    summary, source : str, optional
        One line on what it does, and where its numbers come from.

    Raises
    ------
    KernelError
        If the weights are empty, ragged, too many, or not finite real numbers; if the divisor is 0.
    """

    weights: tuple[tuple[Number, ...], ...]
    name: str = field(default="", kw_only=True)
    divisor: Number = field(default=1, kw_only=True)
    bias: Number = field(default=0, kw_only=True)
    summary: str = field(default="", kw_only=True)
    source: str = field(default="", kw_only=True)

    if TYPE_CHECKING:  # anything that looks like rows of numbers is taken, see above

        def __init__(
            self,
            weights: Any,
            *,
            name: str = "",
            divisor: Any = 1,
            bias: Any = 0,
            summary: str = "",
            source: str = "",
        ) -> None: ...

    def __post_init__(self) -> None:
        for field_name in ("name", "summary", "source"):
            text = getattr(self, field_name)
            if not isinstance(text, str) or CONTROLS.search(text):
                raise KernelError(f"{field_name} is {_short(text)}, not one line of plain text")
        object.__setattr__(self, "weights", _rows(self.weights))
        object.__setattr__(self, "divisor", exact_number(self.divisor, "the divisor"))
        object.__setattr__(self, "bias", exact_number(self.bias, "the bias"))
        if self.divisor == 0:
            raise KernelError("the divisor is 0; give 1 where nothing is to be divided")
        if abs(self.divisor) < 1 / MAX_REAL:
            raise KernelError(f"the divisor is {self.divisor:g}, too small; give larger weights")

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any], name: str = "") -> Kernel:
        """Make a kernel of a mapping with this class's fields, as found in TOML and JSON.

        Raises
        ------
        KernelError
            If a field is unknown or missing, or has a value it cannot take.
        """
        known = ("weights", "name", "divisor", "bias", "summary", "source")
        for key in fields:
            if key not in known:
                raise KernelError(f"unknown key {_short(key)}; a kernel has {', '.join(known)}")
        if "weights" not in fields:
            raise KernelError("no weights; write them as rows, weights = [[1, 0, -1]]")
        return cls(**{"name": name, **fields})

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the weights."""
        return len(self.weights), len(self.weights[0])

    @property
    def sum(self) -> Number:
        """The sum of the weights, before the divisor."""
        return _total(w for row in self.weights for w in row)

    @property
    def gain(self) -> float:
        """What a flat image is multiplied by: sum / divisor."""
        return self.sum / self.divisor

    def response_range(self, low: float = 0, high: float = 255) -> tuple[float, float]:
        """Return the least and greatest response to samples between low and high."""
        flat = [w / self.divisor for row in self.weights for w in row]
        least = math.fsum(min(w * low, w * high) for w in flat)
        return least + self.bias, math.fsum(max(w * low, w * high) for w in flat) + self.bias

    def flipped(self) -> Kernel:
        """Return the kernel turned by 180 degrees, which makes a correlation a true convolution."""
        return replace(self, weights=tuple(row[::-1] for row in self.weights[::-1]))

    @property
    def array(self) -> npt.NDArray[np.float64]:
        """The weights as a float64 array of shape (KH, KW), before the divisor."""
        import numpy

        return numpy.array(self.weights, dtype=numpy.float64)


def _total(numbers: Any) -> Number:
    values = list(numbers)
    return sum(values) if all(isinstance(v, int) for v in values) else math.fsum(values)
