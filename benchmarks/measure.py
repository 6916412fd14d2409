"""Time contenders in turns, so that a noisy machine is noisy to all, and make Markdown tables."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

ROUNDS = 9
# A timing holds as many calls as take so many seconds: one alone may be shorter than its noise.
LEAST = 0.002


@dataclass(frozen=True)
class Times:
    """Seconds a call of one contender's runs."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median of the runs."""
        return statistics.median(self.seconds)

    @property
    def spread(self) -> str:
        """The median in milliseconds, with the quartiles."""
        low, _, high = statistics.quantiles(self.seconds, n=4) if self.seconds[1:] else [0, 0, 0]
        if not high:
            return f"{self.median * 1000:.4g}"
        return f"{self.median * 1000:.4g} ({low * 1000:.4g}-{high * 1000:.4g})"


def timed(call: Callable[[], object], repeats: int) -> float:
    """Return the seconds of so many calls together."""
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return time.perf_counter() - start


def repeats(call: Callable[[], object]) -> int:
    """Return how many calls a timing should hold; the first, unmeasured, may compile."""
    call()
    count = 1
    while timed(call, count) < LEAST:
        count *= 2
    return count


def in_turns(
    contenders: Mapping[str, Callable[[], object]], *, seconds: float, rounds: int = ROUNDS
) -> dict[str, Times]:
    """Call each unmeasured first, then all in rounds of changing order.

    One that has taken more than its share of the seconds gets no further round, after its first.
    """
    found: dict[str, list[float]] = {name: [] for name in contenders}
    counts = {name: repeats(call) for name, call in contenders.items()}
    share = seconds / len(contenders)
    shuffled = random.Random(0)
    for _ in range(rounds):
        names = [name for name, t in found.items() if not t or sum(t) + t[-1] <= share]
        shuffled.shuffle(names)
        for name in names:
            found[name].append(timed(contenders[name], counts[name]))
    return {name: Times(tuple(s / counts[name] for s in t)) for name, t in found.items()}


def ratio(other: Times | None, ours: Times) -> str:
    """Return how many times as long the other took."""
    return f"{other.median / ours.median:.2f}" if other else "-"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [list(head), ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
