"""Kernels that work together under one name: `sobel` is the magnitude of two gradients."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from imgconv.errors import KernelError, shortened
from imgconv.light import NamedTuple

if TYPE_CHECKING:
    from imgconv.kernels.kernel import Kernel
    from imgconv.kernels.numbers import Number

COMBINE = ("magnitude", "max", "min", "mean", "sum")
KEYS = ("combine", "kernels", "summary", "source")


class Combined(NamedTuple):
    """Kernels whose responses to the same picture are put together."""

    how: str
    kernels: tuple[Kernel, ...]

    def response_range(self, low: float = 0, high: float = 255) -> tuple[float, float]:
        """Return bounds of the combined response to samples between low and high."""
        lows, highs = zip(*(k.response_range(low, high) for k in self.kernels), strict=True)
        if self.how == "magnitude":
            return 0.0, math.hypot(*(max(abs(a), abs(b)) for a, b in zip(lows, highs, strict=True)))
        if self.how in ("max", "min"):
            choose = max if self.how == "max" else min
            return choose(lows), choose(highs)
        parts = len(lows) if self.how == "mean" else 1
        return sum(lows) / parts, sum(highs) / parts

    def flipped(self) -> Combined:
        """Return it with each kernel turned by 180 degrees."""
        return self._replace(kernels=tuple(k.flipped() for k in self.kernels))


def combined(how: str, kernels: tuple[Kernel, ...]) -> Kernel | Combined:
    """Return what gives the combined responses: for sums and means of one shape a single kernel."""
    from imgconv.kernels.kernel import Kernel
    from imgconv.kernels.separable import Separable

    several = Combined(how, kernels)
    if any(isinstance(k.weights, Separable) for k in kernels):
        return several
    whole = all(isinstance(w, int) for k in kernels for w in (k.divisor, *_numbers(k)))
    if how not in ("sum", "mean") or not whole or len({k.shape for k in kernels}) > 1:
        return several
    divisor = math.lcm(*(int(k.divisor) for k in kernels))
    times = [divisor // k.divisor for k in kernels]
    bias = [sum(column) for column in zip(*map(_biases, kernels), strict=True)]
    parts = len(kernels) if how == "mean" else 1
    try:
        return Kernel(
            _sum([k.weights for k in kernels], times),
            divisor=divisor * parts,
            bias=[b / parts for b in bias] if len(bias) > 1 else bias[0] / parts,
        )
    except KernelError:  # the numbers have become too large
        return several


def _biases(kernel: Kernel) -> list[Number]:
    return [b for output in kernel.outputs for b in (output.bias,) if not isinstance(b, tuple)]


def _numbers(kernel: Kernel) -> list[Number]:
    return [w for output in kernel.outputs for row in output.weights for w in row]


def _sum(weights: list[Any], times: list[Number]) -> Any:
    """Weights of one shape, each set multiplied, added up."""
    if isinstance(weights[0], tuple):
        return [_sum(list(parts), times) for parts in zip(*weights, strict=True)]
    return sum(w * t for w, t in zip(weights, times, strict=True))


class Recipe(NamedTuple):
    """The specifications of kernels, and how they are combined, as a catalogue holds them."""

    name: str
    combine: str
    kernels: tuple[str, ...]
    summary: str
    source: str
    family: str


def is_recipe(fields: Any) -> bool:
    """Whether a table of a catalogue is a recipe rather than a kernel."""
    return isinstance(fields, dict) and "combine" in fields


def recipe_of(name: str, fields: dict[str, Any], family: str) -> Recipe:
    """Return the recipe of a table.

    Raises
    ------
    KernelError
        If a field is unknown, missing or of a wrong kind.
    """
    for key in fields:
        if key not in KEYS:
            raise KernelError(f"unknown key {shortened(key)!r}; a recipe has {', '.join(KEYS)}")
    how, kernels = fields["combine"], fields.get("kernels")
    if how not in COMBINE:
        raise KernelError(f"combine is {shortened(repr(how))}; choose from {', '.join(COMBINE)}")
    if not isinstance(kernels, list) or not kernels or not all(isinstance(k, str) for k in kernels):
        raise KernelError('kernels is no list of names, as kernels = ["sobel-right", "sobel-top"]')
    summary, source = fields.get("summary", ""), fields.get("source", "")
    if not all(isinstance(text, str) and text.isprintable() for text in (summary, source)):
        raise KernelError("summary and source are lines of plain text")
    return Recipe(name, how, tuple(kernels), summary, source, family)
