"""A batch on the workers of a Dask scheduler beside the same batch here, and what it costs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.measure import Times, table
from benchmarks.programs import folder, photograph

COUNT, WORKERS = 2000, 2
ROUNDS = 3
PORT = 18786
PYTHON = (sys.executable, "-m")


@contextmanager
def cluster() -> Iterator[subprocess.Popen[bytes]]:
    """Run a scheduler, and workers of one thread each, as processes of their own."""
    scheduler = subprocess.Popen(
        [*PYTHON, "distributed.cli.dask_scheduler", "--no-dashboard", "--port", str(PORT)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(3)
    worker = [
        *PYTHON, "distributed.cli.dask_worker", f"tcp://127.0.0.1:{PORT}", "--nthreads", "1",
        "--nworkers", str(WORKERS), "--no-dashboard",
    ]  # fmt: skip
    workers = subprocess.Popen(worker, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield scheduler
    finally:
        workers.terminate()
        workers.wait()
        scheduler.terminate()
        scheduler.wait()


def batch(source: Path, *options: str) -> float:
    """Return the seconds that a whole process takes."""
    begin = time.perf_counter()
    command = [*PYTHON, "imgconv", "apply", str(source), "--recursive", "-k", "sobel-left"]
    subprocess.run([*command, "-o", f"{source.parent}/out/", "-f", "-q", *options], check=True)
    return time.perf_counter() - begin


def report() -> str:
    """Return a table: pictures a second, here and on workers, and what the scheduler takes."""
    local, remote, busy = [], [], []
    with folder() as place, cluster() as scheduler:
        source = place / "in"
        source.mkdir()
        first = photograph(source / "0000.jpg", 512, 512)
        for i in range(1, COUNT):
            shutil.copy(first, source / f"{i:04}.jpg")
        address = ("--scheduler", f"tcp://127.0.0.1:{PORT}")
        watched = psutil.Process(scheduler.pid)
        batch(source)
        batch(source, *address)
        for _ in range(ROUNDS):
            local.append(batch(source))
            before = sum(watched.cpu_times()[:2])
            remote.append(batch(source, *address))
            busy.append(sum(watched.cpu_times()[:2]) - before)
    here, there, taken = (Times(tuple(each)).median for each in (local, remote, busy))
    row = [f"{COUNT / here:.0f}", f"{COUNT / there:.0f}", f"{here / there:.2f}", f"{taken:.2f}"]
    head = ["pictures a second, here", f"{WORKERS} workers", "ratio", "scheduler's CPU, s"]
    return table([*head], [row])
