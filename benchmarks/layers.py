"""Sums over channels and combined kernels, 12 Mpx, beside libraries in the same process."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import torch
from torch.nn import functional

import imgconv
from benchmarks.measure import in_turns, ratio, table
from imgconv.engine import run, samples
from imgconv.engine.step import Step
from imgconv.kernels.recipes import Combined
from imgconv.pipeline.layout import layout

HEIGHT, WIDTH = 3000, 4000
Calls = dict[str, Callable[[], Any]]


def convolution(outputs: int, side: int) -> Calls:
    """Return a layer of real weights over the three channels of a float32 picture."""
    random = np.random.default_rng(0)
    image = random.random((HEIGHT, WIDTH, 3), np.float32)
    weights = random.normal(size=(outputs, 3, side, side)).astype(np.float32)
    planes = torch.from_numpy(image).permute(2, 0, 1)[None].contiguous()  # torch's own order
    kernel, tensor = imgconv.Kernel(weights), torch.from_numpy(weights)

    def by_torch() -> Any:
        with torch.inference_mode():
            return functional.conv2d(planes, tensor, padding=side // 2)

    return {
        "imgconv": lambda: imgconv.correlate(image, kernel, border="constant"),
        "torch": by_torch,
    }


def magnitude() -> Calls:
    """Return the magnitude of two Sobels on a gray picture, as pixels."""
    image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH), np.uint8)
    kernels = imgconv.load_kernel("sobel-right"), imgconv.load_kernel("sobel-bottom")
    step, source = Step(Combined("magnitude", kernels), layout()), samples.of_array(image)

    def by_us() -> Any:
        out = np.empty_like(image)
        run.to_pixels(source, samples.of_array(out), step, "clip", b"\1")
        return out

    def by_opencv() -> Any:
        across, down = (cv2.Sobel(image, cv2.CV_32F, *axes) for axes in ((1, 0), (0, 1)))
        return cv2.convertScaleAbs(cv2.magnitude(across, down))

    return {"imgconv": by_us, "OpenCV": by_opencv}


def luma() -> Calls:
    """Return the brightness of an RGB picture, a 1x1 kernel over its channels."""
    image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    return {
        "imgconv": lambda: imgconv.apply(image, "luma"),
        "OpenCV": lambda: cv2.cvtColor(image, cv2.COLOR_RGB2GRAY),
    }


def sepia() -> Calls:
    """Return a matrix over the channels of an RGB picture."""
    image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    matrix = np.array(imgconv.load_kernel("sepia").array[:, :, 0, 0] / 1000)
    return {
        "imgconv": lambda: imgconv.apply(image, "sepia"),
        "OpenCV": lambda: cv2.transform(image, matrix),
    }


CASES = {
    "float32 RGB, 16x3x3x3": lambda: convolution(16, 3),
    "float32 RGB, 4x3x5x5": lambda: convolution(4, 5),
    "uint8 gray, magnitude of two Sobels": magnitude,
    "uint8 RGB, luma": luma,
    "uint8 RGB, sepia": sepia,
}


def report() -> str:
    """Return one table: our milliseconds, and how many times as long the others take."""
    os.environ["IMGCONV_THREADS"] = "2"
    cv2.setNumThreads(2)
    torch.set_num_threads(2)
    rows = []
    for name, make in CASES.items():
        times = in_turns(make(), seconds=6)
        peers = [ratio(times.get(peer), times["imgconv"]) for peer in ("OpenCV", "torch")]
        rows.append([name, times["imgconv"].spread, *peers])
    return table(["kernel", "imgconv, ms (quartiles)", "OpenCV", "torch"], rows)
