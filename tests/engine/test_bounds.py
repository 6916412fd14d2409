"""Nothing is read or written beyond the samples: pages next to them that nobody may touch."""

import subprocess
import sys

import pytest

GUARDED = """
import ctypes, itertools, mmap, sys
import numpy as np
import imgconv

libc = ctypes.CDLL(None)
libc.mprotect.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
kept = []

def guarded(shape, dtype, at_end):
    "Samples that end where a page does, or begin there, between pages that nobody may touch."
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    page, pages = mmap.PAGESIZE, -(-size // mmap.PAGESIZE)
    memory = mmap.mmap(-1, (pages + 2) * page)
    begin = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for edge in (begin, begin + (pages + 1) * page):
        assert libc.mprotect(edge, page, 0) == 0
    kept.append(memory)
    offset = page + (pages * page - size if at_end else 0)
    return np.frombuffer(memory, np.uint8, size, offset).view(dtype).reshape(shape)

kernels = {name: imgconv.load_kernel(name) for name in sys.argv[2:]}
sizes = (16, 512), (5, 37), (1, 1), (3, 7), (2, 33), (6, 65)
for (shape, channels, at_end) in itertools.product(sizes, (1, 3, 4), (False, True)):
    shape = (*shape, channels) if channels > 1 else shape
    image = np.random.default_rng(5).integers(0, 256, shape).astype(sys.argv[1])
    edged = guarded(shape, sys.argv[1], at_end)
    edged[...] = image
    for name, kernel in kernels.items():
        if name in ("luma", "sepia") and channels != 3:
            continue
        wanted = imgconv.apply(image, kernel)
        out = guarded(wanted.shape, wanted.dtype, at_end)
        assert np.array_equal(imgconv.apply(edged, kernel, out=out), wanted), (name, shape)
print("within")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no mprotect here")
@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
def test_nothing_beyond_the_samples_is_touched(kind: str) -> None:
    """Else pictures in memory-mapped files would end a process, now and then."""
    kernels = (
        "identity", "sobel-right", "emboss", "sharpen", "luma", "sepia",
        "box(size=3)", "box(size=15)", "motion(length=9)", "gaussian(sigma=1)",
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", GUARDED, kind, *kernels], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "within\n", "")
