"""The correlation itself, beside libraries in the same process: uint8 in, a new uint8 out."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pyvips
import skimage
import torch
from PIL import Image, ImageFilter
from scipy import ndimage
from torch.nn import functional

import imgconv
from benchmarks.measure import Times, in_turns, ratio, table

Pixels = npt.NDArray[np.uint8]
PEERS = ("OpenCV", "pyvips", "torch", "SciPy", "scikit-image", "Pillow")
SIZES = {0.25: (512, 512), 2.0: (1600, 1250), 12.0: (4000, 3000), 48.0: (8000, 6000)}
# A contender that would take longer for one call is left out.
LONGEST = 1.0


@dataclass(frozen=True)
class Case:
    """A kernel: whole or real weights, or the one row of taps of a gaussian with its sigma."""

    name: str
    weights: npt.NDArray[np.float64]
    taps: npt.NDArray[np.float64] | None = None
    sigma: float = 0

    @property
    def kernel(self) -> imgconv.Kernel:
        """The kernel as imgconv takes it: whole numbers stay whole."""
        whole = (self.weights % 1 == 0).all()
        return imgconv.Kernel((self.weights.astype(int) if whole else self.weights).tolist())


def whole(side: int) -> Case:
    """Return a dense kernel of whole numbers; of side 3 it is sobel-left."""
    if side == 3:
        return Case("sobel-left 3x3", imgconv.load_kernel("sobel-left").array.astype(float))
    weights = np.random.default_rng(side).integers(-3, 6, (side, side))
    return Case(f"whole {side}x{side}", np.where(weights, weights, 1).astype(float))


def real(side: int) -> Case:
    """Return a dense kernel of real numbers, whose magnitudes add up to 1."""
    weights = np.random.default_rng(side).normal(size=(side, side))
    return Case(f"real {side}x{side}", weights / np.abs(weights).sum())


def gaussian(sigma: float) -> Case:
    """Return a gaussian cut off at 4 sigma."""
    reach = int(4 * sigma + 0.5)
    taps = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    taps /= taps.sum()
    return Case(f"gaussian sigma {sigma:g}", np.outer(taps, taps), taps, sigma)


CASES = (
    *map(whole, (3, 5, 7)), *map(real, (3, 5, 7, 15, 31)), *map(gaussian, (1, 3, 10)),
)  # fmt: skip


def as_pixels(response: npt.NDArray[Any]) -> Pixels:
    """Round and clip as everybody must who computes in floats."""
    pixels: Pixels = np.clip(np.rint(response), 0, 255).astype(np.uint8)
    return pixels


def contenders(image: Pixels, case: Case, threads: int) -> dict[str, Callable[[], Any]]:
    """Return what is timed: the same taps with the same border, each with so many threads."""
    os.environ["IMGCONV_THREADS"] = str(threads)
    cv2.setNumThreads(threads)
    pyvips.concurrency_set(threads)
    torch.set_num_threads(threads)
    kernel = case.kernel
    calls = {
        "img.copy()": image.copy,
        "imgconv": lambda: imgconv.apply(image, kernel),
        "OpenCV": _opencv(image, case),
        "pyvips": _pyvips(image, case),
        "torch": _torch(image, case),
        "SciPy": _scipy(image, case),
        "scikit-image": _skimage(image, case),
    }
    if case.weights.shape in ((3, 3), (5, 5)) and (case.weights % 1 == 0).all():
        calls["Pillow"] = _pillow(image, case)
    return calls


def _opencv(image: Pixels, case: Case) -> Callable[[], Any]:
    border, taps = cv2.BORDER_REPLICATE, case.taps
    if taps is not None:
        return lambda: cv2.sepFilter2D(image, -1, taps, taps, borderType=border)
    return lambda: cv2.filter2D(image, -1, case.weights, borderType=border)


def _pyvips(image: Pixels, case: Case) -> Callable[[], Any]:
    pyvips.cache_set_max(0)
    source = pyvips.Image.new_from_array(image)
    if case.taps is not None:
        row = pyvips.Image.new_from_array([case.taps.tolist()])
        return lambda: source.convsep(row, precision="float").rint().cast("uchar").numpy()
    mask = pyvips.Image.new_from_array(case.weights.tolist())
    if (case.weights % 1 == 0).all():
        return lambda: source.conv(mask, precision="integer").numpy()
    return lambda: source.conv(mask, precision="float").rint().cast("uchar").numpy()


def _torch(image: Pixels, case: Case) -> Callable[[], Any]:
    """Planes side by side, as torch wants them: laying them out so is not timed."""
    planes = torch.from_numpy(np.ascontiguousarray(np.moveaxis(np.atleast_3d(image), 2, 0)))
    high, wide = case.weights.shape
    around = (wide // 2, wide // 2, high // 2, high // 2)
    passes = [torch.tensor(case.weights, dtype=torch.float32)]
    if case.taps is not None:
        row = torch.tensor(case.taps[None], dtype=torch.float32)
        passes = [row, row.T]

    def run() -> Any:
        x = functional.pad(planes[:, None].float(), around, mode="replicate")
        for weights in passes:
            x = functional.conv2d(x, weights[None, None])
        return x.round_().clamp_(0, 255).to(torch.uint8)

    return run


def _scipy(image: Pixels, case: Case) -> Callable[[], Any]:
    taps = case.taps
    if taps is not None:

        def separable() -> Any:
            down = ndimage.correlate1d(image, taps, 0, np.float32, mode="nearest")
            return as_pixels(ndimage.correlate1d(down, taps, 1, mode="nearest"))

        return separable
    weights = case.weights.reshape(case.weights.shape + (1,) * (image.ndim - 2))
    return lambda: as_pixels(ndimage.correlate(image, weights, np.float32, mode="nearest"))


def _skimage(image: Pixels, case: Case) -> Callable[[], Any]:
    filters: Any = skimage.filters  # without types
    if case.taps is not None:
        return lambda: as_pixels(
            filters.gaussian(
                image, case.sigma, mode="nearest", preserve_range=True, truncate=4,
                channel_axis=2 if image.ndim == 3 else None,
            )
        )  # fmt: skip
    weights = case.weights.reshape(case.weights.shape + (1,) * (image.ndim - 2))
    return lambda: as_pixels(filters.correlate_sparse(image, weights, mode="nearest"))


def _pillow(image: Pixels, case: Case) -> Callable[[], Any]:
    """Pillow turns its kernels upside down, and leaves the border as it is."""
    kernel = ImageFilter.Kernel(case.weights.shape, case.weights[::-1].ravel().tolist(), scale=1)
    picture = Image.fromarray(image)
    return lambda: picture.filter(kernel)


def check(image: Pixels, case: Case) -> None:
    """Raise if a contender computes something else; Pillow's border and torch's axes apart."""
    inside = np.s_[40:-40, 40:-40]
    calls = contenders(image, case, 1)
    ours = calls["imgconv"]().astype(int)
    for name in PEERS:
        if name not in calls:
            continue
        theirs = np.asarray(calls[name]())
        if name == "torch":
            theirs = np.moveaxis(theirs[:, 0], 0, 2).reshape(image.shape)
        worst = np.abs(theirs.astype(int).reshape(image.shape) - ours)[inside].max()
        if worst > 3:  # OpenCV's gaussians have weights of eight bits
            raise AssertionError(f"{name} is {worst} levels off with {case.name}")


def measured(
    megapixels: float, channels: int, case: Case, threads: int, slow: dict[tuple[str, str], float]
) -> dict[str, Times]:
    """Time one case, without those of whom `slow` says that they would take too long."""
    width, height = SIZES[megapixels]
    shape = (height, width, channels) if channels > 1 else (height, width)
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    calls = {
        name: call
        for name, call in contenders(image, case, threads).items()
        if name == "imgconv" or slow.get((name, case.name), 0) * image.size < LONGEST
    }
    found = in_turns(calls, seconds=1.5)
    for name, times in found.items():
        slow[name, case.name] = times.median / image.size
    return found


Cell = tuple[str, int, float, int]


def everything(quick: bool) -> Iterator[tuple[Cell, dict[str, Times]]]:
    """Yield all cases, sizes, channels and threads with what was measured."""
    slow: dict[tuple[str, str], float] = {}
    for case in CASES:
        for channels in (3, 1):
            shape = (512, 512, channels) if channels > 1 else (512, 512)
            check(np.random.default_rng(1).integers(0, 256, shape, np.uint8), case)
    for megapixels in (0.25, 12.0) if quick else SIZES:
        for threads in (1, 2):
            for case in CASES:
                for channels in (3, 1):
                    times = measured(megapixels, channels, case, threads, slow)
                    print(case.name, channels, megapixels, threads, file=sys.stderr, flush=True)
                    yield (case.name, channels, megapixels, threads), times


def report(cells: dict[Cell, dict[str, Times]]) -> str:
    """Return one table: our milliseconds, and how many times as long everybody else takes."""
    head = ["kernel", "", "Mpx", "threads", "imgconv, ms (quartiles)", "copies", *PEERS]
    rows = []
    for (name, channels, megapixels, threads), times in cells.items():
        ours = times["imgconv"]
        copies = f"{ours.median / times['img.copy()'].median:.1f}"
        peers = [ratio(times.get(peer), ours) for peer in PEERS]
        colour = "RGB" if channels == 3 else "gray"
        rows.append([name, colour, f"{megapixels:g}", threads, ours.spread, copies, *peers])
    return table(head, rows)


def growth() -> str:
    """Return how the time grows with the pixels and with the side of the kernel."""
    widths, cases = (256, 512, 1024, 2048, 4096, 8192), (
        *map(real, (3, 5, 7, 9, 11, 15, 21, 31, 45, 63)),
        *map(gaussian, (0.5, 1, 2, 4, 8, 16)),
    )  # fmt: skip
    rows = [_growing(whole(3), width) for width in widths]
    rows += [_growing(case, 2048) for case in cases]
    return table(["gray, 2 threads", "imgconv, ns a pixel", "OpenCV, ns a pixel"], rows)


def _growing(case: Case, width: int) -> list[str]:
    image = np.random.default_rng(0).integers(0, 256, (width, width), np.uint8)
    calls = contenders(image, case, 2)
    found = in_turns({name: calls[name] for name in ("imgconv", "OpenCV")}, seconds=2)
    each = [f"{times.median / image.size * 1e9:.2f}" for times in found.values()]
    return [f"{case.name}, {width}x{width}", *each]
