"""How weights are written as text: numbers, rows in place, JSON."""

from __future__ import annotations

import re
from typing import Any

from imgconv.errors import KernelError, shortened
from imgconv.kernels.kernel import Kernel
from imgconv.kernels.numbers import Number

# Digits are matched in one way, so that a long text that is no number is known in one pass.
NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_IN_PLACE = re.compile(
    rf"(?P<rows>{NUMBER}(?:[,;]{NUMBER})*)(?:/(?P<divisor>{NUMBER}))?(?:\+(?P<bias>{NUMBER}))?"
)


def number(text: str) -> Number:
    """Return the number of a text that NUMBER matches; a whole one stays whole.

    Raises
    ------
    KernelError
        If it has thousands of digits.
    """
    try:
        return int(text)
    except ValueError:
        if len(text) > 4000:  # Python converts no longer whole number
            raise KernelError(f"a number of {len(text)} digits; give it fewer") from None
        return float(text)


def in_place(text: str) -> Kernel | None:
    """Return the kernel of `ROW;ROW/DIVISOR+BIAS` without spaces; None for other texts.

    Raises
    ------
    KernelError
        If its rows or numbers are not those of a kernel.
    """
    match = _IN_PLACE.fullmatch(text)
    if not match:
        return None
    rows = [[number(n) for n in row.split(",")] for row in match["rows"].split(";")]
    return Kernel(rows, divisor=number(match["divisor"] or "1"), bias=number(match["bias"] or "0"))


def from_json(text: str) -> Kernel:
    """Return the kernel of JSON: nested lists, or an object with a kernel's fields.

    Raises
    ------
    KernelError
        If it is none.
    """
    import json

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        fields = dict(pairs)
        if len(fields) < len(pairs):
            raise KernelError("a key of the JSON object stands twice; keep one")
        return fields

    try:
        value = json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        if "integer string conversion" in reason:
            reason = "a number has too many digits"
        raise KernelError(f"kernel {shortened(text)!r} is not JSON: {reason}") from None
    return Kernel.from_fields(value) if isinstance(value, dict) else Kernel(value)
