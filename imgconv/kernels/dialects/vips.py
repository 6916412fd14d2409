"""The matrices that `vips conv` reads (.mat)."""

from __future__ import annotations

from imgconv.errors import KernelError
from imgconv.kernels.dialects.shared import lines, numbers
from imgconv.kernels.kernel import Kernel


def read(text: str) -> Kernel:
    """Return the kernel of a .mat file: width, height, scale and offset, then the rows.

    Raises
    ------
    KernelError, ValueError
        If it is none.
    """
    head, *rows = [line for line in text.splitlines() if line.strip()] or [""]
    first = numbers(head)
    if len(first) not in (2, 4):
        raise KernelError("the first line of a .mat file is: width height [scale offset]")
    width, height, divisor, bias = (*first, 1, 0)[:4]
    weights = [numbers(row) for row in rows]
    if len(weights) != height or any(len(row) != width for row in weights):
        raise KernelError(f"the first line says {width}x{height}, and other numbers follow")
    return Kernel(weights, divisor=divisor, bias=bias)


def write(kernel: Kernel) -> str:
    """Return what `vips conv` reads from a .mat file; it correlates, too."""
    rows, columns = kernel.size
    head = f"{columns} {rows} {kernel.divisor!r} {kernel.bias!r}"
    return head + "\n" + lines([list(row) for row in kernel.weights], " ", "\n")
