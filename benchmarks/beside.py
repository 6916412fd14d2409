"""Time `imgconv.apply` of another checkout and of this one in turns, on the rows of section (a).

Two versions of a package cannot live in one process: each has a worker, which are asked in turns.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks import jobs
from benchmarks.measure import Times, repeats, table, timed

HERE = Path(__file__).parents[1]
# Of the same code on a busy machine, the mean was within 2 %, and single rows below a millisecond
# within 10 to 30 % however many the rounds. Long calls get fewer.
ROUNDS, SECONDS = 50, 2
# imgconv comes from a checkout, which may know nothing of this file, and the rows from this one.
WORKER = """
import sys
sys.path.insert(0, sys.argv[1])
import imgconv
sys.path[0] = sys.argv[2]
from benchmarks import beside
beside.work()
"""


def work() -> None:
    """Answer the number of a row with the seconds of a call, until there are no more."""
    rows = list(jobs.rows())
    ready = -1
    for line in sys.stdin:
        if int(line) != ready:
            ready = int(line)
            call = rows[ready].call()
            count = repeats(call)
        print(timed(call, count) / count, flush=True)


class Worker:
    """A process that has imgconv from a checkout."""

    def __init__(self, checkout: Path, threads: int) -> None:
        self.checkout = checkout
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(checkout), str(HERE)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "IMGCONV_THREADS": str(threads)},
        )  # fmt: skip

    def seconds(self, row: int) -> float:
        """Return what a call takes now."""
        assert self.process.stdin
        assert self.process.stdout
        print(row, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"the worker of {self.checkout} ended, see above")
        return float(answer)


def compared(workers: list[Worker], row: int) -> list[Times]:
    """Ask all in rounds of changing order."""
    found: dict[Worker, list[float]] = {worker: [] for worker in workers}
    for worker in workers:
        worker.seconds(row)  # makes the picture and warms up
    shuffled, spent = random.Random(row), 0.0
    for _ in range(ROUNDS):
        for worker in shuffled.sample(workers, len(workers)):
            found[worker].append(worker.seconds(row))
        spent += sum(seconds[-1] for seconds in found.values())
        if spent > SECONDS:
            break
    return [Times(tuple(seconds)) for seconds in found.values()]


def main() -> None:
    """Compare as the arguments say and print Markdown, the worst rows first."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.beside", description=__doc__)
    parser.add_argument("other", type=Path, help="a checkout, as of before a change")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default="", metavar="TEXT", help="rows with this in their names")
    asked = parser.parse_args()
    if not (asked.other / "imgconv" / "__init__.py").exists():
        parser.error(f"{asked.other} is no checkout of imgconv")
    workers = [Worker(checkout, asked.threads) for checkout in (asked.other.resolve(), HERE)]
    found = []
    for i, row in enumerate(jobs.rows()):
        if asked.only in row.name:
            before, after = (times.median for times in compared(workers, i))
            found.append((before / after, row.name, before * 1000, after * 1000))
            print(f"{row.name}: {before / after:.2f}", file=sys.stderr, flush=True)
    if not found:
        parser.error(f"no row has {asked.only!r} in its name")
    mean = statistics.geometric_mean(faster for faster, *_ in found)
    print(f"Before over after, geometric mean of {len(found)} rows: {mean:.3f}\n")
    lines = [[f"{r:.2f}", name, f"{b:.4g}", f"{a:.4g}"] for r, name, b, a in sorted(found)]
    print(table(["ratio", "row", "before, ms", "after, ms"], lines))


if __name__ == "__main__":
    main()
