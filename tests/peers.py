"""The programs of others, where they are installed, and kernels to try on them."""

import shutil
import subprocess

import pytest
from hypothesis import strategies as st

from imgconv import Kernel

NUMBERS = st.one_of(
    st.integers(-1000, 1000), st.floats(-1e6, 1e6, allow_nan=False, allow_subnormal=False)
)


@st.composite
def kernels(draw, bias: bool = True) -> Kernel:
    """Return any kernel."""
    rows, columns = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    row = st.lists(NUMBERS, min_size=columns, max_size=columns)
    weights = draw(st.lists(row, min_size=rows, max_size=rows))
    divisor = draw(st.sampled_from([1, 2, 9, 16, 0.5]))
    return Kernel(weights, divisor=divisor, bias=draw(NUMBERS) if bias else 0)


def peer(*names: str) -> str:
    """Return a program, or skip where it is not installed."""
    found = next(filter(None, map(shutil.which, names)), None)
    if not found:
        pytest.skip(f"{names[0]} is not installed")
    return found


def imagemagick() -> str:
    """Return ImageMagick's program, or skip where it is not installed: others are called so too."""
    for name in ("convert-im6.q16", "magick", "convert"):
        if program := shutil.which(name):
            said = subprocess.run([program, "-version"], capture_output=True, check=False).stdout
            if b"Version: ImageMagick" in said:
                return program
    pytest.skip("ImageMagick is not installed")


def call(*command: object) -> None:
    """Run a program to its end."""
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
