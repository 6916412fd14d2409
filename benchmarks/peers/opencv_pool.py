"""The equal work in OpenCV for a folder, with two processes: folder, output folder."""

import multiprocessing
import sys
from pathlib import Path

import cv2
import numpy as np

SOBEL = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]], np.float32)


def work(path: Path) -> None:
    """Filter one picture."""
    cv2.setNumThreads(1)
    image = cv2.imread(str(path))
    assert image is not None
    found = cv2.filter2D(image, -1, SOBEL, borderType=cv2.BORDER_REPLICATE)
    cv2.imwrite(str(Path(sys.argv[2], path.name)), found, [cv2.IMWRITE_JPEG_QUALITY, 90])


if __name__ == "__main__":
    with multiprocessing.Pool(2) as pool:
        pool.map(work, sorted(Path(sys.argv[1]).glob("*.jpg")))
