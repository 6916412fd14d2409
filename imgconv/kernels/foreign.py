"""Kernels read from the texts that ImageMagick, ffmpeg and G'MIC take."""

from __future__ import annotations

import math
import re
from itertools import takewhile
from typing import TypeVar

from imgconv.errors import KernelError, shortened
from imgconv.kernels.kernel import Kernel, Number
from imgconv.kernels.spec import NUMBER, number

T = TypeVar("T")

_HEAD = re.compile(r"\d+[^\s,;:]*\s*:")  # what ImageMagick's texts begin with, right or wrong
_IMAGEMAGICK = re.compile(
    r"(?P<width>\d{1,9})(?:x(?P<height>\d{1,9}))?(?:\+(?P<x>\d{1,9})\+(?P<y>\d{1,9}))?\s*:"
    r"(?P<weights>[^;]*);?",
    re.IGNORECASE,
)
# https://imagemagick.org/Usage/morphology/#kernel
_MADE_BY_IMAGEMAGICK = re.compile(
    r"(unity|gaussian|dog|log|blur|comet|binomial|laplacian|sobel|freichen|roberts|prewitt|compass|"
    r"kirsch|diamond|square|rectangle|octagon|disk|plus|cross|ring|peaks|edges|corners|diagonals|"
    r"lineends|linejunctions|ridges|convexhull|thinse|skeleton|chebyshev|manhattan|octagonal|"
    r"euclidean)\s*(:.*)?",
    re.IGNORECASE | re.DOTALL,
)
_FFMPEG = re.compile(r"(?:format=[\w|]+,)?convolution(?:@\w+)?=(?P<options>[^,;\[\]]+)")
# In ffmpeg's own order, which values without a name follow (ffmpeg -h filter=convolution).
_OPTIONS = [f"{plane}{word}" for word in ("m", "rdiv", "bias", "mode") for plane in range(4)]
_FRACTION = re.compile(rf"(?P<above>{NUMBER})(?:/(?P<below>{NUMBER}))?")
_GMIC = re.compile(r"\((?P<rows>[^()]*)\)")


def of_text(text: str) -> Kernel | None:
    """Return the kernel of a text as another tool takes it; None for other texts.

    Raises
    ------
    KernelError
        If the text looks like such a tool's and is wrong, or means more than one kernel.
    """
    unquoted = re.sub("['\"]", "", text).strip()
    try:
        if re.match(r"(format=[^,]*,\s*)?convolution[@\w]*\s*=", unquoted):
            return _ffmpeg(re.sub(r"\s*([=:,])\s*", r"\1", unquoted))
        if _HEAD.match(unquoted):
            return _imagemagick(unquoted)
        if _MADE_BY_IMAGEMAGICK.fullmatch(unquoted):
            raise KernelError("ImageMagick makes this by name; imgconv list shows the names here")
        if matrix := _GMIC.fullmatch(unquoted):
            return _gmic(matrix["rows"])
    except KernelError as error:
        raise KernelError(f"kernel {shortened(text)!r}: {error}") from None
    return None


def _imagemagick(text: str) -> Kernel:
    """`3x3+1+1: ...` as `-morphology Correlate` means it; the origin is in the middle if not told.

    A weight of `nan` or `-` is no part of the kernel, which to a correlation is a 0.
    """
    match = _IMAGEMAGICK.fullmatch(text)
    if not match:
        raise KernelError(
            "ImageMagick's texts begin WIDTHxHEIGHT: or WIDTHxHEIGHT+X+Y:, and only one kernel, "
            "without @ < > or ^, is taken"
        )
    width, height = int(match["width"]), int(match["height"] or match["width"])
    words = re.split(r"\s*,\s*|\s+", match["weights"].strip())
    weights = [0 if w.lower() in ("nan", "-") else _weight(w) for w in words]
    if len(weights) != width * height:
        raise KernelError(
            f"{width}x{height} wants {width * height} weights and {len(weights)} follow; "
            "in quotes the shell keeps them together"
        )
    rows = [weights[y * width : (y + 1) * width] for y in range(height)]
    if match["x"] is None:
        return Kernel(rows)
    x, y = int(match["x"]), int(match["y"])
    if x >= width or y >= height:
        raise KernelError(f"the origin +{x}+{y} is outside of {width}x{height}; it begins at +0+0")
    rows = [_centred(row, x, 0) for row in rows]
    return Kernel(_centred(rows, y, [0] * len(rows[0])))


def _centred(line: list[T], origin: int, empty: T) -> list[T]:
    """Add as little as brings the origin to the middle, where ours is: (n - 1) // 2."""
    before = max(0, len(line) - 2 - 2 * origin)
    after = max(0, 2 * origin + 1 - len(line))
    return [empty] * before + line + [empty] * after


def _ffmpeg(text: str) -> Kernel:
    """The kernel of all planes that a `convolution` filter names."""
    match = _FFMPEG.fullmatch(text)
    if not match:
        raise KernelError("give ffmpeg's filter alone, as convolution=0m=0 -1 0 -1 5 -1 0 -1 0")
    parts = match["options"].split(":")
    given = dict(zip(_OPTIONS, takewhile(lambda part: "=" not in part, parts), strict=False))
    for part in parts[len(given) :]:
        key, _, value = part.rpartition("=")
        if key not in _OPTIONS:
            raise KernelError(
                f"{shortened(part, 30)!r} is no option of convolution; write 0m=, 0rdiv=, 0bias="
            )
        given[key] = value
    kernels = {_plane(given, plane) for plane in sorted({key[0] for key in given})}
    if len(kernels) > 1:
        raise KernelError("its planes differ; leave one alone, and choose by --channels")
    return kernels.pop()


def _plane(given: dict[str, str], plane: str) -> Kernel:
    """What the documentation says of a plane's matrix, mode, rdiv and bias.

    An rdiv that is 0 or missing is 1 / sum, or 1 where the sum is 0. ffmpeg 5.1 takes every rdiv
    for missing, which later versions have mended.
    """
    words = [w for w in re.split(r"[\s|]+", given.get(f"{plane}m", "0 0 0 0 1 0 0 0 0")) if w]
    weights = [_whole(w) for w in words]
    mode = given.get(f"{plane}mode", "square")
    if mode in ("row", "1", "column", "2"):
        if len(weights) % 2 == 0 or len(weights) > 49:
            raise KernelError(f"{len(weights)} weights in a {mode}; ffmpeg takes 1, 3, 5 ... 49")
        rows = [weights] if mode in ("row", "1") else [[w] for w in weights]
    elif mode in ("square", "0"):
        side = math.isqrt(len(weights))
        if len(weights) not in (9, 25, 49):
            raise KernelError(f"{len(weights)} weights; ffmpeg takes 9, 25 or 49, in rows")
        rows = [weights[y * side : (y + 1) * side] for y in range(side)]
    else:
        raise KernelError(f"mode {shortened(mode, 30)!r}; choose from square, row, column")
    above, below = _fraction(given.get(f"{plane}rdiv", "0"), "rdiv")
    divisor = below / above if above not in (0, 1) else below if above else sum(weights) or 1
    bias, parts = _fraction(given.get(f"{plane}bias", "0"), "bias")
    return Kernel(rows, divisor=divisor, bias=bias / parts if parts != 1 else bias)


def _fraction(text: str, what: str) -> tuple[Number, Number]:
    match = _FRACTION.fullmatch(text)
    if not match:
        raise KernelError(f"{what} is {shortened(text, 30)!r}, not a number from 0, as 0.5 or 1/9")
    above, below = number(match["above"]), number(match["below"] or "1")
    if above < 0 or below <= 0:
        raise KernelError(f"{what} is {text}; ffmpeg takes it from 0, as 0.5 or 1/9")
    return above, below


def _gmic(text: str) -> Kernel:
    """The matrix of `(1,2,1;2,4,2;1,2,1)`."""
    if "^" in text or "/" in text:
        raise KernelError("one plane of G'MIC's matrix is taken, without ^ and /")
    return Kernel([[_weight(w.strip()) for w in row.split(",")] for row in text.split(";")])


def _weight(word: str) -> Number:
    if not word:
        raise KernelError("a weight is missing; write 0 where there is none")
    if not re.fullmatch(NUMBER, word):
        raise KernelError(f"{shortened(word, 30)!r} is no number; weights are as 1 or -0.5")
    return number(word)


def _whole(word: str) -> int:
    if not re.fullmatch(r"[+-]?\d{1,16}", word):
        raise KernelError(
            f"{shortened(word, 30)!r} is no whole number, as ffmpeg wants; rdiv=1/9 divides"
        )
    return int(word)
