"""A kernel takes what it can keep exactly, refuses the rest, and tells what follows from it."""

import copy
import dataclasses
import math
import pickle
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from imgconv import Kernel, load_kernel
from imgconv.errors import KernelError

ASYMMETRIC = [[1, 2, 4], [8, 16, -32]]


def one_line(caught):
    """Return the message of an error, which must be one line that says something."""
    message = str(caught.value)
    assert message
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ([[1, 2], [3]], "row 2"),
        ([[1], [2, 3]], "row 2"),
        ([], "empty"),
        ([[]], "empty"),
        ([[1], []], "row 2"),
        ([1, 2, 3], "row 1"),
        (5, "rows"),
        (None, "rows"),
        ("1,2", "rows"),
        (["12", "34"], "row 1"),
        ({1: 2}, "rows"),
        ([[math.nan]], "nan"),
        ([[1, math.inf]], "row 1, column 2"),
        ([[-math.inf]], "inf"),
        ([[1, 2], [3, True]], "row 2, column 2"),
        ([[False]], "False"),
        ([["1"]], "'1'"),
        ([[None]], "None"),
        ([[1j]], "number"),
        ([[Fraction(1, 2)]], "number"),
        ([[Decimal(1)]], "number"),
        ([[[[[1]]]]], "5 deep"),
        ([[10**400]], "large"),
        ([[-(10**400)]], "large"),
        ([[2**53 + 1]], "large"),
        ([[1]] * 256, "256"),
        ([[1] * 256], "256"),
        ([[1] * 3, [1] * 300, [1] * 3], "300"),
        (np.array([[True, False]]), "True"),
        (np.array([[np.nan]]), "nan"),
        (np.array([["1"]]), "'1'"),
        (np.array([[1j]]), "number"),
        (np.ones(3), "row 1"),
        (np.float64(3), "rows"),
        (np.ones((2, 0)), "empty"),
        (np.ones((0, 2)), "empty"),
        ([[np.True_]], "True"),
        ([[np.inf, np.float32(1)]], "inf"),
        ([np.array([1, 2]), np.array([3])], "row 2"),
        ([[np.ones(2), 1]], "row 2"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_malformed_weights_are_refused(weights, words):
    """Weights that are no rows of finite real numbers, equally long, at most 255 are refused."""
    with pytest.raises(KernelError) as caught:
        Kernel(weights)
    assert words in one_line(caught)


@pytest.mark.parametrize("field", ["divisor", "bias"])
@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -math.inf, True, "2", None, 1j, 10**400, [1, 2], np.True_, np.ones(3)],
    ids=lambda value: repr(value)[:20],
)
def test_malformed_divisor_or_bias_is_refused(field, value):
    """A divisor or bias that is no finite real number is refused in one line that names it."""
    with pytest.raises(KernelError, match=field) as caught:
        Kernel([[1]], **{field: value})
    one_line(caught)


@pytest.mark.parametrize("zero", [0, 0.0, -0.0, np.float32(0)])
def test_divisor_of_zero_is_refused(zero):
    """A divisor of 0 is refused in one line with the remedy."""
    with pytest.raises(KernelError, match="divisor is 0") as caught:
        Kernel([[1]], divisor=zero)
    one_line(caught)


@pytest.mark.parametrize("field", ["name", "summary", "source"])
def test_text_that_is_no_text_is_refused(field):
    """A name, summary or source that is no text is refused in one line that names it."""
    with pytest.raises(KernelError, match=field) as caught:
        Kernel([[1]], **{field: 3})
    one_line(caught)


def test_fields_after_the_weights_are_keywords_only():
    """A divisor cannot be mistaken for a name, because both must be named."""
    with pytest.raises(TypeError):
        Kernel([[1]], 16)


@pytest.mark.parametrize(
    "weights",
    [
        ASYMMETRIC,
        tuple(map(tuple, ASYMMETRIC)),
        np.array(ASYMMETRIC),
        np.array(ASYMMETRIC, np.int8),
        np.array(ASYMMETRIC, np.float32),
        np.array(ASYMMETRIC, ">f8"),
        np.array(ASYMMETRIC).T.copy().T,
        [np.array(row) for row in ASYMMETRIC],
        [[np.int16(w) for w in row] for row in ASYMMETRIC],
        [[float(w) for w in row] for row in ASYMMETRIC],
    ],
    ids=lambda value: type(value).__name__,
)
def test_whole_weights_become_plain_integers(weights):
    """Whole numbers in lists, tuples or arrays of any type are kept as tuples of plain int."""
    kernel = Kernel(weights, divisor=2.0, bias=np.float64(-1))
    assert kernel.weights == ((1, 2, 4), (8, 16, -32))
    numbers = [*kernel.weights[0], *kernel.weights[1], kernel.divisor, kernel.bias]
    assert {type(n) for n in numbers} == {int}
    assert kernel == Kernel(ASYMMETRIC, divisor=2, bias=-1)


def test_weights_that_are_not_whole_stay_the_same_floats():
    """Floats that are not whole are kept bit for bit, also beside whole ones."""
    kernel = Kernel([[0.1, 1.0, np.float32(0.1)]], divisor=0.3, bias=-2.5)
    assert kernel.weights == ((0.1, 1, float(np.float32(0.1))),)
    assert [type(w) for w in kernel.weights[0]] == [float, int, float]
    assert (kernel.divisor, kernel.bias) == (0.3, -2.5)


def test_limits_themselves_are_allowed():
    """A side of 255 and whole numbers of 2**53 are taken; larger floats stay floats."""
    assert Kernel([[1] * 255] * 255).size == (255, 255)
    assert Kernel([[2**53, -(2**53)]]).weights == ((2**53, -(2**53)),)
    assert Kernel([[1.5e99]]).weights == ((1.5e99,),)


def test_array_of_weights_is_copied():
    """A kernel does not change when the array it was made of does."""
    weights = np.array([[1.0, 2.0]])
    kernel = Kernel(weights)
    weights[:] = 7
    assert kernel.weights == ((1, 2),)


def test_kernel_cannot_be_changed():
    """No field of a kernel can be set, and equal kernels are one key of a dictionary."""
    kernel = Kernel(ASYMMETRIC, name="some")
    for field in dataclasses.fields(kernel):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(kernel, field.name, getattr(kernel, field.name))
    assert {kernel: 1}[Kernel(np.array(ASYMMETRIC), name="some")] == 1
    with pytest.raises(TypeError):
        kernel.weights[0][0] = 3
    with pytest.raises(dataclasses.FrozenInstanceError):
        del kernel.name


def test_kernel_is_a_dataclass():
    """For who replaces, lists or copies its fields; and pickles and copies are equal to it."""
    kernel = Kernel(ASYMMETRIC, name="some", divisor=3, bias=1.5, summary="a", source="b")
    assert dataclasses.is_dataclass(Kernel)
    assert dataclasses.replace(kernel, name="") == Kernel(
        ASYMMETRIC, divisor=3, bias=1.5, summary="a", source="b"
    )
    assert Kernel(**dataclasses.asdict(kernel)) == kernel
    assert eval(repr(kernel), {"Kernel": Kernel}) == kernel
    assert pickle.loads(pickle.dumps(kernel)) == copy.deepcopy(kernel) == kernel
    assert kernel != "some"


def test_size_is_rows_then_columns():
    """Sizes of kernels are rows x columns."""
    assert Kernel(ASYMMETRIC).size == (2, 3)
    assert Kernel([[1], [2]]).size == (2, 1)


def test_sum_and_gain_follow_from_weights_and_divisor():
    """The sum is of the weights alone, the gain is that over the divisor; the bias is in none."""
    kernel = Kernel(ASYMMETRIC, divisor=4, bias=9)
    assert kernel.sum == -1
    assert isinstance(kernel.sum, int)
    assert kernel.gain == -0.25
    assert Kernel([[0.1] * 10]).sum == 1
    assert Kernel([[1, 2, 1]], divisor=0.5).gain == 8


@pytest.mark.parametrize(
    ("kernel", "low", "high", "expected"),
    [
        (Kernel([[-1, 0, 1]]), 0, 255, (-255, 255)),
        (Kernel([[1, 2, 1]], divisor=4), 0, 255, (0, 255)),
        (Kernel([[1, 2, 1]], divisor=-4, bias=10), 0, 255, (-245, 10)),
        (Kernel([[3, -2]], bias=128), 0, 1, (126, 131)),
        (Kernel([[3, -2]]), -1, 2, (-7, 8)),
        (Kernel([[0]], bias=0.5), 0, 65535, (0.5, 0.5)),
    ],
)
def test_response_range_is_reached_and_not_exceeded(kernel, low, high, expected):
    """The range spans the responses to the worst samples, each weight meeting its own."""
    assert kernel.response_range(low, high) == expected
    weights = np.array(kernel.weights) / kernel.divisor
    worst = np.where(weights > 0, low, high), np.where(weights > 0, high, low)
    assert expected == tuple((weights * samples).sum() + kernel.bias for samples in worst)


def test_response_range_is_that_of_8_bits_by_default():
    """Without limits the samples are 0 to 255."""
    assert Kernel([[2, -1]]).response_range() == (-255, 510)


def test_flipped_turns_the_weights_by_180_degrees_and_keeps_the_rest():
    """Rows and columns are both reversed; divisor, bias, texts and size stay."""
    kernel = Kernel(ASYMMETRIC, name="a", divisor=3, bias=4, summary="b", source="c")
    flipped = kernel.flipped()
    assert flipped.weights == ((-32, 16, 8), (4, 2, 1))
    assert flipped == Kernel(flipped.weights, name="a", divisor=3, bias=4, summary="b", source="c")
    assert flipped.flipped() == kernel


def test_array_holds_the_weights_before_the_divisor():
    """The array is float64 of the kernel's size and its own copy."""
    kernel = Kernel(ASYMMETRIC, divisor=16)
    array = kernel.array
    assert (array.dtype, array.shape) == (np.float64, (2, 3))
    assert array.tolist() == ASYMMETRIC
    array[:] = 0
    assert kernel.array.tolist() == ASYMMETRIC


def test_load_kernel_takes_all_that_a_kernel_can_be_made_of():
    """A Kernel, nested lists, an array, a mapping of fields and a text load as the same kernel."""
    kernel = Kernel([[1, 2], [3, 4]], divisor=10, bias=-1)
    assert load_kernel(kernel) is kernel
    assert load_kernel("1,2;3,4/10+-1") == kernel
    assert load_kernel({"weights": [[1, 2], [3, 4]], "divisor": 10, "bias": -1}) == kernel
    plain = Kernel([[1, 2], [3, 4]])
    assert load_kernel([[1, 2], [3, 4]]) == load_kernel(np.array([[1, 2], [3, 4]])) == plain


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"divisor": 2}, "no weights"),
        ({"weights": [[1]], "wieghts": 1}, "wieghts"),
        ({}, "weights"),
    ],
)
def test_mapping_with_wrong_fields_is_refused(fields, words):
    """A mapping without weights or with an unknown field is refused in one line that says which."""
    with pytest.raises(KernelError, match=words) as caught:
        load_kernel(fields)
    one_line(caught)
