"""Which sample each tap reads: borders, padding, strides and dilations, and how they are said."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgconv.engine.geometry import OUTSIDE, Axis
from imgconv.errors import GeometryError, OptionError
from imgconv.pipeline.layout import border_named, layout
from tests import reference
from tests.reference import BORDERS

# As the documentation of each project names them; written out here, not read from our table.
WORDS = {
    "edge": "edge",
    "replicate": "edge",
    "clamp": "edge",
    "nearest": "edge",
    "constant": "constant",
    "zero": "constant",
    "zeros": "constant",
    "black": "constant",
    "reflect": "reflect",
    "reflect-101": "reflect",
    "symmetric": "symmetric",
    "symm": "symmetric",
    "wrap": "wrap",
    "circular": "wrap",
    "tile": "wrap",
    "periodic": "wrap",
    "numpy:edge": "edge",
    "numpy:constant": "constant",
    "numpy:reflect": "reflect",
    "numpy:symmetric": "symmetric",
    "numpy:wrap": "wrap",
    "scipy:reflect": "symmetric",
    "scipy:grid-mirror": "symmetric",
    "scipy:mirror": "reflect",
    "scipy:nearest": "edge",
    "scipy:wrap": "wrap",
    "scipy:grid-wrap": "wrap",
    "scipy:constant": "constant",
    "scipy:grid-constant": "constant",
    "torch:zeros": "constant",
    "torch:reflect": "reflect",
    "torch:replicate": "edge",
    "torch:circular": "wrap",
    "opencv:reflect": "symmetric",
    "opencv:reflect_101": "reflect",
    "opencv:default": "reflect",
    "opencv:replicate": "edge",
    "opencv:wrap": "wrap",
    "opencv:constant": "constant",
    "im:edge": "edge",
    "im:mirror": "symmetric",
    "im:tile": "wrap",
    "im:black": "constant",
}


def padded(size, amount, border):
    """The indices of an axis as NumPy pads them, OUTSIDE where a fill value stands."""
    how = {"constant_values": OUTSIDE} if border == "constant" else {}
    return np.pad(np.arange(size), amount, border, **how).tolist()


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("size", [1, 2, 3, 4, 7])
def test_border_repeats_as_numpy_pads(border, size):
    """Every border reads what np.pad puts there, up to four times the image's size away."""
    amount = 4 * size + 1
    axis = Axis(size, 1, 0, 0, 1, 1, border)
    positions = range(-amount, size + amount)
    assert [axis.source(p) for p in positions] == padded(size, amount, border)


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("size", [1, 2, 3, 4, 7])
def test_reference_border_repeats_as_numpy_pads(border, size):
    """The reference that the other tests trust reads what np.pad puts there."""
    amount = 4 * size + 1
    found = [reference.source(p, size, border) for p in range(-amount, size + amount)]
    assert [OUTSIDE if p is None else p for p in found] == padded(size, amount, border)


axes = st.builds(
    Axis,
    size=st.integers(1, 9),
    taps=st.integers(1, 6),
    before=st.integers(0, 20),
    after=st.integers(0, 20),
    stride=st.integers(1, 5),
    dilation=st.integers(1, 4),
    border=st.sampled_from(BORDERS),
    anchor=st.integers(0, 9),
).filter(lambda axis: axis.outputs > 0)
quick = settings(max_examples=300, derandomize=True, database=None)


def reads(axis, output, tap):
    """The sample that a tap of an output reads, by the formula and the reference."""
    position = output * axis.stride + tap * axis.dilation - axis.before
    found = reference.source(position, axis.size, axis.border)
    return OUTSIDE if found is None else found


@quick
@given(axes, st.data())
def test_window_holds_what_every_tap_reads(axis, data):
    """A window's positions and starts lead every tap of every output to its sample."""
    first = data.draw(st.integers(0, axis.outputs - 1))
    last = data.draw(st.integers(first + 1, axis.outputs))
    taps = data.draw(st.lists(st.integers(0, axis.taps - 1), min_size=1))
    window = axis.window(first, last, taps)
    sources = window.sources().tolist()
    assert len(sources) == window.length
    for tap in taps:
        start = window.starts[tap]
        assert sources[start : start + last - first] == [
            reads(axis, output, tap) for output in range(first, last)
        ]


@quick
@given(axes, st.data())
def test_runs_spell_out_the_same_sources(axis, data):
    """The runs of a window cover each of its positions once and give the same samples."""
    last = data.draw(st.integers(1, axis.outputs))
    window = axis.window(0, last, range(axis.taps))
    found = {}
    for to, at, step, length in window.runs():
        for n in range(length):
            assert to + n not in found
            found[to + n] = OUTSIDE if at == OUTSIDE else at + n * step
    positions = [p for span in window.positions for p in span]
    assert [found[i] for i in range(window.length)] == [axis.source(p) for p in positions]


def centres(axis):
    """The sample that an unfiltered channel takes for each output."""
    return axis.centre().window(0, axis.outputs, [0]).sources().tolist()


@quick
@given(axes)
def test_unfiltered_samples_come_from_the_middle_of_the_kernel(axis):
    """An unfiltered channel has an output's middle sample, the nearest one outside the image."""
    axis = axis._replace(anchor=axis.dilation * (axis.taps - 1) // 2)
    assert centres(axis) == [
        reference.centre(i, axis.taps, axis.size, axis.before, axis.stride, axis.dilation)
        for i in range(axis.outputs)
    ]


@pytest.mark.parametrize(
    ("taps", "stride", "dilation", "expected"),
    [
        (3, 1, 1, [0, 1, 2, 3, 4]),
        (4, 1, 1, [0, 1, 2, 3, 4]),
        (2, 1, 1, [0, 1, 2, 3, 4]),
        (3, 2, 1, [0, 2, 4]),
        (3, 1, 2, [0, 1, 2, 3, 4]),
        (5, 3, 2, [0, 3]),
    ],
)
def test_unfiltered_samples_stay_in_place_under_same(taps, stride, dilation, expected):
    """Under `same` an unfiltered channel is the image itself, each s-th sample of it."""
    geometry = layout(stride=stride, dilation=dilation).on((5, 5), (taps, taps))
    assert centres(geometry.rows) == expected
    assert centres(geometry.columns) == expected


@pytest.mark.parametrize("anchor", ["center", "opencv", (1, 0)])
def test_unfiltered_samples_of_even_kernels_stay_in_place_under_same(anchor):
    """Whatever the dilation puts before, and whichever tap is the anchor."""
    geometry = layout(dilation=3, anchor=anchor).on((4, 4), (2, 2))
    assert centres(geometry.rows) == centres(geometry.columns) == [0, 1, 2, 3]


@pytest.mark.parametrize(("anchor", "first"), [("center", 1), ("opencv", 2), ((0, 1), 0)])
def test_unfiltered_samples_lie_under_the_anchor_without_padding(anchor, first):
    """The first output of a kernel of 4 rows shows which of them it is."""
    assert centres(layout("valid", anchor=anchor).on((9, 9), (4, 2)).rows)[0] == first


@quick
@given(axes)
def test_size_is_the_number_of_places_where_the_kernel_fits(axis):
    """There are as many outputs as places, one stride apart, where all taps find a sample."""
    samples = axis.size + axis.before + axis.after
    span = axis.dilation * (axis.taps - 1)
    fits = [start for start in range(0, samples, axis.stride) if start + span < samples]
    assert axis.outputs == len(fits)
    amounts = (axis.before, 0, axis.after, 0)
    geometry = layout(amounts, stride=(axis.stride, 1), dilation=(axis.dilation, 1))
    assert geometry.on((axis.size, 3), (axis.taps, 1)).shape == (len(fits), 3)


@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize("taps", [1, 2, 3, 4, 5, 8])
def test_same_adds_the_span_with_the_smaller_half_before(taps, dilation):
    """`same` adds d(k - 1) whatever the stride: half of it, rounded down, before."""
    span = dilation * (taps - 1)
    for stride in (1, 2, 3):
        rows = layout(stride=stride, dilation=dilation).on((9, 9), (taps, 1)).rows
        assert (rows.before, rows.after) == (span // 2, span - span // 2)
        assert rows.outputs == -(-9 // stride)


@pytest.mark.parametrize(
    ("padding", "amounts"),
    [
        ("valid", (0, 0, 0, 0)),
        ("same", (0, 1, 1, 1)),
        (3, (3, 3, 3, 3)),
        ("3", (3, 3, 3, 3)),
        (0, (0, 0, 0, 0)),
        ((1, 2), (1, 2, 1, 2)),
        ([1, 2], (1, 2, 1, 2)),
        ("1,2", (1, 2, 1, 2)),
        ("1, 2", (1, 2, 1, 2)),
        ((1, 2, 3, 4), (1, 2, 3, 4)),
        ("1,2,3,4", (1, 2, 3, 4)),
        (np.int64(2), (2, 2, 2, 2)),
    ],
)
def test_padding_is_said_in_every_form(padding, amounts):
    """Padding is a word, a number, rows and columns, or top, right, bottom and left."""
    geometry = layout(padding).on((9, 9), (2, 3))
    rows, columns = geometry.rows, geometry.columns
    assert (rows.before, columns.after, rows.after, columns.before) == amounts


@pytest.mark.parametrize(
    ("value", "pair"), [(2, (2, 2)), ("2", (2, 2)), ((3, 2), (3, 2)), ("3,2", (3, 2))]
)
def test_stride_and_dilation_are_a_number_or_rows_and_columns(value, pair):
    """Stride and dilation are one number for both axes, or rows before columns."""
    assert layout(stride=value).stride == pair
    assert layout(dilation=value).dilation == pair


@pytest.mark.parametrize(("word", "border"), WORDS.items())
def test_word_means_the_border_of_its_project(word, border):
    """Each alias and each word of a dialect means the border that its project means."""
    assert border_named(word) == border
    assert layout(border=word).border == border


def test_mirror_is_refused_with_both_words_to_choose_from():
    """A bare `mirror` means two things, so the error names the two words that do not."""
    with pytest.raises(OptionError, match=r"reflect.*symmetric") as caught:
        border_named("mirror")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "word",
    [
        "",
        "mirrored",
        "Edge",
        "reflect_101",
        "grid-mirror",
        "numpy:mirror",
        "torch:edge",
        "opencv:mirror",
        "im:wrap",
        "scipy:",
        "gimp:edge",
        ":edge",
        "edge:",
        "a:b:edge",
    ],
)
def test_unknown_border_is_refused(word):
    """A word of no border or of another dialect is refused in one line that quotes it."""
    with pytest.raises(OptionError) as caught:
        layout(border=word)
    message = str(caught.value)
    assert "\n" not in message
    assert repr(word) in message or repr(word.rpartition(":")[0]) in message


@pytest.mark.parametrize(
    ("wrong", "right"), [("refelct", "reflect"), ("simmetric", "symmetric"), ("warp", "wrap")]
)
def test_misspelt_border_is_answered_with_the_right_word(wrong, right):
    """The error for a misspelt border suggests the word that was meant."""
    with pytest.raises(OptionError, match=f"did you mean '{right}'"):
        border_named(wrong)


WRONG = ["", "x", "-1", -1, 1.5, "1.5", "1,2,3", (1, 2, 3), (1, 2, 3, 4, 5), "1,", ",", ()]
WRONG += [True, None, (1, "x"), (1.0, 2.0), 10**400, "9" * 5000, "1;2", (True, 1), float("nan")]


@pytest.mark.parametrize("value", [*WRONG, "Same", "full"], ids=lambda value: repr(value)[:20])
def test_malformed_padding_is_refused(value):
    """Padding that is no known word and no 1, 2 or 4 whole numbers is refused in one line."""
    with pytest.raises(OptionError, match="padding") as caught:
        layout(value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("option", ["stride", "dilation"])
@pytest.mark.parametrize(
    "value",
    [*WRONG, 0, "0", (0, 1), "1,0", (1, 2, 3, 4), "same"],
    ids=lambda value: repr(value)[:20],
)
def test_malformed_stride_or_dilation_is_refused(option, value):
    """A stride or dilation that is not 1 or 2 whole numbers from 1 on is refused in one line."""
    with pytest.raises(OptionError, match=option) as caught:
        layout(**{option: value})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("fill", [float("nan"), float("inf"), float("-inf")])
def test_fill_that_is_not_finite_is_refused(fill):
    """A fill value of NaN or infinity is refused in one line."""
    with pytest.raises(OptionError, match="fill") as caught:
        layout(border="constant", fill=fill)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("image", "kernel", "options"),
    [
        ((2, 9), (3, 3), {"padding": "valid"}),
        ((9, 2), (3, 3), {"padding": "valid"}),
        ((4, 4), (3, 3), {"padding": "valid", "dilation": 2}),
        ((1, 1), (4, 4), {"padding": 1}),
        ((2, 2), (3, 3), {"padding": "valid", "stride": 5}),
        ((1, 1), (200, 1), {"padding": (99, 0, 99, 0)}),
    ],
)
def test_output_without_a_pixel_is_refused(image, kernel, options):
    """A kernel that fits nowhere is refused in one line that says the image's size as WxH."""
    with pytest.raises(GeometryError, match=f"{image[1]}x{image[0]}") as caught:
        layout(**options).on(image, kernel)
    assert "\n" not in str(caught.value)


def test_output_of_one_pixel_is_none_too_few():
    """A kernel that fits exactly once gives one pixel."""
    assert layout("valid", dilation=2).on((5, 3), (3, 2)).shape == (1, 1)
