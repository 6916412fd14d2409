"""NumPy: arrays in files (.npy), and Python code that makes one."""

from __future__ import annotations

import math

from imgconv.errors import KernelError, shortened
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
        shape, itemsize = _head(data)
        if len(data) < math.prod(shape) * itemsize:  # what is not there is not made room for
            raise EOFError
        if not math.prod(shape) or not itemsize:
            raise KernelError(f"is an array of shape {shortened(str(shape))}, which has no weights")
        array = np.load(io.BytesIO(data), allow_pickle=False)
    except KernelError:
        raise
    except Exception:  # several kinds, in words for who calls it
        raise KernelError(
            "is no array of numbers in a file of numpy.save's, or is cut off; save it anew"
        ) from None
    return Kernel(array)


def _head(data: bytes) -> tuple[tuple[int, ...], int]:
    """The shape of an array in a file, and how many bytes each of its numbers has."""
    import io

    from numpy.lib import format as npy

    file = io.BytesIO(data)
    old = npy.read_magic(file) == (1, 0)
    shape, _, dtype = (npy.read_array_header_1_0 if old else npy.read_array_header_2_0)(file)
    return shape, dtype.itemsize


def write(kernel: Kernel) -> str:
    """Return Python code that makes the weights an array."""
    divisor = f" / {kernel.divisor!r}" if kernel.divisor != 1 else ""
    bias = [f"bias = {bias_of(kernel)}  # added to each response"] if kernel.bias else []
    heading = f"# {kernel.name}: {kernel.summary}" if kernel.summary else f"# {kernel.name}"
    array = f"weights = np.array({nested(kernel.weights)}){divisor}"
    return "\n".join([heading, "import numpy as np", "", array, *bias])
