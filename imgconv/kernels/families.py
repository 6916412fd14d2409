"""Kernels by formula: `gaussian(sigma=2)` and its like. Angles in degrees, counter-clockwise."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from imgconv.errors import KernelError
from imgconv.kernels.numbers import MAX_SIDE, Number
from imgconv.kernels.separable import MAX_LONG, Separable
from imgconv.light import NamedTuple

if TYPE_CHECKING:
    from types import FunctionType

TRUNCATE = 4.0  # a gaussian is cut off at so many sigma, as SciPy does
MAX_BINOMIAL = 26  # the sum of a larger one is beyond 2**50
WHOLE = 1e-12  # what a cosine of 90 degrees is off

Weights = list[list[float]]


# A side, or rows and columns; None: as many as hold the whole.
Size = float | tuple[int, int] | None


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
        return dict.fromkeys(self.required) | self._defaults()

    @property
    def required(self) -> list[str]:
        """The parameters that have to be given."""
        return [name for name in self._names() if name not in self._defaults()]

    def _names(self) -> tuple[str, ...]:
        """All parameters; `inspect` would tell them too, and takes a tenth of `imgconv list`."""
        code = cast("FunctionType", self.make).__code__
        return code.co_varnames[: code.co_argcount]

    def _defaults(self) -> dict[str, float | None]:
        defaults = cast("FunctionType", self.make).__defaults__ or ()
        last = reversed(self._names())
        return dict(reversed([*zip(last, reversed(defaults), strict=False)]))


def gaussian(sigma: float, size: Size = None, sigma_x: float | None = None) -> Made:
    """Bell of a standard deviation, of weights that add up to 1; another one across, if given."""
    across = _positive("sigma", sigma)
    if sigma_x is not None:
        across = _positive("sigma_x", sigma_x)
    high, wide = _sizes_for(sigma, across, size)
    return Made(_product(_bell(sigma, high), _bell(across, wide)))


def box(size: Size) -> Made:
    """Equal weights."""
    high, wide = _sizes(size)
    return Made(_product([1] * high, [1] * wide), high * wide)


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
    _side("length", 2 * max(across, down) + 3, MAX_LONG if 0 in (across, down) else MAX_SIDE)

    def weight(x: int, y: int) -> float:
        along = x * cosine - y * sine
        beyond = max(abs(along) - half, 0.0)
        return max(1 - math.hypot(x * sine + y * cosine, beyond), 0.0)

    rows = _normal(_trimmed([
        [weight(x, y) for x in range(-across - 1, across + 2)] for y in range(-down - 1, down + 2)
    ]))  # fmt: skip
    if max(len(rows), len(rows[0])) <= MAX_SIDE:
        return Made(rows)
    lines = ([1.0], rows[0]) if len(rows) == 1 else ([row[0] for row in rows], [1.0])
    return Made(Separable([lines]))


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


def unsharp(
    sigma: float, amount: float = 1, size: Size = None, sigma_x: float | None = None
) -> Made:
    """Sharpening: the picture plus an amount of what a gaussian takes away."""
    rows = gaussian(sigma, size, sigma_x).weights
    sides = high, wide = len(rows), len(rows[0])
    for side in sides:
        if side % 2 == 0:
            raise KernelError(f"size={side} of unsharp must be odd, to have a middle")
    if isinstance(rows, Separable):
        middle, point = ([float(i == side // 2) for i in range(side)] for side in sides)
        blur, picture = rows.each(lambda w: -amount * w), [(1 + amount) * w for w in middle]
        return Made(Separable([*blur.products, (picture, point)]))
    made = [[-amount * w for w in row] for row in rows]
    made[high // 2][wide // 2] += 1 + amount
    return Made(made)


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


def _positive(name: str, value: float) -> float:
    if value <= 0:
        raise KernelError(f"{name}={value:g} must be greater than 0")
    return value


def _side(name: str, value: float, most: int = MAX_SIDE) -> int:
    if value != int(value) or not 1 <= value <= most:
        raise KernelError(f"{name}={value:g} does not give a whole side from 1 to {most}")
    return int(value)


def _sizes(value: Size) -> tuple[int, int]:
    """Rows and columns, of one number for both or of two."""
    high, wide = value if isinstance(value, tuple) else (value or 0, value or 0)
    return _side("size", high, MAX_LONG), _side("size", wide, MAX_LONG)


def _sizes_for(down: float, across: float, size: Size) -> tuple[int, int]:
    """The sides asked for, or those that hold a gaussian to where it is cut off."""
    if size is not None:
        return _sizes(size)
    return _whole_side(down, MAX_LONG), _whole_side(across, MAX_LONG)


def _size_for(sigma: float, size: float | None) -> int:
    """The side asked for, or that which holds a gaussian to where it is cut off."""
    return _whole_side(sigma) if size is None else _side("size", size)


def _whole_side(sigma: float, most: int = MAX_SIDE) -> int:
    side = 2 * int(TRUNCATE * sigma + 0.5) + 1
    if side > most:
        raise KernelError(
            f"sigma={sigma:g} needs a side of {side}, and {most} is the most; give a size"
        )
    return side


def _product(column: Sequence[Number], row: Sequence[Number]) -> Sequence[Sequence[Number]]:
    """A column times a row; kept as these where a side is long."""
    if max(len(column), len(row)) > MAX_SIDE:
        return Separable([(column, row)])
    return [[a * b for b in row] for a in column]


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
