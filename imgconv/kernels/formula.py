"""From `gaussian(sigma=2)` to its kernel: the arguments of a family, and what to know of it."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from imgconv.errors import KernelError, shortened
from imgconv.kernels.families import FAMILIES, TRUNCATE, WHOLE, Family
from imgconv.kernels.kernel import Kernel
from imgconv.kernels.numbers import MAX_REAL, Number
from imgconv.kernels.separable import Separable
from imgconv.light import NamedTuple

SPEC = re.compile(r"(?P<name>[a-z][a-z0-9-]*)\((?P<arguments>.*)\)", re.DOTALL)
SIDES = re.compile(r"(\d{1,9})x(\d{1,9})")  # rows and columns
TWO_SIDES = ("box", "gaussian", "unsharp")
GAUSSIANS = ("gaussian", "unsharp", "log", "dog")  # of which a size may cut something
NOTED = 0.01


class Member(NamedTuple):
    """A kernel of a family, its word in a file name, and what a user should know of it."""

    kernel: Kernel
    label: str
    note: str = ""


def of_family(text: str) -> Member | None:
    """Return the kernel of `name(key=value, ...)`; None for other texts.

    Raises
    ------
    KernelError
        If the family or a parameter is unknown, missing, or has a value that it cannot take.
    """
    match = SPEC.fullmatch(text)
    if not match:
        return None
    name = match["name"]
    if name not in FAMILIES:
        raise KernelError(
            f"no kernel family {shortened(name)!r}{_near(name, FAMILIES)}; "
            f"the families are {', '.join(FAMILIES)}"
        )
    family = FAMILIES[name]
    given = _arguments(name, family, match["arguments"])
    missing = [key for key in family.required if key not in given]
    if missing:
        raise KernelError(f"{name} needs {missing[0]}=; write it as {usage(name)}, in quotes")
    try:
        weights, divisor = family.make(**given)
        numbers = weights.numbers if isinstance(weights, Separable) else itertools.chain(*weights)
        if not all(abs(w) <= MAX_REAL for w in numbers):  # NaN is not either
            raise OverflowError
    except KernelError as error:
        raise KernelError(f"{shortened(text)}: {error}") from None
    except (ArithmeticError, ValueError):
        far = {k: abs(math.log(abs(v) or 1)) for k, v in given.items() if isinstance(v, float)}
        key = max(far, key=lambda k: far[k])
        raise KernelError(
            f"{shortened(text)}: {key}={given[key]:g} makes numbers beyond what doubles hold; "
            "choose one nearer to 1"
        ) from None
    rows = weights
    if not isinstance(weights, Separable):
        rows = [[_exact(w) for w in row] for row in weights]
    spelled = ", ".join(f"{key}={_spelled(value)}" for key, value in given.items())
    label = "-".join([name, *(f"{key}{_spelled(value)}" for key, value in given.items())])
    kernel = Kernel(
        rows, divisor=divisor, summary=f"{name}({spelled}): {family.summary}", source=family.source
    )
    return Member(kernel, label, _cut(name, given, weights))


def _cut(name: str, given: Mapping[str, Any], weights: Sequence[Sequence[Number]]) -> str:
    """A note where a size cuts more than a hundredth of the weight of a gaussian."""
    sigmas = [given[key] for key in ("sigma", "sigma1", "sigma2") if key in given]
    if "size" not in given or name not in GAUSSIANS:
        return ""
    sides = len(weights), len(weights[0])
    both = max(sigmas), given.get("sigma_x", max(sigmas))
    held = [math.erf(side / (2 * math.sqrt(2) * s)) for side, s in zip(sides, both, strict=True)]
    cut = 1 - math.prod(held)
    if cut <= NOTED:
        return ""
    whole = 2 * int(TRUNCATE * max(both) + 0.5) + 1
    return (
        f"{name}: size={_spelled(given['size'])} cuts {math.floor(100 * cut)} % of the weight of "
        f"the gaussian; size={whole} holds it"
    )


def usage(name: str) -> str:
    """Return how a family is written, with its defaults: `gaussian(sigma=, size=auto)`."""
    family = FAMILIES[name]
    parts = []
    for key, default in family.parameters.items():
        value = "" if key in family.required else "auto" if default is None else f"{default:g}"
        parts.append(f"{key}={value}")
    return f"{name}({', '.join(parts)})"


def _spelled(value: float | tuple[int, int]) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else f"{value:g}"


def _arguments(name: str, family: Family, text: str) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for part in text.split(",") if text.strip() else ():
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise KernelError(
                f"{name}: {shortened(part.strip())!r} is no key=value; write it as {usage(name)}"
            )
        if key not in family.parameters:
            raise KernelError(
                f"{name} has no {shortened(key)!r}{_near(key, family.parameters)}; "
                f"write it as {usage(name)}"
            )
        if key in given:
            raise KernelError(f"{name}: {key} stands twice; give it once")
        if key == "size" and name in TWO_SIDES and (sides := SIDES.fullmatch(value)):
            given[key] = int(sides[1]), int(sides[2])
            continue
        try:
            given[key] = float(value)
        except ValueError:
            raise KernelError(f"{name}: {key}={shortened(value)} is not a number") from None
        if not math.isfinite(given[key]):
            raise KernelError(f"{name}: {key}={shortened(value)} is not a finite number")
    return given


def _near(word: str, words: Iterable[str]) -> str:
    import difflib

    close = difflib.get_close_matches(word[:60], words, 1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def _exact(weight: float) -> Number:
    """The whole number that a weight is but for the rounding of a cosine, else the weight."""
    return round(weight) if abs(weight - round(weight)) < WHOLE else weight
