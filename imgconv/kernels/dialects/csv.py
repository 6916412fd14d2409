"""Rows of numbers (.csv), as any table has them."""

from __future__ import annotations

from imgconv.kernels.dialects.shared import effective, lines, numbers, refuse_bias
from imgconv.kernels.kernel import Kernel


def read(text: str) -> Kernel:
    """Return the kernel of rows of numbers.

    Raises
    ------
    KernelError
        If it is none.
    """
    return Kernel([numbers(line) for line in text.splitlines() if line.strip()])


def write(kernel: Kernel) -> str:
    """Return effective weights, a row a line.

    Raises
    ------
    KernelError
        If there is a bias, for which it has no place.
    """
    refuse_bias(kernel, "csv")
    return lines(effective(kernel), ",", "\n")
