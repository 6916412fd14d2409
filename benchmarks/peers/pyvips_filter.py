"""The equal work in pyvips: input, output."""

import sys
from typing import Any

import pyvips

SOBEL = [[1, 0, -1], [2, 0, -2], [1, 0, -1]]


def work(source: str, target: str) -> None:
    """Filter one picture; unasked, JPEG of quality 90 would have chroma of the full size."""
    image: Any = pyvips.Image.new_from_file(source, access="sequential")
    jpeg = {"Q": 90, "subsample_mode": "on"} if target.endswith(".jpg") else {}
    image.conv(SOBEL, precision="integer").write_to_file(target, **jpeg)


if __name__ == "__main__":
    work(*sys.argv[1:])
