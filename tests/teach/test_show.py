"""What `imgconv show` says of structure, shapes, cost and receptive fields, by the course."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgconv import Kernel
from imgconv.kernels.catalog import CUSTOM, Entry
from imgconv.teach.show import card
from tests.terminal import PALETTE, in_terminal


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
    from imgconv.pipeline.layout import layout
    from imgconv.teach.show import chain

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


def grounds(shown: str, lines: slice) -> list[list[tuple[str, tuple | None]]]:
    """Return the numbers of a grid in a terminal, each with the colour that it stands on."""
    cell = re.compile(r"\x1b\[38;5;16;48;5;(\d+)m([^\x1b]*)\x1b\[0m|([^\x1b]+)")
    found = []
    for line in shown.splitlines()[lines]:
        found.append([])
        for ground, tinted, plain in cell.findall(line):
            colour = PALETTE[int(ground)] if ground else None
            found[-1] += [(word, colour) for word in (tinted or plain).split()]
    return found


def test_weights_are_coloured_by_sign_and_size(tmp_path):
    """On a terminal: warm above 0, cold below, more so the greater, and dark ink on all."""
    code, shown = in_terminal(tmp_path, "show", "8,4,1;0,-4,-8")
    rows = grounds(shown, slice(2, 4))
    assert code == 0
    assert [[word for word, _ in row] for row in rows] == [["8", "4", "1"], ["0", "-4", "-8"]]
    (eight, four, one), (zero, less, least) = ([colour for _, colour in row] for row in rows)
    assert zero is None
    assert all(red > blue for red, _, blue in (eight, four, one))
    assert all(blue > red for red, _, blue in (less, least))
    assert len({eight, four, one, less, least}) == 5
    for red, green, blue in (eight, four, one, less, least):  # black on it: at least 7 to 1
        linear = [(v / 255) ** 2.2 for v in (red, green, blue)]
        assert (np.dot(linear, [0.2126, 0.7152, 0.0722]) + 0.05) / 0.05 > 7


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours_can_be_declined(run, tmp_path, environment):
    """The terminal shows what a pipe gets."""
    _, shown = in_terminal(tmp_path, "show", "sobel-left", columns=80, **environment)
    assert shown == run("show", "sobel-left").text
    assert "\x1b" not in shown


@pytest.mark.parametrize(
    "spec",
    [
        "sobel-left", "gaussian(sigma=1)", "gaussian(sigma=4)", "log(sigma=5)", "motion-up",
        "motion(length=200)", "motion(length=200,angle=90)", "1e-90,1e90", "0.1234567,-1e-9",
    ],
)  # fmt: skip
def test_no_line_is_wider_than_80(run, spec):
    """Piped, without escape codes, however wide the kernel is."""
    result = run("show", spec)
    assert result.code == 0
    assert max(map(len, result.text.splitlines())) <= 80
    assert "\x1b" not in result.text


def test_the_list_is_no_wider_than_80(run):
    """Names, sizes and summaries of what is shipped."""
    text = run("list").text
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text


@given(
    side=st.integers(30, 60),
    seed=st.integers(0, 99),
    columns=st.integers(70, 100),
)
def test_wide_kernels_are_maps_of_sign_and_size(side, seed, columns):
    """One character a weight: its sign, in thirds of the greatest, or next to nothing."""
    weights = np.random.default_rng(seed).normal(size=(3, side)) ** 3
    lines = card(Entry(Kernel(weights), CUSTOM, CUSTOM), width=columns).splitlines()
    start = lines.index("") + 1
    shares = weights / abs(weights).max()
    for line, row in zip(lines[start : start + 3], shares, strict=True):
        for character, share in zip(line.removeprefix("  "), row, strict=True):
            if abs(share) < 0.05:
                assert character == "."
            else:
                assert character == ("+*#" if share > 0 else "-~=")[min(int(abs(share) * 3), 2)]


def test_a_kernel_wider_than_the_terminal_is_mapped_in_blocks(run):
    """Each character the greatest of several weights."""
    row = ["0"] * 200
    row[7], row[100] = "1", "-1"
    lines = run("show", ",".join(row)).text.splitlines()
    assert lines[2] == "  " + "." * 2 + "#" + "." * 30 + "=" + "." * 33
    assert "3x3" in lines[4]


def test_long_decimals_are_rounded_to_fit(run):
    """Three digits of the greatest, all with as many decimals; a note says so."""
    text = run("show", "0.123456,-0.0000321,0.01" + ",0.0654321" * 7).text
    assert text.splitlines()[2].split() == ["0.123", "0.000", "0.010"] + ["0.065"] * 7
    assert "rounded" in text
