"""How a kernel is computed on a kind of sample: its taps, accumulators, passes and rounding."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from imgconv.engine import whole
from imgconv.engine.levels import MAXIMUM, Rule, ratio
from imgconv.engine.sums import Asked, Plan
from imgconv.errors import KernelError
from imgconv.kernels.kernel import Kernel
from imgconv.kernels.numbers import Number
from imgconv.kernels.separable import Separable

IDENTITY = Rule(1, 0, False)


@functools.lru_cache(maxsize=64)  # a batch asks for the same one again and again
def make_plan(
    kernel: Kernel,
    sample: str,
    result: str,
    rule: Rule = IDENTITY,
    magnitude: float = 0,
    outputs: int = 0,
) -> Plan:
    """Choose how to compute a kernel on samples of a kind, with the rule of the levels folded in.

    `sample` and `result` are the kinds that are read and written; a float result is the unrounded
    response. `magnitude` is the greatest absolute value of float samples, where it is known, and
    `outputs` how many samples come out, where neither stride nor dilation hides that.

    Raises
    ------
    KernelError
        If an integer kernel is too large for exact 64-bit arithmetic.
    """
    assert len(kernel.shape) == 2, kernel.shape
    assert not isinstance(kernel.bias, tuple)
    scale = ratio(rule.scale, kernel.divisor)
    bias = ratio(kernel.bias) * rule.scale + rule.shift
    asked = Asked(sample, result, -1 if rule.absolute else 1, kernel.size)
    weights, span = kernel.weights, magnitude or MAXIMUM[sample]
    if not sample.startswith("float"):
        plan = None
        if isinstance(weights, Separable):  # of a side over 255; shorter ones are taken apart below
            if all(isinstance(n, int) for n in weights.numbers):
                plan = whole.long_plan(list(weights.products), scale, bias, asked)
        elif is_short(kernel):
            factors = [[ratio(w) * scale for w in row] for row in weights]
            plan = whole.whole_plan(factors, bias, asked)
        if plan:
            return plan
        if is_whole(kernel):
            raise KernelError(
                f"the whole weights of kernel {kernel.name or 'custom'!r} are too large for exact "
                "64-bit arithmetic; divide weights and divisor by a common number"
            )
    from imgconv.engine import real

    factor = float(scale)
    if isinstance(weights, Separable):
        return real.long_plan(list(weights.products), factor, float(bias), span, asked)
    reals = [[w * factor for w in row] for row in weights]
    if sample == result == "uint8":
        from imgconv.engine.fixed import fixed_plan

        fixed = fixed_plan(reals, float(bias), asked.sign, asked.size)
        if fixed:
            return fixed
    return real.real_plan(reals, float(bias), span, asked, outputs)


def is_whole(kernel: Kernel) -> bool:
    """Whether all its numbers are whole, so that on whole samples it is computed exactly."""
    return all(isinstance(n, int) for n in (kernel.divisor, kernel.bias, *_numbers(kernel)))


def is_short(kernel: Kernel) -> bool:
    """Whether the weights may be whole numbers of some small unit, as 0.25 is and 0.1 is not."""
    return all(w.as_integer_ratio()[1] < 1 << 31 for w in _numbers(kernel))


def _numbers(kernel: Kernel) -> Iterator[Number]:
    weights = kernel.weights
    return weights.numbers if isinstance(weights, Separable) else (w for r in weights for w in r)
