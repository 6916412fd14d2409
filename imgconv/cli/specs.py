"""From --kernel, --catalog, --scale, --bias, --flip and --combine to kernels."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from imgconv.errors import OptionError
from imgconv.kernels.recipes import COMBINE, Combined, combined

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from imgconv.kernels.catalog import Catalog
    from imgconv.kernels.kernel import Kernel


def catalogue(extra: list[str] | None, *, quiet: bool = False) -> Catalog:
    """Return the shipped catalogue, the user's own and those of --catalog."""
    from imgconv.kernels.catalog import open_catalog
    from imgconv.light import Path

    def warn(text: str) -> None:
        from imgconv.runs.report import Report

        Report(quiet=quiet).note(text)

    return open_catalog([Path(path) for path in extra or ()], warn)


def put_together(
    kernels: Sequence[Kernel | Combined], combine: str
) -> tuple[Kernel | Combined, ...]:
    """Return the steps of a chain: all kernels one after the other, or put together as one."""
    if combine == "chain":
        return tuple(kernels)
    if combine not in COMBINE:
        raise OptionError(f"no combine {combine!r}; choose from chain, {', '.join(COMBINE)}")
    single = [k for k in kernels if not isinstance(k, Combined)]
    if len(single) < len(kernels):
        raise OptionError("a recipe combines by itself; --combine is for single kernels")
    return (combined(combine, tuple(single)),)


def adjusted(
    kernel: Kernel | Combined, scale: str | None, bias: str | None, count: int
) -> Kernel | Combined:
    """Return the kernel with --scale for its 1/divisor and --bias for its bias, both exact."""
    if scale is None and bias is None:
        return kernel
    if count > 1 or isinstance(kernel, Combined):
        raise OptionError("--scale and --bias are for one kernel; give each kernel its own")

    if scale is not None:
        kernel = _scaled(kernel, _fraction("--scale", scale))
    if bias is not None:
        exact = _fraction("--bias", bias)
        kernel = kernel._replace(bias=exact.numerator / exact.denominator)
    return kernel


def _scaled(kernel: Kernel, factor: Fraction) -> Kernel:
    """The kernel with a factor for its 1/divisor, exact unless it is no short decimal."""
    if max(abs(factor.numerator), factor.denominator) <= 10**9:
        times, divisor = factor.numerator, factor.denominator
        return kernel.with_weights(lambda w: w * times)._replace(divisor=divisor)
    return kernel.with_weights(lambda w: float(w * factor))._replace(divisor=1)


def _fraction(option: str, text: str) -> Fraction:
    """A number such as 0.25 or 1/9, exactly."""
    from fractions import Fraction

    try:
        if all(_is_moderate(part) for part in text.split("/")):
            return Fraction(text)
    except (ValueError, ZeroDivisionError):
        pass
    raise OptionError(f"{option} {text[:40]!r} is not a number such as 0.25 or 1/9")


def _is_moderate(text: str) -> bool:
    """Whether a decimal is 0 or of a size that a fraction of whole numbers can hold in no time."""
    zero = not re.search("[1-9]", text.lower().partition("e")[0])
    return 1e-50 < abs(float(text)) < 1e50 or (zero and float(text) == 0)
