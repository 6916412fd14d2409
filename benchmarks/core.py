"""Time the core beside OpenCV and a plain copy in one run, and print a Markdown table.

Run with ``pip install '.[bench]'`` and ``python benchmarks/core.py``.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np

import imgconv
from imgconv import bands, samples
from imgconv.geometry import layout
from imgconv.plan import make_plan


def contenders(width: int, height: int, name: str, threads: int) -> dict[str, Callable[[], object]]:
    """Return what is timed: each does the same filter, or copies the same bytes."""
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    out, kernel = np.empty_like(image), imgconv.load_kernel(name)
    weights = kernel.array / kernel.divisor
    geometry = layout().on((height, width), kernel.size)
    plan = make_plan(kernel, "uint8", "uint8")
    source, target, every = samples.of_array(image), samples.of_array(out), bytes([1, 1, 1])
    cv2.setNumThreads(threads)
    border = cv2.BORDER_REPLICATE
    return {
        "img.copy()": image.copy,
        "imgconv.apply": lambda: imgconv.apply(image, kernel),
        "cv2.filter2D": lambda: cv2.filter2D(image, -1, weights, borderType=border),
        "copy into a given array": lambda: np.copyto(out, image),
        "imgconv into a given array": lambda: bands.run(
            source, target, plan, geometry, every, threads
        ),
        "cv2.filter2D into a given array": lambda: cv2.filter2D(
            image, -1, weights, out, borderType=border
        ),
    }


def measure(todo: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Return milliseconds of each, interleaved, each call after a warm one."""
    times: dict[str, list[float]] = {name: [] for name in todo}
    for _ in range(rounds):
        for name, call in todo.items():
            call()
            start = time.perf_counter()
            call()
            times[name].append((time.perf_counter() - start) * 1000)
    return times


def table(times: dict[str, list[float]]) -> str:
    """Return medians, the spread of the middle half, and ratios to the copies and to OpenCV."""
    median = {name: statistics.median(t) for name, t in times.items()}
    lines = ["| | ms, median (quartiles) | copies | OpenCV's speed |", "|---|---|---|---|"]
    for name, t in times.items():
        low, _, high = statistics.quantiles(t, n=4)
        given = "given" in name
        copy = median["copy into a given array" if given else "img.copy()"]
        peer = median["cv2.filter2D into a given array" if given else "cv2.filter2D"]
        lines.append(
            f"| {name} | {median[name]:.2f} ({low:.2f}-{high:.2f}) "
            f"| {median[name] / copy:.2f} | {peer / median[name]:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure as the arguments say and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="4000x3000", help="of the picture, WxH")
    parser.add_argument("--kernel", default="sobel-left")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=31)
    asked = parser.parse_args()
    width, height = map(int, asked.size.split("x"))
    print(
        f"{asked.kernel} on {width}x{height} RGB, {asked.threads} threads; Python "
        f"{platform.python_version()}, NumPy {np.__version__}, OpenCV {cv2.__version__}\n"
    )
    print(table(measure(contenders(width, height, asked.kernel, asked.threads), asked.rounds)))


if __name__ == "__main__":
    main()
