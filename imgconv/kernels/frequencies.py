"""How strongly a kernel answers to waves of each frequency, along x, along y and diagonally.

A wave has f cycles a sample along its axis, from 0 (a flat image) to 0.5 (Nyquist: every other
sample bright); diagonally it has f along x and f along y at once, running down to the right. |H(f)|
is the amplitude of the response over that of the wave, without the bias.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence

from imgconv.kernels.kernel import Kernel
from imgconv.kernels.numbers import MAX_SIDE, Number
from imgconv.kernels.separable import Separable
from imgconv.light import NamedTuple

DIAGONAL = "diagonal"
DRAWN = tuple(i / 64 for i in range(33))  # the frequency of each character of a drawing
RULER = "0─────────────0.25────────────0.5"
BLOCKS = " ▁▂▃▄▅▆▇█"
HALF_POWER = math.sqrt(0.5)
CANCELLED = 1e-13  # what is left of a sum that cancels is no response
STOPPED = 0.01  # of the peak, -40 dB: a flat image with less counts as taken out


class Verdict(NamedTuple):
    """What a kernel is along an axis, if that is plain, and where its power is half the peak's."""

    word: str
    half: tuple[float, ...]


def profiles(kernel: Kernel) -> dict[str, list[float]]:
    """Return what a kernel is to waves along x, along y and the diagonal: weights in one row each.

    A wave along x is the same in every row, so the weights of a column act as one; likewise others.
    """
    if isinstance(kernel.weights, Separable):
        return _of_products(kernel.weights, kernel.divisor)
    rows, columns = kernel.size
    diagonals: list[list[float]] = [[] for _ in range(rows + columns - 1)]
    for y, row in enumerate(kernel.weights):
        for x, weight in enumerate(row):
            diagonals[y + x].append(weight)
    columns_of = zip(*kernel.weights, strict=True)
    lines = {"along x": columns_of, "along y": kernel.weights, DIAGONAL: diagonals}
    return {axis: [math.fsum(line) / kernel.divisor for line in of] for axis, of in lines.items()}


def _of_products(weights: Separable, divisor: Number) -> dict[str, list[float]]:
    """The same of columns times rows: along the diagonal one goes over the other."""
    import numpy as np

    parts = [(np.array(c, float), np.array(r, float)) for c, r in weights.products]
    lines = {
        "along x": sum(c.sum() * r for c, r in parts),
        "along y": sum(r.sum() * c for c, r in parts),
        DIAGONAL: sum(np.convolve(c, r) for c, r in parts),
    }
    return {axis: (line / divisor).tolist() for axis, line in lines.items()}


def magnitude(profile: Sequence[float], frequency: float) -> float:
    """Return |H| at a frequency in cycles a sample."""
    turn = cmath.exp(-2j * math.pi * frequency)
    total = 0j
    for weight in reversed(profile):
        total = total * turn + weight
    found = abs(total)
    return found if found > CANCELLED * len(profile) * sum(map(abs, profile)) else 0.0


def _magnitudes(profile: Sequence[float], steps: int) -> list[float]:
    """Return |H| from 0 to half a cycle a sample."""
    if len(profile) <= 2 * MAX_SIDE:
        return [magnitude(profile, 0.5 * i / steps) for i in range(steps + 1)]
    import numpy as np

    found = np.abs(np.fft.rfft(profile, 2 * steps))
    found[found <= CANCELLED * len(profile) * np.abs(profile).sum()] = 0
    return [float(value) for value in found]


def verdict(profile: Sequence[float]) -> Verdict:
    """Return what a profile does to frequencies, by the half-power rule.

    A frequency passes if |H| there is at least 0.707 of the peak, half of its power. Low-pass: the
    peak is at 0, and what passes is all below one frequency. High-pass: what passes is all above
    one frequency, and a flat image is taken out; high-boost: it is not, but nothing is weaker.
    Band-pass: what passes lies between two frequencies, and a flat image is taken out. All-pass:
    |H| is the same everywhere. Without a word and a frequency: none of these.
    """
    steps = max(256, 8 * len(profile))  # n weights make less than n waves of |H|
    found = _magnitudes(profile, steps)
    peak = max(found)
    if not peak:
        return Verdict("nothing passes", ())
    if min(found) > peak * (1 - 1e-9):
        return Verdict("all-pass", ())
    level = peak * HALF_POWER
    passes = [value >= level for value in found]
    edges = tuple(
        _crossing(profile, level, 0.5 * i / steps, 0.5 * (i + 1) / steps)
        for i in range(steps)
        if passes[i] != passes[i + 1]
    )
    flat_stopped = found[0] <= peak * STOPPED
    if len(edges) == 1 and passes[0] and found[0] >= peak * (1 - 1e-9):
        return Verdict("low-pass", edges)
    if len(edges) == 1 and passes[-1] and flat_stopped:
        return Verdict("high-pass", edges)
    if len(edges) == 1 and passes[-1] and found[0] <= min(found) * (1 + 1e-9):
        return Verdict("high-boost", edges)
    if len(edges) == 2 and not passes[0] and flat_stopped:
        return Verdict("band-pass", edges)
    return Verdict("", ())


def _crossing(profile: Sequence[float], level: float, below: float, above: float) -> float:
    """The frequency between two at which |H| crosses a level, by bisection."""
    rises = magnitude(profile, above) >= level
    for _ in range(30):
        middle = (below + above) / 2
        if (magnitude(profile, middle) >= level) == rises:
            above = middle
        else:
            below = middle
    return above


def drawing(profile: Sequence[float], peak: float) -> str:
    """Return |H| from 0 to 0.5 as blocks, of which the tallest is the peak and a space is 0."""
    found = (magnitude(profile, f) / peak if peak else 0 for f in DRAWN)
    return "".join(BLOCKS[round(8 * value)] for value in found)


def table(kernel: Kernel) -> list[str]:
    """Return |H| at 0, half and full Nyquist, drawings, and the verdicts, within 80 columns."""
    of = profiles(kernel)
    peak = max(magnitude(p, f) for p in of.values() for f in DRAWN)
    found = [f"{'cycles/sample':14}{0:>10}{0.25:>10}{0.5:>10}  {RULER}"]
    for axis, profile in of.items():
        numbers = "".join(f"{magnitude(profile, f):>10.3g}" for f in (0, 0.25, 0.5))
        found.append(f"  |H| {axis:8}{numbers}  {drawing(profile, peak)}".rstrip())
    told = {axis: _told(verdict(profile)) for axis, profile in of.items() if axis != DIAGONAL}
    if told["along x"] == told["along y"]:
        told = {"along x and y": told["along x"]}
    return found + [f"  {axis}: {words}" for axis, words in told.items() if words]


def _told(found: Verdict) -> str:
    half = " and ".join(f"{f:.3f}" for f in found.half)
    return f"{found.word}, half power at {half} cycles/sample" if half else found.word
