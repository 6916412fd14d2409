"""Kernels by formula: `gaussian(sigma=2)` and its like. Angles in degrees, counter-clockwise."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from imgconv.errors import KernelError, shortened
from imgconv.kernels.kernel import MAX_SIDE, Kernel, Number

SPEC = re.compile(r"(?P<name>[a-z][a-z0-9-]*)\((?P<arguments>.*)\)", re.DOTALL)
TRUNCATE = 4.0  # a gaussian is cut off at so many sigma, as SciPy does
MAX_BINOMIAL = 26  # the sum of a larger one is beyond 2**50
WHOLE = 1e-12  # what a cosine of 90 degrees is off

Weights = list[list[float]]


class Made(NamedTuple):
    """What a formula gives: weights and their divisor."""

    weights: Sequence[Sequence[Number]]
    divisor: Number = 1


class Family(NamedTuple):
    """A formula, and what there is to know of it. Parameters are those of the function."""

    make: Callable[..., Made]
    summary: str
    source: str

    @property
    def parameters(self) -> dict[str, float | None]:
        """Names and defaults; None where there is none or it follows from the others."""
        signature = inspect.signature(self.make).parameters.values()
        return {p.name: None if p.default is p.empty else p.default for p in signature}

    @property
    def required(self) -> list[str]:
        """The parameters that have to be given."""
        signature = inspect.signature(self.make).parameters.values()
        return [p.name for p in signature if p.default is p.empty]


def gaussian(sigma: float, size: float | None = None) -> Made:
    """Bell of a standard deviation, of weights that add up to 1."""
    row = _bell(_positive("sigma", sigma), _size_for(sigma, size))
    return Made(_outer(row, row))


def box(size: float) -> Made:
    """Equal weights."""
    side = _side("size", size)
    return Made([[1] * side for _ in range(side)], side * side)


def binomial(size: float) -> Made:
    """Rows of Pascal's triangle, the whole-number gaussian."""
    side = _side("size", size, MAX_BINOMIAL)
    row = [math.comb(side - 1, i) for i in range(side)]
    return Made([[a * b for b in row] for a in row], 4 ** (side - 1))


def disk(radius: float) -> Made:
    """Equal weights within a radius."""
    reach = int(_positive("radius", radius))
    _side("radius", 2 * reach + 1)
    span = range(-reach, reach + 1)
    rows = [[int(x * x + y * y <= radius * radius) for x in span] for y in span]
    return Made(rows, sum(map(sum, rows)))


def motion(length: float, angle: float = 0) -> Made:
    """Line of pixels, as a camera that moves while it looks; its ends fade."""
    half = (_positive("length", length) - 1) / 2
    if half < 0:
        raise KernelError(f"length={length:g} is less than 1 pixel")
    cosine, sine = _direction(angle)
    across, down = math.ceil(half * abs(cosine) - WHOLE), math.ceil(half * abs(sine) - WHOLE)
    _side("length", 2 * max(across, down) + 3)

    def weight(x: int, y: int) -> float:
        along = x * cosine - y * sine
        beyond = max(abs(along) - half, 0.0)
        return max(1 - math.hypot(x * sine + y * cosine, beyond), 0.0)

    rows = [
        [weight(x, y) for x in range(-across - 1, across + 2)] for y in range(-down - 1, down + 2)
    ]
    return Made(_normal(_trimmed(rows)))


def log(sigma: float, size: float | None = None) -> Made:
    """Laplacian of a gaussian: edges and blobs of one size; the weights add up to 0."""
    side = _size_for(_positive("sigma", sigma), size)
    row = _bell(sigma, side)
    second = [
        g * (x * x / sigma**4 - 1 / sigma**2) for g, x in zip(row, _places(side), strict=True)
    ]
    both = _added(_outer(second, row), _outer(row, second))
    mean = math.fsum(map(math.fsum, both)) / side**2
    return Made([[w - mean for w in r] for r in both])


def dog(sigma1: float, sigma2: float, size: float | None = None) -> Made:
    """Difference of two gaussians, the first minus the second: a band of sizes."""
    side = _size_for(max(_positive("sigma1", sigma1), _positive("sigma2", sigma2)), size)
    first, second = (_bell(sigma, side) for sigma in (sigma1, sigma2))
    return Made(_added(_outer(first, first), _outer(second, second), -1))


def sobel(size: float = 3, angle: float = 0) -> Made:
    """Gradient of any odd size, positive where it gets brighter towards the angle."""
    side = _side("size", size, MAX_BINOMIAL - 1)
    if side < 3 or side % 2 == 0:
        raise KernelError(f"size={side} of sobel must be odd and at least 3")
    smooth = [math.comb(side - 1, i) for i in range(side)]
    inner = [math.comb(side - 3, i) for i in range(side - 2)]
    slope = [b - a for a, b in zip([*inner, 0, 0], [0, 0, *inner], strict=True)]
    cosine, sine = _direction(angle)
    rows = [
        [s * d * cosine - e * t * sine for d, t in zip(slope, smooth, strict=True)]
        for s, e in zip(smooth, slope, strict=True)
    ]
    return Made(rows)


def gabor(
    sigma: float, wavelength: float, angle: float = 0, phase: float = 0, size: float | None = None
) -> Made:
    """Wave that runs towards the angle under a bell: texture of one scale and direction."""
    side = _size_for(_positive("sigma", sigma), size)
    _positive("wavelength", wavelength)
    cosine, sine = _direction(angle)
    rows = [
        [
            math.exp(-(x * x + y * y) / (2 * sigma * sigma))
            * math.cos(2 * math.pi * (x * cosine - y * sine) / wavelength + math.radians(phase))
            for x in _places(side)
        ]
        for y in _places(side)
    ]
    return Made(rows)


def unsharp(sigma: float, amount: float = 1, size: float | None = None) -> Made:
    """Sharpening: the picture plus an amount of what a gaussian takes away."""
    rows = [[-amount * w for w in row] for row in gaussian(sigma, size).weights]
    if len(rows) % 2 == 0:
        raise KernelError(f"size={len(rows)} of unsharp must be odd, to have a middle")
    rows[len(rows) // 2][len(rows) // 2] += 1 + amount
    return Made(rows)


def emboss(angle: float = -45) -> Made:
    """Relief that rises towards the angle, on the picture itself."""
    cosine, sine = _direction(angle)
    span = (-1, 0, 1)
    rows = [[math.sqrt(2) * (x * cosine - y * sine) for x in span] for y in span]
    rows[1][1] += 1
    return Made(rows)


_GONZALEZ = "Gonzalez and Woods, Digital Image Processing, 4th ed., 2018"
FAMILIES = {
    "binomial": Family(binomial, "Smooths as a gaussian does, in whole numbers",
                       "Burt, Fast Filter Transforms for Image Processing, 1981"),
    "box": Family(box, "Mean of a square", f"{_GONZALEZ}, section 3.5"),
    "disk": Family(disk, "Mean of a disk, as a lens out of focus",
                   "scikit-image, morphology.disk; divided by its sum"),
    "dog": Family(dog, "Band of sizes between two gaussians",
                  "Marr and Hildreth, Theory of Edge Detection, 1980"),
    "emboss": Family(emboss, "Relief that rises towards an angle",
                     "setosa.io, Image Kernels, whose emboss is that of -45 degrees"),
    "gabor": Family(gabor, "Texture of one scale and direction",
                    "Daugman, Uncertainty Relation for Resolution in Space, Spatial Frequency and "
                    "Orientation, 1985; as OpenCV getGaborKernel with gamma 1"),
    "gaussian": Family(gaussian, "Smooths, without ringing and alike in all directions",
                       f"{_GONZALEZ}, section 3.5; cut off at 4 sigma as in SciPy"),
    "log": Family(log, "Laplacian of a gaussian: blobs and edges of one size",
                  "Marr and Hildreth, Theory of Edge Detection, 1980; SciPy gaussian_laplace"),
    "motion": Family(motion, "Smear along a line", "as MATLAB's fspecial('motion') describes it"),
    "sobel": Family(sobel, "Gradient towards an angle, of any odd size",
                    "Sobel and Feldman, 1968; OpenCV getDerivKernels"),
    "unsharp": Family(unsharp, "Sharpens by what a gaussian takes away",
                      f"{_GONZALEZ}, section 3.6"),
}  # fmt: skip


def of_family(text: str) -> tuple[Kernel, str] | None:
    """Return the kernel of `name(key=value, ...)` and its word in a file name; None for others.

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
    except KernelError as error:
        raise KernelError(f"{shortened(text)}: {error}") from None
    rows = [[_exact(w) for w in row] for row in weights]
    spelled = ", ".join(f"{key}={value:g}" for key, value in given.items())
    label = "-".join([name, *(f"{key}{value:g}" for key, value in given.items())])
    kernel = Kernel(
        rows, divisor=divisor, summary=f"{name}({spelled}): {family.summary}", source=family.source
    )
    return kernel, label


def usage(name: str) -> str:
    """Return how a family is written, with its defaults: `gaussian(sigma=, size=auto)`."""
    family = FAMILIES[name]
    parts = []
    for key, default in family.parameters.items():
        value = "" if key in family.required else "auto" if default is None else f"{default:g}"
        parts.append(f"{key}={value}")
    return f"{name}({', '.join(parts)})"


def _arguments(name: str, family: Family, text: str) -> dict[str, float]:
    given: dict[str, float] = {}
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


def _positive(name: str, value: float) -> float:
    if value <= 0:
        raise KernelError(f"{name}={value:g} must be greater than 0")
    return value


def _side(name: str, value: float, most: int = MAX_SIDE) -> int:
    if value != int(value) or not 1 <= value <= most:
        raise KernelError(f"{name}={value:g} does not give a whole side from 1 to {most}")
    return int(value)


def _size_for(sigma: float, size: float | None) -> int:
    """The side asked for, or that which holds a gaussian to where it is cut off."""
    if size is not None:
        return _side("size", size)
    side = 2 * int(TRUNCATE * sigma + 0.5) + 1
    if side > MAX_SIDE:
        raise KernelError(
            f"sigma={sigma:g} needs a side of {side}, and {MAX_SIDE} is the most; give a size"
        )
    return side


def _direction(angle: float) -> tuple[float, float]:
    """Cosine and sine, 0 at a right angle; y goes down, so who uses the sine takes it away."""
    return round(math.cos(math.radians(angle)), 15), round(math.sin(math.radians(angle)), 15)


def _places(side: int) -> list[float]:
    return [i - (side - 1) / 2 for i in range(side)]


def _bell(sigma: float, side: int) -> list[float]:
    row = [math.exp(-x * x / (2 * sigma * sigma)) for x in _places(side)]
    total = math.fsum(row)
    if not total:
        raise KernelError(f"sigma={sigma:g} is too small for a side of {side}; give an odd size")
    return [g / total for g in row]


def _outer(column: list[float], row: list[float]) -> Weights:
    return [[a * b for b in row] for a in column]


def _added(first: Weights, second: Weights, times: float = 1) -> Weights:
    return [
        [a + times * b for a, b in zip(*rows, strict=True)]
        for rows in zip(first, second, strict=True)
    ]


def _normal(rows: Weights) -> Weights:
    total = math.fsum(map(math.fsum, rows))
    return [[w / total for w in row] for row in rows]


def _trimmed(rows: Weights) -> Weights:
    """Rows without the outermost ones where those are all 0."""
    while len(rows) > 1 and not any(rows[0]) and not any(rows[-1]):
        rows = rows[1:-1]
    while len(rows[0]) > 1 and not any(row[0] or row[-1] for row in rows):
        rows = [row[1:-1] for row in rows]
    return rows
