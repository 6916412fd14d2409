"""NumPy: arrays in files (.npy), and Python code that makes one."""

from __future__ import annotations

from imgconv.errors import KernelError
from imgconv.kernels.dialects.toml_json import bias_of, nested
from imgconv.kernels.kernel import Kernel


def read(data: bytes) -> Kernel:
    """Return the kernel of an array in a file.

    Raises
    ------
    KernelError
        If it is none.
    """
    import io

    import numpy as np

    try:
        array = np.load(io.BytesIO(data), allow_pickle=False)
    except Exception:  # several kinds, in words for who calls it
        raise KernelError(
            "is no array of numbers in a file of numpy.save's, or is cut off; save it anew"
        ) from None
    return Kernel(array)


def write(kernel: Kernel) -> str:
    """Return Python code that makes the weights an array."""
    divisor = f" / {kernel.divisor!r}" if kernel.divisor != 1 else ""
    bias = [f"bias = {bias_of(kernel)}  # added to each response"] if kernel.bias else []
    heading = f"# {kernel.name}: {kernel.summary}" if kernel.summary else f"# {kernel.name}"
    array = f"weights = np.array({nested(kernel.weights)}){divisor}"
    return "\n".join([heading, "import numpy as np", "", array, *bias])
