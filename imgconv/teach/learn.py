"""The kernel between a picture before and after: least squares, or gradient descent to watch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from imgconv.errors import KernelError, OptionError
from imgconv.kernels.kernel import Kernel
from imgconv.light import NamedTuple

if TYPE_CHECKING:
    import numpy.typing as npt

BLOCK = 1 << 14  # samples whose neighbourhoods are in memory at a time
WORK = 3e10  # what adding up may cost, some seconds; beyond, blocks of rows are left out
COPY = 40  # copying a tap's samples takes as long as so many products
ROUNDING = 0.305  # what rounding leaves, as root mean square: 1/sqrt(12) = 0.289, and some room
NEARLY = 1e-4  # what float32 leaves, as a part of the range of the picture after
DIVISORS = 1024
PART = 1.01  # a whole-number form may leave so much more
SAME = 0.02  # how far a weight may be from 1 or 0 in a mere shift


class Sums(NamedTuple):
    """The normal equations: products of neighbourhoods, and with the sample after."""

    squares: npt.NDArray[np.float64]
    products: npt.NDArray[np.float64]
    total: float  # of the squared samples after
    samples: int
    mean: float
    span: float  # between the least and the greatest sample after

    def loss(self, unknowns: npt.NDArray[np.float64]) -> float:
        """Return the sum of squared differences that weights leave."""
        left = self.total - 2 * unknowns @ self.products + unknowns @ self.squares @ unknowns
        return max(float(left), 0.0)

    def residual(self, unknowns: npt.NDArray[np.float64]) -> float:
        """Return the root mean square difference."""
        return math.sqrt(self.loss(unknowns) / self.samples)


class Learned(NamedTuple):
    """Effective weights, bias, what they leave, what that means, and whole numbers for them."""

    weights: npt.NDArray[np.float64]
    bias: float
    residual: float
    verdict: str
    explains: bool = False
    integer: tuple[npt.NDArray[np.int64], int] | None = None
    name: str = ""

    def kernel(self) -> Kernel:
        """Return the kernel, in whole numbers where those explain the picture as well."""
        fields: dict[str, Any] = {"bias": round(self.bias, 6), "summary": self.verdict[:200]}
        if self.integer:
            weights, divisor = self.integer
            return Kernel(weights.tolist(), divisor=divisor, **fields)
        return Kernel([[round(w, 6) for w in row] for row in self.weights.tolist()], **fields)


def size_of(text: str) -> tuple[int, int]:
    """Return rows and columns of a text as `3` or `5x3`.

    Raises
    ------
    OptionError
        If it is none.
    """
    parts = text.lower().split("x")
    if len(parts) in (1, 2) and all(
        p.isascii() and p.isdecimal() and 0 < int(p) < 100 for p in parts
    ):
        return int(parts[0]), int(parts[-1])
    raise OptionError(f"--size {text!r} is not N or ROWSxCOLUMNS, as 5x3, of 1 to 99 each")


def sums(
    before: npt.NDArray[Any], after: npt.NDArray[Any], size: tuple[int, int], *, bias: bool
) -> Sums:
    """Add up the normal equations of two pictures (H, W, C) over the region without a border.

    Samples of whole numbers at the ends of their range may have been clipped, and are left out as
    long as others are left; so are blocks of rows of pictures that would take minutes.

    Raises
    ------
    KernelError
        If the pictures do not fit together.
    """
    if not np.isfinite(before).all():
        raise KernelError("the picture before has samples that are not finite; replace them")
    after = _placed(before, after, size)
    unknowns = size[0] * size[1] + bias
    ends = np.iinfo(after.dtype) if after.dtype.kind == "u" else None
    found = _add_up(before, after, size, bias=bias, ends=ends)
    if ends is not None and found.samples < 4 * unknowns:
        found = _add_up(before, after, size, bias=bias, ends=None)
    return found


def _placed(
    before: npt.NDArray[Any], after: npt.NDArray[Any], size: tuple[int, int]
) -> npt.NDArray[Any]:
    """The part of the picture after whose taps stay inside the one before."""
    rows, columns = before.shape[0] - size[0] + 1, before.shape[1] - size[1] + 1
    if rows < 1 or columns < 1:
        raise KernelError(f"a kernel of {size[0]}x{size[1]} does not fit into the picture before")
    if before.shape[2] != after.shape[2]:
        raise KernelError(
            f"the pictures have {before.shape[2]} and {after.shape[2]} channels; make them alike"
        )
    if after.shape[:2] == before.shape[:2]:
        top, left = (size[0] - 1) // 2, (size[1] - 1) // 2
        return after[top : top + rows, left : left + columns]
    if after.shape[:2] == (rows, columns):
        return after
    raise KernelError(
        f"the picture after is {after.shape[1]}x{after.shape[0]}; it must be as large as the one "
        f"before, {before.shape[1]}x{before.shape[0]}, or {columns}x{rows}, as --padding valid "
        "makes it"
    )


def _add_up(
    before: npt.NDArray[Any],
    after: npt.NDArray[Any],
    size: tuple[int, int],
    *,
    bias: bool,
    ends: Any,
) -> Sums:
    unknowns = size[0] * size[1] + bias
    squares: npt.NDArray[np.float64] = np.zeros((unknowns, unknowns))
    products: npt.NDArray[np.float64] = np.zeros(unknowns)
    total, mean, count, low, high = 0.0, 0.0, 0, math.inf, -math.inf
    for reads, sample in _blocks(before, after, size, unknowns):
        values = sample.astype(np.float64)
        inside = np.isfinite(values)
        if ends is not None:
            inside = (values > ends.min) & (values < ends.max)
        counted = inside.astype(np.float64)
        values[~inside] = 0
        # What does not count is multiplied by 0, which is quicker than to pick out the rest.
        block: npt.NDArray[np.float64] = np.empty((unknowns, *values.shape))
        for i, read in enumerate(reads):
            np.multiply(read, counted, out=block[i])
        block[len(reads) :] = counted
        block = block.reshape(unknowns, -1)
        squares += block @ block.T
        products += block @ values.ravel()
        total += float(np.square(values).sum())
        mean += float(values.sum())
        count += int(inside.sum())
        low = min(low, float(values.min(initial=math.inf, where=inside)))
        high = max(high, float(values.max(initial=-math.inf, where=inside)))
    return Sums(squares, products, total, count, mean / max(count, 1), max(high - low, 0))


def _blocks(
    before: npt.NDArray[Any], after: npt.NDArray[Any], size: tuple[int, int], unknowns: int
) -> Iterator[tuple[list[npt.NDArray[Any]], npt.NDArray[Any]]]:
    """Some rows at a time: what each tap reads, and the samples after."""
    height, width, channels = after.shape
    every = max(1, math.ceil(after.size * unknowns * (unknowns + COPY) / WORK))
    tall = max(1, BLOCK // (width * channels))
    for y in range(0, height, tall * every):
        end = min(y + tall, height)
        reads = [
            before[y + a : end + a, b : b + width] for a in range(size[0]) for b in range(size[1])
        ]
        yield reads, after[y:end]


def solve(equations: Sums) -> npt.NDArray[np.float64]:
    """Return the weights of the least squares, the smallest of them where many would do."""
    found, *_ = np.linalg.lstsq(equations.squares, equations.products, rcond=1e-12)
    return np.asarray(found, np.float64)


def descend(
    equations: Sums,
    *,
    lr: float | None,
    epochs: int,
    seed: int,
    tell: Callable[[int, float], None],
) -> npt.NDArray[np.float64]:
    """Return what steps of w -= lr d(sum of squared differences)/dw lead to from random weights.

    Without lr the largest step that cannot overshoot. `tell` gets each epoch's loss, before its
    step. Source: Zhang et al., Dive into Deep Learning, section 7.2.

    Raises
    ------
    OptionError
        If the steps lead away.
    """
    weights: npt.NDArray[np.float64] = np.random.default_rng(seed).normal(
        size=len(equations.products)
    )
    steepest = float(np.linalg.eigvalsh(equations.squares)[-1])
    step = lr if lr is not None else 1 / (2 * steepest)
    for epoch in range(1, epochs + 1):
        loss = equations.loss(weights)
        if not math.isfinite(loss) or loss > 1e6 * max(equations.total, 1):
            raise OptionError(
                f"the loss grows beyond bounds with --lr {step:g}; here it must stay below "
                f"{1 / steepest:.2g}"
            )
        tell(epoch, loss)
        weights = weights - step * 2 * (equations.squares @ weights - equations.products)
    return weights


def judge(
    equations: Sums,
    unknowns: npt.NDArray[np.float64],
    size: tuple[int, int],
    *,
    bias: bool,
    whole: bool,
    known: dict[str, npt.NDArray[np.float64]],
) -> Learned:
    """Return what weights mean: which kernel they are, or that none explains the picture.

    `whole` says that the samples after were rounded; `known` are the catalogue's effective weights.
    """
    weights = unknowns[: size[0] * size[1]].reshape(size)
    offset = float(unknowns[-1]) if bias else 0.0
    residual = equations.residual(unknowns)
    limit = ROUNDING if whole else NEARLY * max(equations.span, 1e-12)
    sides = f"{size[0]}x{size[1]}"
    if residual > limit:
        spread = equations.total / equations.samples - equations.mean**2
        part = 1 - residual**2 / spread if spread > 0 else 0.0
        verdict = f"no linear kernel of this size explains it; the nearest leaves {residual:.3g}"
        verdict += f" a sample and explains {100 * max(part, 0):.4g} %"
        return Learned(weights, offset, residual, verdict)
    integer = _whole_numbers(equations, unknowns, size, bias=bias, limit=limit)
    limit = max(residual * PART, limit / 10)
    names = [
        name
        for name, other in known.items()
        if (padded := _padded(other, size)) is not None
        and equations.residual(np.append(padded, unknowns[padded.size :])) <= limit
    ]
    moved = _shift(weights)
    if moved == (0, 0):
        verdict = "the pictures are the same"
    elif moved:
        verdict = f"the picture is shifted by ({moved[0]}, {moved[1]})"
    else:
        verdict = f"this is a {sides} kernel to within rounding"
    if names and moved is None:
        verdict += f": {' or '.join(names)}"
    name = names[-1] if names else ""
    return Learned(weights, offset, residual, verdict, True, integer, name)


def _whole_numbers(
    equations: Sums, unknowns: npt.NDArray[np.float64], size: tuple[int, int], *, bias: bool,
    limit: float,
) -> tuple[npt.NDArray[np.int64], int] | None:  # fmt: skip
    """Whole weights and the least divisor that explain the picture as well."""
    count = size[0] * size[1]
    best = max(equations.residual(unknowns) * PART, limit / 10)
    for divisor in range(1, DIVISORS + 1):
        whole = np.rint(unknowns[:count] * divisor)
        tried = np.append(whole / divisor, unknowns[count:]) if bias else whole / divisor
        if whole.any() and equations.residual(tried) <= best:
            common = math.gcd(divisor, *(int(w) for w in whole))
            return (whole / common).astype(np.int64).reshape(size), divisor // common
    return None


def _padded(
    weights: npt.NDArray[np.float64], size: tuple[int, int]
) -> npt.NDArray[np.float64] | None:
    """Weights with zeros around up to a size, in one row; None where they do not fit evenly."""
    rows, columns = (n - m for n, m in zip(size, weights.shape, strict=True))
    if rows < 0 or columns < 0 or rows % 2 or columns % 2:
        return None
    padded: npt.NDArray[np.float64] = np.pad(weights, ((rows // 2,) * 2, (columns // 2,) * 2))
    return padded.ravel()


def _shift(weights: npt.NDArray[np.float64]) -> tuple[int, int] | None:
    """How far a kernel of a single one moves a picture, to the right and down."""
    y, x = np.unravel_index(np.abs(weights).argmax(), weights.shape)
    single = np.zeros_like(weights)
    single[y, x] = 1
    if np.abs(weights - single).max() > SAME:
        return None
    top, left = ((n - 1) // 2 for n in weights.shape)
    return int(left - x), int(top - y)


def unfinished(learned: Learned, epochs: int) -> Learned:
    """Return what the gradient's steps found where least squares find a kernel that explains it."""
    verdict = f"{epochs} epochs leave {learned.residual:.3g} a sample; more, or lstsq, explain it"
    return learned._replace(verdict=verdict)


def as_json(learned: Learned) -> dict[str, Any]:
    """Return what --json prints."""
    integer: dict[str, Any] | None = None
    if learned.integer:
        weights, divisor = learned.integer
        integer = {"weights": weights.tolist(), "divisor": divisor}
    return {
        "weights": learned.weights.tolist(),
        "bias": learned.bias,
        "residual": learned.residual,
        "verdict": learned.verdict,
        "integer": integer,
    }
