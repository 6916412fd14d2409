"""The matrices of G'MIC's `correlate`, read and written."""

from __future__ import annotations

import re

from imgconv.errors import KernelError
from imgconv.kernels.dialects.shared import effective, lines, refuse_bias, weight
from imgconv.kernels.kernel import Kernel

_MATRIX = re.compile(r"\((?P<rows>[^()]*)\)")


def of_text(text: str) -> Kernel | None:
    """Return the kernel of `(1,2,1;2,4,2;1,2,1)`; None for other texts.

    Raises
    ------
    KernelError
        If the matrix has several planes, or its rows are not those of a kernel.
    """
    match = _MATRIX.fullmatch(text)
    if not match:
        return None
    rows = match["rows"]
    if "^" in rows or "/" in rows:
        raise KernelError("one plane of G'MIC's matrix is taken, without ^ and /")
    return Kernel([[weight(w.strip()) for w in row.split(",")] for row in rows.split(";")])


def write(kernel: Kernel) -> str:
    """Return the matrix that `correlate` takes."""
    refuse_bias(kernel, "gmic")
    return f"({lines(effective(kernel), ',', ';')})"
