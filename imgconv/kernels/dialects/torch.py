"""PyTorch: Python code that applies the weights to a tensor."""

from __future__ import annotations

from typing import Any

from imgconv.kernels.kernel import Kernel


def write(kernel: Kernel) -> str:
    """Return Python code that applies the weights to a tensor (N, C, H, W).

    Weights of two dimensions are for each channel by itself.
    """
    rows, columns = kernel.size
    bias = kernel.bias
    if len(kernel.shape) == 2:
        expanded, groups = f".expand(x.shape[1], 1, {rows}, {columns})", "x.shape[1]"
    else:
        expanded = ".unsqueeze(0)" * (len(kernel.shape) == 3)
        groups = f"x.shape[1] // {kernel.shape[-3]}"
    if isinstance(bias, tuple):
        added = f"torch.tensor({list(bias)!r}).reshape(-1, 1, 1)"
    else:
        added = repr(bias)
    return (
        "import torch\n"
        "from torch.nn import functional as F\n\n"
        f"weights = torch.tensor({_lists(kernel.weights)!r}, dtype=torch.float32)\n"
        f"weights = weights{expanded} / {kernel.divisor!r}\n"
        f"x = F.pad(x, ({(columns - 1) // 2}, {columns // 2}, {(rows - 1) // 2}, {rows // 2}), "
        '"replicate")\n'
        f"y = F.conv2d(x, weights, groups={groups}) + {added}"
    )


def _lists(weights: Any) -> Any:
    return [_lists(part) for part in weights] if isinstance(weights, tuple) else weights
