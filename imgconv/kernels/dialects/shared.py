"""What the dialects share: numbers in texts, effective weights, what a form has no place for."""

from __future__ import annotations

import re
from collections.abc import Callable

from imgconv.errors import KernelError, shortened
from imgconv.kernels.kernel import Kernel
from imgconv.kernels.notation import NUMBER, number
from imgconv.kernels.numbers import MAX_SIDE, Number

SEPARATORS = re.compile(r"[\s,;]+")


def numbers(line: str) -> list[Number]:
    """Return the numbers of a line of a file, between spaces, commas or semicolons.

    Raises
    ------
    KernelError
        If a word is none.
    """
    words = [word for word in SEPARATORS.split(line.strip()) if word]
    if len(words) > MAX_SIDE:
        raise KernelError(f"a row has {len(words)} weights; a side has at most {MAX_SIDE}")
    return [_number(word) for word in words]


def _number(text: str) -> Number:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise KernelError(f"{shortened(text, 30)!r} is no number; write 1 or -0.5") from None


def weight(word: str) -> Number:
    """Return a weight of a text that was pasted.

    Raises
    ------
    KernelError
        If it is missing, or no number.
    """
    if not word:
        raise KernelError("a weight is missing; write 0 where there is none")
    if not re.fullmatch(NUMBER, word):
        raise KernelError(f"{shortened(word, 30)!r} is no number; weights are as 1 or -0.5")
    return number(word)


def effective(kernel: Kernel) -> list[list[Number]]:
    """Return the weights over the divisor: whole numbers where it goes into them."""

    def over(weight: Number) -> Number:
        found = weight / kernel.divisor
        return int(found) if found.is_integer() and abs(found) < 2**53 else found

    return [[over(w) for w in row] for row in kernel.weights]


def lines(rows: list[list[Number]], between: str, after: str) -> str:
    """Return rows of numbers, with something between numbers and something after each row."""
    return after.join(between.join(map(repr, row)) for row in rows)


def refuse_bias(kernel: Kernel, name: str) -> None:
    """Raise an error for a bias, for which a form has no place."""
    if kernel.bias:
        raise KernelError(f"{name} has no place for a bias of {kernel.bias}; leave it out, or toml")


def of_one_channel(name: str, write: Callable[[Kernel], str]) -> Callable[[Kernel], str]:
    """Return what writes kernels for each channel by itself, and refuses others."""

    def checked(kernel: Kernel) -> str:
        if len(kernel.shape) > 2:
            raise KernelError(
                f"{name} has no kernels over channels; choose torch, numpy, json or toml"
            )
        return write(kernel)

    return checked
