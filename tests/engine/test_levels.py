"""The one rule from a response to a pixel: its formula, then rounding, then saturation."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgconv.engine.levels import LEVELS, rule
from imgconv.errors import OptionError
from imgconv.pictures.responses import to_pixels
from tests import reference

MAXIMUM = {"uint8": 255, "uint16": 65535}
NAN, INF = float("nan"), float("inf")


def pixels(responses, sample="uint8", levels="clip"):
    """Return what the rule makes of some responses, as a list."""
    out = to_pixels(np.array(responses, np.float64), sample, levels)
    assert out.dtype == sample
    return out.tolist()


@pytest.mark.parametrize(
    ("response", "pixel"),
    [
        (-1, 0),
        (-0.5, 0),
        (0.5, 0),
        (0.500001, 1),
        (1.5, 2),
        (2.5, 2),
        (127.5, 128),
        (254.5, 254),
        (254.50001, 255),
        (255.5, 255),
        (256, 255),
        (1e300, 255),
        (-1e300, 0),
        (NAN, 0),
        (INF, 255),
        (-INF, 0),
    ],
)
def test_response_is_rounded_half_to_even_then_saturated(response, pixel):
    """A response becomes the nearest pixel, the even one of two, within 0 to 255; NaN is 0."""
    assert pixels([response]) == [pixel]


@pytest.mark.parametrize(
    ("response", "pixel"), [(65534.5, 65534), (65535.5, 65535), (65536, 65535), (256, 256), (-1, 0)]
)
def test_sixteen_bits_saturate_at_their_own_maximum(response, pixel):
    """The same rule holds for uint16, with 65535 for 255."""
    assert pixels([response], "uint16") == [pixel]


@pytest.mark.parametrize(
    ("response", "pixel"), [(-1, 1), (-0.5, 0), (-1.5, 2), (-254.5, 254), (-256, 255), (-INF, 255)]
)
def test_abs_takes_the_absolute_value_before_rounding(response, pixel):
    """Under abs a negative response gives what its absolute value gives."""
    assert pixels([response, -response], levels="abs") == [pixel, pixel]


@pytest.mark.parametrize(
    ("response", "pixel"),
    [(0, 128), (1, 128), (3, 130), (-1, 128), (-256, 0), (-257, 0), (254, 255), (255, 255)],
)
def test_offset_puts_zero_in_the_middle_and_halves(response, pixel):
    """Under offset a response r gives 128 + r/2, rounded half to even."""
    assert pixels([response], levels="offset") == [pixel]


def test_offset_of_sixteen_bits_puts_zero_at_32768():
    """Under offset the middle is (M + 1)/2 of the sample type."""
    assert pixels([0, 2, -65536, 65534], "uint16", "offset") == [32768, 32769, 0, 65535]


def test_stretch_spans_from_the_least_to_the_greatest_response():
    """Under stretch the least response becomes 0 and the greatest the maximum."""
    assert pixels([-10, 0, 10], levels="stretch") == [0, 128, 255]
    assert pixels([[3.0, 4.0], [5.0, 8.0]], "uint16", "stretch") == [[0, 13107], [26214, 65535]]


def test_stretch_ignores_what_is_not_finite():
    """NaN and infinities do not move the ends of stretch; they become 0, maximum and 0."""
    assert pixels([0, NAN, 10, INF, 5, -INF], levels="stretch") == [0, 0, 255, 255, 128, 0]


@pytest.mark.parametrize("sample", ["uint8", "uint16", "float32"])
def test_stretch_of_a_constant_response_is_zero(sample):
    """Where all responses are equal, stretch gives 0 everywhere."""
    assert pixels([7.25, 7.25, 7.25], sample, "stretch") == [0, 0, 0]


def test_stretch_of_a_constant_response_beside_nan_and_infinity_is_zero():
    """A response that is constant but for NaN and infinities gives 0, without a warning."""
    assert pixels([7.25, NAN, 7.25], levels="stretch") == [0, 0, 0]
    assert pixels([7.25, INF, 7.25], levels="stretch")[::2] == [0, 0]


def test_stretch_of_nothing_finite_is_zero():
    """Where no response is finite there is nothing to stretch, and NaN is 0."""
    assert pixels([NAN, NAN], levels="stretch") == [0, 0]


def test_float_is_neither_rounded_nor_clipped():
    """Float samples keep fractions, values below 0 and above 1, infinities and NaN."""
    assert pixels([-1, 0.25, 1.5, 300, INF, -INF], "float32") == [-1, 0.25, 1.5, 300, INF, -INF]
    assert np.isnan(pixels([NAN], "float32")).all()
    assert pixels([-1, 0.25], "float32", "abs") == [1, 0.25]
    assert pixels([-1, 0, 0.25, 3], "float32", "offset") == [0, 0.5, 0.625, 2]
    assert pixels([-1, 0, 3], "float32", "stretch") == [0, 0.25, 1]


def test_responses_are_not_changed():
    """The rule makes new samples and leaves the responses as they were."""
    responses = np.array([-3.5, 300])
    for levels in LEVELS:
        to_pixels(responses, "uint8", levels)
    assert responses.tolist() == [-3.5, 300]


def test_unknown_levels_are_refused():
    """Levels of another name are refused in one line that lists those there are."""
    with pytest.raises(OptionError, match=r"'sigmoid'.*clip.*abs.*offset.*stretch") as caught:
        rule("sigmoid", "uint8")
    assert "\n" not in str(caught.value)


@settings(max_examples=300, derandomize=True, database=None)
@given(
    st.lists(st.integers(-(2**24), 2**24), min_size=1, max_size=8),
    st.integers(1, 64),
    st.sampled_from(sorted(MAXIMUM)),
    st.sampled_from(LEVELS),
)
def test_rule_is_exactly_the_formula(numerators, denominator, sample, levels):
    """The exact factors of the rule give the very pixels of the reference."""
    responses = [Fraction(n, denominator) for n in numerators]
    scale, shift, absolute = rule(levels, sample, (min(responses), max(responses)))
    assert all(isinstance(factor, (int, Fraction)) for factor in (scale, shift))
    found = [
        reference.pixel(scale * (abs(r) if absolute else r) + shift, MAXIMUM[sample])
        for r in responses
    ]
    assert [[found]] == reference.pixels([[responses]], levels, MAXIMUM[sample])


@settings(max_examples=300, derandomize=True, database=None)
@given(
    st.lists(st.integers(-(2**20), 2**20), min_size=1, max_size=8),
    st.sampled_from([1, 2, 4, 8]),
    st.sampled_from(sorted(MAXIMUM)),
    st.sampled_from(["clip", "abs", "offset"]),
)
def test_whole_arrays_follow_the_reference(numerators, denominator, sample, levels):
    """Responses that floats hold exactly give the very pixels of the reference."""
    responses = [Fraction(n, denominator) for n in numerators]
    expected = reference.pixels([[responses]], levels, MAXIMUM[sample])
    assert [[pixels([float(r) for r in responses], sample, levels)]] == expected
