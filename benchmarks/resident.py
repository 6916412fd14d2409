"""The memory of whole programs: at most for one picture, and of each process during a batch."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.measure import table
from benchmarks.programs import ENVIRONMENT, folder, folders, photograph, single

# A small parent: a process begins with as much memory as the one that it is forked from.
PEAK = """
import os, sys
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(child, 0)
print(0 if status else usage.ru_maxrss / 1024)
"""
SMALL, FIRST, LAST = 1000, 100, 950  # pictures in a batch, and after how many it is looked at
PAUSE = 0.01


def one_picture() -> str:
    """Return the most memory that each program holds, by its process."""
    rows = []
    for size in ((512, 512), (4000, 3000), (10000, 10000)):
        with folder() as place:
            source = photograph(place / "source.jpg", *size)
            commands = single(source, place / "out.jpg", place / "mask.mat")
            peaks = {
                name: min(peak(command) for _ in range(3)) for name, command in commands.items()
            }
        told = (f"{p:.0f}" if p else "refused" for p in peaks.values())
        rows.append([f"{size[0] * size[1] / 1e6:.3g} Mpx", *told])
    return table(["JPEG to JPEG, MB", *commands], rows)


def peak(command: list[str]) -> float:
    """Return megabytes resident at most, as the system counts them; 0 for a failure."""
    found = subprocess.run(
        [sys.executable, "-S", "-c", PEAK, *command], env=ENVIRONMENT, capture_output=True
    )
    return float(found.stdout.splitlines()[-1])


@dataclass
class Seen:
    """Megabytes of a program's processes while it runs, by their numbers, the parent first."""

    first: dict[int, float] = field(default_factory=dict)
    last: dict[int, float] = field(default_factory=dict)
    most: dict[int, float] = field(default_factory=dict)
    together: float = 0

    @property
    def growth(self) -> str:
        """How much most a process has grown by between the first look and the last."""
        grown = [self.last[p] - self.first[p] for p in self.last if p in self.first]
        return f"{max(grown):+.1f}" if len(grown) == len(self.last) else "others by then"


def batch() -> str:
    """Return what each process holds after about 100 and about 1,000 small pictures."""
    if not Path("/proc/self/task").exists():
        return "Only Linux tells what each process holds."
    rows = []
    with folders(SMALL, 512, 512) as (source, target, commands):
        for name, command in commands.items():
            for path in target.glob("*"):
                path.unlink()
            seen = watched(command, source, target)
            rows.append([
                name, listed(seen.first), listed(seen.last), seen.growth,
                f"{max(seen.most.values()):.1f}", f"{seen.together:.1f}",
            ])  # fmt: skip
    return table(
        [f"{SMALL} of 512x512, MB", f"after {FIRST}: parent, others", f"after {LAST} or more",
         "most growth", "most of a process", "together, by shares of what is shared"], rows,
    )  # fmt: skip


def watched(command: list[str], source: Path, target: Path) -> Seen:
    """Run a command and look at its processes, by how many outputs there are."""
    seen = Seen()
    with subprocess.Popen(
        command, cwd=source, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while process.poll() is None:
            done = sum(1 for path in target.iterdir() if path.suffix == ".jpg")
            now = {pid: status(pid) for pid in family(process.pid)}
            for pid, (_, most) in now.items():
                seen.most[pid] = max(most, seen.most.get(pid, 0))
            held = {pid: resident for pid, (resident, _) in now.items() if resident}
            if done >= FIRST and not seen.first:
                seen.first = held
            if done >= LAST and len(held) >= len(seen.last):  # nobody has left yet
                seen.last = held
                seen.together = sum(map(share, held))
            time.sleep(PAUSE)
    if process.returncode or not seen.last:
        raise RuntimeError(f"{' '.join(command)[:500]} ended with {process.returncode}")
    return seen


def family(pid: int) -> Iterator[int]:
    """Give a process, and all that it and its own have begun."""
    yield pid
    with suppress(OSError):  # it has ended
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from family(int(child))


def status(pid: int) -> tuple[float, float]:
    """Return megabytes resident now and at most; 0 for a process that has ended."""
    found = told(f"/proc/{pid}/status")
    return found.get("VmRSS", 0), found.get("VmHWM", 0)


def share(pid: int) -> float:
    """Return megabytes resident, of those that are shared the part of this process."""
    return told(f"/proc/{pid}/smaps_rollup").get("Pss", 0)


def told(path: str) -> dict[str, float]:
    """Return the megabytes of a file of /proc, by their names."""
    lines = []
    with suppress(OSError):  # the process has ended
        lines = [line.split() for line in Path(path).read_text().splitlines()]
    return {w[0][:-1]: int(w[1]) / 1024 for w in lines if len(w) == 3 and w[2] == "kB"}


def listed(held: dict[int, float]) -> str:
    """Return the megabytes of processes."""
    return ", ".join(f"{megabytes:.1f}" for megabytes in held.values())
