"""The correlation itself, beside OpenCV's routines and Pillow's in the same process."""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

import imgconv
from benchmarks.jobs import SOBEL, Job, Picture, Row, box, gaussian, real, rows
from benchmarks.measure import Times, in_turns, ratio, table

Pixels = npt.NDArray[Any]
Calls = dict[str, Callable[[], Any]]
# How far apart two answers may be. OpenCV's gaussians have taps of 8 or 16 bits.
LEVEL = {"uint8": 1, "uint16": 1, "float32": 1e-5}
GAUSSIAN_LEVELS = 4
DRAWN = (Picture(64, 64), Picture(512, 512), Picture(1920, 1080), Picture(4000, 3000))
OTHERS = ("imgconv", "img.copy()", "Pillow")


@dataclass(frozen=True)
class Measured:
    """What a row took, by contender: imgconv, a copy, Pillow and every routine of OpenCV's."""

    row: Row
    threads: int
    times: dict[str, Times]

    @property
    def ranked(self) -> list[str]:
        """The routines of OpenCV's that do the job, the fastest first."""
        routines = self.times.keys() - set(OTHERS)
        return sorted(routines, key=lambda name: self.times[name].median)

    @property
    def ratio(self) -> float:
        """How many times as long OpenCV's fastest takes as imgconv."""
        return self.times[self.ranked[0]].median / self.times["imgconv"].median


def contenders(image: Pixels, job: Job) -> Calls:
    """Return what is timed: the same taps with the same border, a new picture from an old."""
    ours = {"imgconv": lambda: imgconv.apply(image, job.kernel), "img.copy()": image.copy}
    return {**ours, **_opencv(image, job), **_pillow(image, job)}


def _opencv(image: Pixels, job: Job) -> Calls:
    """Return all routines that suit the job: which is the fastest depends on type and size."""
    border, weights = cv2.BORDER_REPLICATE, job.kernel.array / job.kernel.divisor
    size = weights.shape[:2]
    match job.family:
        case "box":
            return {"blur": lambda: cv2.blur(image, size, borderType=border)}
        case "gaussian":
            taps = weights.sum(0)
            return {
                "GaussianBlur": lambda: cv2.GaussianBlur(image, size, job.sigma, borderType=border),
                "sepFilter2D": lambda: cv2.sepFilter2D(image, -1, taps, taps, borderType=border),
            }
        case "sepia":
            matrix = weights[:, :, 0, 0]
            return {"transform": lambda: cv2.transform(image, matrix)}
        case "luma":
            return {"cvtColor": lambda: cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)}
    calls: Calls = {"filter2D": lambda: cv2.filter2D(image, -1, weights, borderType=border)}
    if job.family == "sobel":
        calls["Sobel"] = lambda: cv2.Sobel(image, -1, 1, 0, borderType=border)
    return calls


def _pillow(image: Pixels, job: Job) -> Calls:
    """Return Pillow's own, if it has one, for 8 bits only."""
    if image.dtype != np.uint8:
        return {}
    picture, weights = Image.fromarray(image), job.kernel.array / job.kernel.divisor
    blur: ImageFilter.Filter
    match job.family:
        case "box":
            blur = ImageFilter.BoxBlur(len(weights) // 2)
        case "gaussian":
            blur = ImageFilter.GaussianBlur(job.sigma)  # three boxes, which only look alike
        case "sepia":
            rows = [tuple(row) for row in np.pad(weights[:, :, 0, 0], ((0, 0), (0, 1)))]
            matrix = sum(rows, ())
            return {"Pillow": lambda: picture.convert("RGB", matrix)}
        case "luma":
            return {"Pillow": lambda: picture.convert("L")}
        case _ if weights.shape in ((3, 3), (5, 5)):
            # Its kernels are upside down, and the border stays as it is.
            blur = ImageFilter.Kernel(weights.shape, weights[::-1].ravel().tolist(), scale=1)
        case _:
            return {}
    return {"Pillow": lambda: picture.filter(blur)}


def check(row: Row) -> None:
    """Raise if a contender computes something else on a picture of another size."""
    inside = np.s_[2:-2, 2:-2]  # Pillow's kernels leave the border alone
    image = Picture(320, 240, row.picture.channels, row.picture.type).noise()
    calls = contenders(image, row.job)
    ours = calls["imgconv"]().astype(float)
    blurred = row.job.family == "gaussian"
    limit = LEVEL[row.picture.type] * (GAUSSIAN_LEVELS if blurred else 1)
    for name in calls.keys() - {"imgconv", "img.copy()"}:
        if name == "Pillow" and blurred:
            continue
        worst = np.abs(np.asarray(calls[name]()) - ours)[inside].max()
        if worst > limit:
            raise AssertionError(f"{name} is {worst:g} off with {row.name}")


def measured(row: Row, threads: int, seconds: float) -> Measured:
    """Time all contenders of a row."""
    os.environ["IMGCONV_THREADS"] = str(threads)
    cv2.setNumThreads(threads)
    calls = contenders(row.picture.noise(), row.job)
    return Measured(row, threads, in_turns(calls, seconds=seconds))


def everything(quick: bool) -> Iterator[Measured]:
    """Yield all rows, on two threads and, unless in a hurry, on one."""
    for row in rows():
        check(row)
    for threads in (2,) if quick else (2, 1):
        for row in rows():
            found = measured(row, threads, 1 if quick else 4)
            print(f"{row.name}: {found.ratio:.2f}", file=sys.stderr, flush=True)
            yield found


def report(found: Sequence[Measured]) -> str:
    """Return how often we are ahead, and a table with the worst rows first."""
    head = [
        "kernel", "picture", "threads", "OpenCV's best", "", "its other", "Pillow",
        "imgconv, ms (quartiles)", "copies",
    ]  # fmt: skip
    lines = []
    for each in sorted(found, key=lambda each: each.ratio):
        ours, (best, *others) = each.times["imgconv"], each.ranked
        other = [f"{name} {ratio(each.times[name], ours)}" for name in others]
        lines.append([
            each.row.job.name, each.row.picture.name, each.threads, f"{each.ratio:.2f}", best,
            *(other or "-"), ratio(each.times.get("Pillow"), ours), ours.spread,
            f"{ours.median / each.times['img.copy()'].median:.1f}",
        ])  # fmt: skip
    return f"{_summary(found)}\n\n{table(head, lines)}"


def _summary(found: Sequence[Measured]) -> str:
    lines = []
    for threads in dict.fromkeys(each.threads for each in found):
        ratios = [each.ratio for each in found if each.threads == threads]
        behind = sum(each < 1 for each in ratios)
        lines.append(
            f"On {threads} thread{'s' * (threads > 1)}, OpenCV's best takes "
            f"{statistics.geometric_mean(ratios):.2f} times as long as imgconv in the geometric "
            f"mean of {len(ratios)} rows; imgconv is behind in {behind}."
        )
    return "\n".join(lines)


def ratios(found: Sequence[Measured]) -> dict[str, dict[str, float]]:
    """Return the ratios on two threads by picture and job, for the pictures of the plot."""
    both = [each for each in found if each.threads == 2]
    return {
        picture.name: {
            each.row.job.name: each.ratio for each in both if each.row.picture == picture
        }
        for picture in DRAWN
    }


def growth() -> str:
    """Return how the time grows with the pixels and with the side of the kernel."""
    grown = [Row(SOBEL, Picture(side, side, 1)) for side in (256, 512, 1024, 2048, 4096, 8192)]
    jobs = (
        *map(real, (3, 5, 7, 9, 11, 15, 21, 31, 45, 63)), *map(box, (3, 15, 63, 255)),
        *map(gaussian, (0.5, 1, 2, 4, 8, 16, 30)),
    )  # fmt: skip
    grown += [Row(job, Picture(2048, 2048, 1)) for job in jobs]
    lines = []
    for row in grown:
        found = measured(row, 2, 2)
        pixels = row.picture.width * row.picture.height
        each = (f"{found.times[n].median / pixels * 1e9:.2f}" for n in ("imgconv", found.ranked[0]))
        lines.append([row.name, *each, found.ranked[0]])
    return table(["2 threads", "imgconv, ns a pixel", "OpenCV, ns a pixel", "its best"], lines)
