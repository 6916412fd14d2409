"""The rule from a signed response to a pixel, for the compiled parts as for whole arrays."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeAlias

from imgconv.errors import OptionError
from imgconv.light import NamedTuple

if TYPE_CHECKING:
    from fractions import Fraction

Exact: TypeAlias = "int | Fraction"
Ends: TypeAlias = tuple[Exact, Exact]  # the responses that a stretch spans

NOTHING: Ends = (0, 0)
LEVELS = ("clip", "abs", "offset", "stretch")
NONE = "none"  # the responses themselves, as float32
SAMPLES = ("uint8", "uint16", "float32")
MAXIMUM = {"uint8": 255, "uint16": 65535, "float32": 1, "float64": 1}


class Rule(NamedTuple):
    """pixel = round(scale * response + shift), of the response's absolute value if so told.

    The factors are exact, so that the core can fold them into an integer kernel.
    """

    scale: Exact
    shift: Exact
    absolute: bool


def ratio(number: Exact | float, divisor: Exact | float = 1) -> Exact:
    """Return an exact quotient: whole where it is, since fractions take time to be loaded."""
    if isinstance(number, int) and isinstance(divisor, int) and not number % divisor:
        return number // divisor
    from fractions import Fraction

    return Fraction(number) / Fraction(divisor)


def rule(levels: str, sample: str, ends: Ends = NOTHING) -> Rule:
    """Return the rule for a kind of sample; ends are the responses that stretch spans.

    Raises
    ------
    OptionError
        If the name of the levels is unknown.
    """
    maximum = MAXIMUM[sample]
    if levels == "offset":
        return Rule(ratio(1, 2), ratio(1 if sample == "float32" else maximum + 1, 2), False)
    if levels == "stretch":
        low, high = ends
        if high <= low:
            return Rule(0, 0, False)
        scale = ratio(maximum, high - low)
        return Rule(scale, -scale * low, False)
    if levels not in LEVELS:
        raise OptionError(f"no levels {levels!r}; choose from {', '.join(LEVELS)}")
    return Rule(1, 0, levels == "abs")


def outermost(each: Iterable[Ends | None]) -> Ends | None:
    """Return the ends of several parts taken together, if any has some."""
    found = [ends for ends in each if ends]
    return (min(low for low, _ in found), max(high for _, high in found)) if found else None
