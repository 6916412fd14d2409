"""Dask arrays, 12 Mpx, beside dask-image in the same process, with chunks of several sizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dask
import dask.array as da
import numpy as np
from dask_image import ndfilters

import imgconv.dask
from benchmarks.measure import in_turns, ratio, table

HEIGHT, WIDTH = 3000, 4000
CHUNKS = (512, 1000, 2000)
KERNELS = {
    "sobel-left 3x3": "sobel-left",
    "box 7x7": np.ones((7, 7), int).tolist(),
    "real 5x5": np.random.default_rng(1).normal(size=(5, 5)).tolist(),
}


def filtered(chunk: int, spec: Any) -> dict[str, Callable[[], Any]]:
    """Return a gray picture in memory through a kernel, with SciPy's default border."""
    image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH), np.uint8)
    array, kernel = da.from_array(image, chunks=chunk), imgconv.load_kernel(spec)
    turned = kernel.flipped().array
    return {
        "imgconv": lambda: imgconv.dask.apply(array, kernel, border="scipy:reflect").compute(),
        "dask-image": lambda: ndfilters.convolve(array, turned).compute(),
    }


def report() -> str:
    """Return one table: our milliseconds, and how many times as long dask-image takes."""
    rows = []
    with dask.config.set(scheduler="threads", num_workers=2):
        for name, spec in KERNELS.items():
            for chunk in CHUNKS:
                times = in_turns(filtered(chunk, spec), seconds=6)
                peer = ratio(times.get("dask-image"), times["imgconv"])
                rows.append([name, f"{chunk}x{chunk}", times["imgconv"].spread, peer])
    return table(["kernel", "chunks", "imgconv, ms (quartiles)", "dask-image"], rows)
