"""ffmpeg's filter `convolution`, read and written."""

from __future__ import annotations

import math
import re
from itertools import takewhile

from imgconv.errors import KernelError, shortened
from imgconv.kernels.kernel import Kernel
from imgconv.kernels.notation import NUMBER, number
from imgconv.kernels.numbers import Number

SIDES = (3, 5, 7)
_BEGINNING = re.compile(r"(format=[^,]*,\s*)?convolution[@\w]*\s*=")
_FILTER = re.compile(r"(?:format=[\w|]+,)?convolution(?:@\w+)?=(?P<options>[^,;\[\]]+)")
# In ffmpeg's own order, which values without a name follow (ffmpeg -h filter=convolution).
_OPTIONS = [f"{plane}{word}" for word in ("m", "rdiv", "bias", "mode") for plane in range(4)]
_FRACTION = re.compile(rf"(?P<above>{NUMBER})(?:/(?P<below>{NUMBER}))?")


def of_text(text: str) -> Kernel | None:
    """Return the kernel of a filter, as goes after -vf; None for other texts.

    Raises
    ------
    KernelError
        If the filter is wrong, or its planes differ.
    """
    if not _BEGINNING.match(text):
        return None
    return _of_filter(re.sub(" ?([=:,]) ?", r"\1", " ".join(text.split())))


def _of_filter(text: str) -> Kernel:
    """The kernel of all planes that a `convolution` filter names."""
    match = _FILTER.fullmatch(text)
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


def _whole(word: str) -> int:
    if not re.fullmatch(r"[+-]?\d{1,16}", word):
        raise KernelError(
            f"{shortened(word, 30)!r} is no whole number, as ffmpeg wants; rdiv=1/9 divides"
        )
    return int(word)


def write(kernel: Kernel) -> str:
    """Return the filter that goes after -vf, of all planes.

    ffmpeg 5.1 takes each rdiv for missing, and divides by the sum of the weights if it is not 0.

    Raises
    ------
    KernelError
        If the weights are no whole numbers, or more than 7x7, or the divisor or bias is negative.
    """
    side = next((n for n in SIDES if n >= max(kernel.size)), None)
    whole = all(isinstance(w, int) for row in kernel.weights for w in row)
    if side is None or not whole or any(n % 2 == 0 for n in kernel.size):
        raise KernelError("ffmpeg takes whole weights of odd sides up to 7x7 alone; try vips")
    if kernel.divisor < 0 or kernel.response_range(0, 0)[0] < 0:
        raise KernelError("ffmpeg takes no negative divisor or bias; try vips")
    rows, columns = (side - n for n in kernel.size)
    empty: list[Number] = [0] * side
    beside: list[Number] = [0] * (columns // 2)
    padded = [[*beside, *row, *beside] for row in kernel.weights]
    padded = [empty] * (rows // 2) + padded + [empty] * (rows // 2)
    matrix = " ".join(str(w) for row in padded for w in row)
    options = [f"{i}m={matrix}:{i}rdiv=1/{kernel.divisor!r}" for i in range(3)]
    options += [f"{i}bias={kernel.bias!r}" for i in range(3) if kernel.bias]
    return f"format=gbrp,convolution={':'.join(options)}"
