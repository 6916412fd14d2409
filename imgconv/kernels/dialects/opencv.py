"""OpenCV: Python code that applies the weights to an image."""

from __future__ import annotations

from imgconv.kernels.kernel import Kernel


def write(kernel: Kernel) -> str:
    """Return Python code that applies the weights to an image."""
    rows, columns = kernel.size
    return (
        "import cv2\n"
        "import numpy as np\n\n"
        f"weights = np.array({list(map(list, kernel.weights))!r}) / {kernel.divisor!r}\n"
        f"y = cv2.filter2D(x, -1, weights, anchor=({(columns - 1) // 2}, {(rows - 1) // 2}),\n"
        f"                 delta={kernel.bias!r}, borderType=cv2.BORDER_REPLICATE)"
    )
