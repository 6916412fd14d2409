"""What `imgconv show` says of structure, shapes, cost and receptive fields, by the course."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgconv import Kernel
from imgconv.show import card
from imgconv.spec import CUSTOM, Entry


def shapes(text: str) -> list[str]:
    """Return the sizes that a picture takes, from the lines of --on."""
    return [line.split(" -> ")[1].split(",")[0] for line in text.splitlines() if " -> " in line]


@pytest.mark.parametrize(
    ("spec", "options", "wanted"),
    [
        ("box-3", ["--padding", "1"], "8x8"),
        ("1,1,1;1,1,1;1,1,1;1,1,1;1,1,1", ["--padding", "2,1"], "8x8"),
        ("box-3", ["--padding", "1", "--stride", "2"], "4x4"),
        ("1,1,1,1,1;1,1,1,1,1;1,1,1,1,1", ["--padding", "0,1", "--stride", "3,4"], "2x2"),
    ],
)
def test_padding_and_stride_of_the_course(run, spec, options, wanted):
    """Example 7: an 8x8 picture, kernels of rows x columns, pictures of width x height."""
    result = run("show", spec, "--on", "8x8", *options)
    assert (result.code, result.err) == (0, "")
    assert shapes(result.text) == [wanted]


def test_layers_without_padding_shrink_a_picture(run):
    """Example 7: seven 5x5 layers take 32x32 to 4x4; 224x224 needs 55 of them."""
    args = ("--padding", "valid", "--on")
    text = run("show", *["box-5"] * 7, *args, "32x32").text
    assert shapes(text) == [f"{n}x{n}" for n in range(28, 3, -4)]
    assert shapes(run("show", *["box-5"] * 55, *args, "224x224").text)[-1] == "4x4"
    assert shapes(run("show", *["box-5"] * 44, *args, "224x224").text)[-1] == "48x48"
    assert run("show", *["box-5"] * 56, *args, "224x224").code == 2


def test_the_cost_is_counted(run):
    """Products of what is not 0, weights, and the fully connected layer between the same shapes."""
    text = " ".join(run("show", "sobel-left", "--on", "10x6", "--padding", "valid").text.split())
    assert "6 products a sample" in text
    assert f"{6 * 8 * 4} products in all, 9 weights" in text
    assert f"has {10 * 6 * 8 * 4:,}" in text


@given(
    sides=st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=2, max_size=4),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 3),
)
def test_the_receptive_field_is_what_an_output_depends_on(sides, stride, dilation):
    """Example 12: by counting, backwards, the samples that the first output reads."""
    from imgconv.geometry import layout
    from imgconv.show import chain

    entries = [Entry(Kernel(np.ones(side)), CUSTOM, CUSTOM) for side in sides]
    seen = []
    for axis in (0, 1):
        reads = {0}
        for side in reversed(sides):
            reads = {r * stride + a * dilation for r in reads for a in range(side[axis])}
        seen.append(max(reads) - min(reads) + 1)
    text = chain(entries, layout(stride=stride, dilation=dilation))
    assert f"sees {seen[0]}x{seen[1]} samples" in text


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("sobel-left", ["symmetric top to bottom", "column (1 2 1) times row (1 0 -1)"]),
        ("blur", ["left to right", "column (1 2 1) times row (1 2 1)"]),
        ("sharpen", ["rank 2"]),
        ("1,2;3,5", ["rank 2"]),
        ("1,2,3;4,5,7;7,8,8", ["neither symmetric nor separable"]),
        ("0", ["symmetric"]),
        ("gaussian(sigma=1)", ["separable"]),
    ],
)
def test_structure_is_told(run, spec, words):
    """Symmetry, and the factors of a separable kernel."""
    text = " ".join(run("show", spec).text.split())
    for word in words:
        assert word in text


@given(
    st.lists(st.integers(-9, 9), min_size=1, max_size=4),
    st.lists(st.integers(-9, 9), min_size=1, max_size=4),
)
def test_factors_multiply_to_the_kernel(column, row):
    """What is called separable is the product that is shown."""
    weights = np.outer(column, row)
    if not weights.any():
        return
    shown = " ".join(card(Entry(Kernel(weights), CUSTOM, CUSTOM)).split())
    assert "separable, column (" in shown
    part = shown.split("separable, column (")[1]
    first, rest = part.split(") times row (")
    second, rest = rest.split(")", 1)
    times = float(rest.split("/")[1].split()[0]) if rest.startswith(" /") else 1
    found = np.outer([float(n) for n in first.split()], [float(n) for n in second.split()]) / times
    np.testing.assert_allclose(found, weights, atol=1e-9)


@pytest.mark.parametrize("size", ["8", "0x8", "8x", "axb", "8x8x8", "-1x4", "9999999x1"])
def test_a_wrong_size_is_misuse(run, size):
    """Exit 2, with a right one."""
    result = run("show", "blur", f"--on={size}")
    assert (result.code, "640x480" in result.err) == (2, True)
