"""What gives each output of a step: the plans of its kernels, and how they are joined."""

from __future__ import annotations

import functools
from typing import NamedTuple

from imgconv.engine.levels import MAXIMUM, Rule
from imgconv.engine.passes import DIVISOR, Plan
from imgconv.engine.plan import IDENTITY, TOTALS, make_plan
from imgconv.errors import KernelError
from imgconv.kernels.kernel import Kernel, Number
from imgconv.kernels.recipes import Combined

# Below this a float32 tells whole numbers apart.
EXACT = 1 << 24


class Join(NamedTuple):
    """How responses are put together, and become samples (see `core.join`).

    `source` is the kind of the responses, `kind` that in which they are put together.
    """

    how: str
    source: str
    kind: str
    factors: tuple[float, float]
    scalars: tuple[Number, ...]
    rounding: str


class Layer(NamedTuple):
    """The outputs of a step, each with one plan, or with those of several kernels to be joined.

    `reads` are the channels that each output adds up; empty, each channel is an output by itself.
    """

    outputs: tuple[tuple[Plan, ...], ...]
    reads: tuple[tuple[int, ...], ...] = ()
    join: Join | None = None

    @property
    def plans(self) -> list[Plan]:
        """All plans."""
        return [plan for plans in self.outputs for plan in plans]

    @property
    def taps(self) -> int:
        """How many multiplications the samples of an output pixel cost; a join is like six."""
        return sum(plan.taps for plan in self.plans) + 6 * len(self.outputs) * bool(self.join)

    @property
    def transformed(self) -> bool:
        """Whether Fourier transforms are used."""
        return any(plan.transform for plan in self.plans)


@functools.lru_cache(maxsize=64)  # a batch asks for the same one again and again
def make_layer(
    step: Kernel | Combined,
    sample: str,
    result: str,
    channels: tuple[int, ...],
    rule: Rule = IDENTITY,
    magnitude: float = 0,
    outputs: int = 0,
) -> Layer:
    """Choose how to compute a step on samples of a kind, with the rule of the levels folded in.

    Parameters
    ----------
    step : Kernel or Combined
    sample, result, rule, magnitude, outputs
        As `make_plan` takes them.
    channels : tuple of int
        Where in a pixel in memory the channels are that kernels may add up.

    Raises
    ------
    KernelError
        If a kernel is for another number of channels, or too large for exact arithmetic.
    """
    if isinstance(step, Kernel):
        reads = _reads(step, channels)
        if reads:
            outputs = 0  # sums over channels are not transformed
        plans = [make_plan(k, sample, result, rule, magnitude, outputs) for k in step.outputs]
        return Layer(tuple((plan,) for plan in plans), reads)
    reads = _reads(step.kernels[0], channels)
    if any(_reads(kernel, channels) != reads for kernel in step.kernels):
        raise KernelError("kernels that are combined must have the same outputs of the same inputs")
    kind = _kind(step, sample, result, magnitude)
    several = list(zip(*(kernel.outputs for kernel in step.kernels), strict=True))

    def planned(responses: str) -> list[tuple[Plan, ...]]:
        return [
            tuple(make_plan(k, sample, responses, magnitude=magnitude) for k in kernels)
            for kernels in several
        ]

    joined = planned(TOTALS)
    divisor = _divisor(step, joined, kind)
    if not divisor:
        joined, divisor = planned(kind), 1
    source = joined[0][0].last.result
    return Layer(tuple(joined), reads, _join(step, source, kind, result, rule, divisor))


def _divisor(step: Combined, plans: list[tuple[Plan, ...]], kind: str) -> int:
    """What all totals are to be divided by, if they may stand for responses; else 0.

    As int16 they take half the memory of float32; what divides them goes into the factors.
    """
    lasts = [plan.last for several in plans for plan in several]
    divisors = {last.scalars[DIVISOR] for last in lasts}
    short = all(last.result == "int16" for last in lasts)
    if not short or kind != "float32" or len(divisors) > 1:
        return 0
    divisor = int(divisors.pop())
    return divisor if step.how == "magnitude" or divisor == 1 else 0


def _reads(kernel: Kernel, channels: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(channels[i] for i in read) for read in kernel.reads(len(channels)))


def _kind(step: Combined, sample: str, result: str, magnitude: float) -> str:
    """float32 where its rounding cannot be seen in pixels, else float64."""
    if result.startswith("float") or sample == "float64":
        return "float64"
    span = magnitude or MAXIMUM[sample]
    reach = max(max(map(abs, k.response_range(-span, span))) for k in step.kernels)
    if step.how == "magnitude":
        return "float32" if reach * (len(step.kernels) + 20) * 2**-22 < 0.1 else "float64"
    whole = not sample.startswith("float") and all(map(_is_whole, step.kernels))
    return "float32" if whole and reach * len(step.kernels) < EXACT else "float64"


def _is_whole(kernel: Kernel) -> bool:
    """Whether all responses to whole samples are whole."""
    numbers = [kernel.divisor == 1]
    for output in kernel.outputs:
        numbers += [isinstance(n, int) for row in output.weights for n in row]
        numbers.append(isinstance(output.bias, int))
    return all(numbers)


def _join(step: Combined, source: str, kind: str, result: str, rule: Rule, divisor: int) -> Join:
    parts = len(step.kernels) if step.how == "mean" else 1
    factors = float(rule.scale / divisor / parts), float(rule.shift)
    rounding = "real"
    if result.startswith("float"):
        rounding = "response" if rule.absolute else "whole"
    scalars = (0, -1 if rule.absolute else 1, MAXIMUM[result], 0, 0, 0, 1, 0)
    return Join(step.how, source, kind, factors, scalars, rounding)
