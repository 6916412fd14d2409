"""What a user writes to mean a kernel, and what load_kernel takes besides."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgconv.errors import KernelError
from imgconv.kernels.catalog import Catalog
from imgconv.kernels.dialects import WRITERS
from imgconv.kernels.kernel import Kernel
from imgconv.kernels.spec import find, list_kernels, load_kernel

BLUR = ((1, 2, 1), (2, 4, 2), (1, 2, 1))
WHOLE = st.integers(-(2**53), 2**53)
# A whole float is kept as an int where it is exact, so both kinds meet here.
NUMBERS = WHOLE | st.floats(-1e100, 1e100) | st.sampled_from([0.1, 1 / 3, 5e-324, 1e22, -0.0])


# All but half characters and what controls a terminal.
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=20)
NAMES = st.sampled_from(["a", "z9", "x-1", "sobel-left-2", "nan", "true", "k" * 40])


@st.composite
def numbers(draw):
    """The numbers of any kernel of up to 4x4 weights."""
    height, width = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    row = st.lists(NUMBERS, min_size=width, max_size=width)
    return {
        "weights": draw(st.lists(row, min_size=height, max_size=height)),
        "divisor": draw(NUMBERS.filter(lambda number: abs(number) >= 1e-100)),
        "bias": draw(NUMBERS),
    }


def message(spec) -> str:
    """Return the message that a specification is refused with, which is one line."""
    with pytest.raises(KernelError) as caught:
        load_kernel(spec)
    text = str(caught.value)
    assert "\n" not in text
    return text


@settings(max_examples=100)
@given(numbers(), NAMES, TEXTS, TEXTS)
def test_a_kernel_shown_loads_back_equal(tmp_path_factory, numbers, name, summary, source):
    """What show prints as TOML is a catalogue file, as JSON a specification of the same kernel."""
    fields = {"name": name, "summary": summary, "source": source, **numbers}
    kernel, entry = Kernel(**fields), find(json.dumps(fields), Catalog({}))
    file = tmp_path_factory.getbasetemp() / "shown.toml"
    file.write_bytes(WRITERS["toml"](entry.named).encode())
    assert load_kernel(f"{file}:{kernel.name}") == kernel
    assert load_kernel(str(file)) == kernel
    shown = WRITERS["json"](entry.named)
    assert "\n" not in shown
    assert load_kernel(shown) == kernel


@pytest.mark.parametrize("text", ['"', "\\", "\\u0041", "'''", "\t", "\x7f", "\x85", "#", "ä漢😀"])
def test_texts_with_odd_characters_are_shown_as_toml_or_refused(tmp_path, text):
    """Quotes, backslashes and control characters of a summary are escaped as TOML wants it."""
    spec = json.dumps({"weights": [[1]], "summary": f"a {text} b"})
    try:
        shown = WRITERS["toml"](find(spec, Catalog({})).named)
    except KernelError:
        assert not text.isprintable()
        return
    (tmp_path / "k.toml").write_bytes(shown.encode())
    assert load_kernel(str(tmp_path / "k.toml")).summary == f"a {text} b"


@settings(max_examples=100)
@given(numbers(), st.sampled_from(["", " ", "  ", "\t"]))
def test_a_kernel_written_in_place_loads_back_equal(numbers, space):
    """ROW;ROW/DIVISOR+BIAS means the numbers that are in it, however they are spaced."""
    kernel = Kernel(**numbers)
    rows = f"{space};".join(f",{space}".join(map(repr, row)) for row in kernel.weights)
    spec = f"{rows}{space}/{space}{kernel.divisor!r}+{space}{kernel.bias!r}{space}"
    assert load_kernel(spec) == kernel


@pytest.mark.parametrize(
    ("spec", "weights", "divisor", "bias"),
    [
        ("1,2,1;2,4,2;1,2,1/16", BLUR, 16, 0),
        (" 1, 2, 1 ; 2, 4, 2 ; 1, 2, 1 / 16 ", BLUR, 16, 0),
        ("1,0,-1", ((1, 0, -1),), 1, 0),
        ("-1,0,1", ((-1, 0, 1),), 1, 0),
        ("+1,-1", ((1, -1),), 1, 0),
        ("1;-1", ((1,), (-1,)), 1, 0),
        ("5", ((5,),), 1, 0),
        ("1,0,-1+128", ((1, 0, -1),), 1, 128),
        ("1,0,-1+-128", ((1, 0, -1),), 1, -128),
        ("1,0,-1++128", ((1, 0, -1),), 1, 128),
        ("1,0,-1/2+-.5", ((1, 0, -1),), 2, -0.5),
        ("1,1/9", ((1, 1),), 9, 0),
        ("1,1/-9", ((1, 1),), -9, 0),
        ("1,1/.5", ((1, 1),), 0.5, 0),
        (".5,5.,0.25", ((0.5, 5, 0.25),), 1, 0),
        ("1e2,1E-2,1.5e+1,.5e1", ((100, 0.01, 15, 5),), 1, 0),
        ("1e+5", ((100000,),), 1, 0),
        ("1e+5+3", ((100000,),), 1, 3),
        ("1+2e+3", ((1,),), 1, 2000),
        ("1,2/4e+2", ((1, 2),), 400, 0),
        ("1,2/1e+5+3", ((1, 2),), 100000, 3),
        ("1\n,2", ((1, 2),), 1, 0),
        ("9007199254740992", ((2**53,),), 1, 0),
    ],
)
def test_weights_in_place_are_read_as_the_contract_says(spec, weights, divisor, bias):
    """Rows, divisor and bias are found by greedy numbers; whole numbers stay whole."""
    kernel = load_kernel(spec)
    assert (kernel.weights, kernel.divisor, kernel.bias) == (weights, divisor, bias)
    assert all(type(a) is type(b) for a, b in zip(kernel.weights[0], weights[0], strict=True))
    assert (kernel.name, kernel.summary, kernel.source) == ("", "", "")


@pytest.mark.parametrize("spec", ["1/9,1/9", "1/9;1/9", "1/9, 1/9, 1/9", "1,2/3/4"])
def test_a_divisor_for_each_weight_is_refused_with_the_remedy(spec):
    """1/9,1/9 is not guessed at: the divisor is for the whole kernel, as in 1,1/9."""
    assert "1,1/9" in message(spec)


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ("1,2;3", "row 2"),
        ("1,2/0", "divisor is 0"),
        ("1,2/0.0", "divisor is 0"),
        ("1e999", "finite"),
        ("1/1e999", "finite"),
        ("1+1e999", "finite"),
        ("9007199254740993", "too large"),
        ("1" + "0" * 400, "too large"),
        ("7" * 5000, "digits"),
        ("1." + "7" * 5000, "digits"),
        ("1/" + "7" * 5000, "digits"),
        (",".join("1" * 256), "255"),
        (";".join("1" * 256), "255"),
    ],
)
def test_weights_in_place_that_are_no_kernel_are_refused(spec, fault):
    """Well-formed text with numbers that no kernel can have is refused in one short line."""
    text = message(spec)
    assert fault in text
    assert len(text) < 200


@pytest.mark.parametrize(
    "spec",
    ["1,", ",1", "1;;2", "1,2;", "1,,2", "1/", "1+", "1-128", "1,2/3+4+5", "--1", ".", "-", "/2"],
)
def test_text_that_is_nearly_weights_shows_how_to_write_them(spec):
    """What is made of a kernel's characters but is none gets an example, and word of the shell."""
    text = message(spec)
    assert repr(spec) in text
    assert "1,2,1;2,4,2;1,2,1/16" in text
    assert "+-128" in text
    assert "quotes" in text


@pytest.mark.parametrize(
    "spec", ["", " ", "Sobel-Left", "sobel_left", "sobel-", "a.png", "ä", "\0", "1,a", "b,c;d"]
)
def test_text_that_means_nothing_is_refused(spec):
    """What is none of the forms is quoted back, with the way to the names."""
    text = message(spec)
    assert "imgconv list" in text
    assert text.isprintable()
    assert repr(spec.strip()) in text


@pytest.mark.parametrize("spec", ["gaussian(", "Gaussian(sigma=2)", "blur()"])
def test_a_family_that_is_not_known_is_refused(spec):
    """NAME(...) is a family; a catalogue's name does not become one."""
    text = message(spec)
    assert spec.rstrip("()") in text
    assert "family" in text
    assert "gaussian" in text


def test_a_long_text_is_cut_in_the_message():
    """A message stays a line that can be read, however long the text that it is about."""
    for spec in ("x" * 10_000, "1," * 10_000, "[" + "x" * 10_000, "(" * 10_000):
        assert len(message(spec)) < 250


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ("[[1, 2], [3, 4]]", Kernel([[1, 2], [3, 4]])),
        (' \n[[1,\n 0.5]]\n', Kernel([[1, 0.5]])),
        ('{"weights": [[1]]}', Kernel([[1]])),
        (
            '{"name": "n", "weights": [[1, 1]], "divisor": 2, "bias": -0.5, "summary": "s", '
            '"source": "t"}',
            Kernel([[1, 1]], name="n", divisor=2, bias=-0.5, summary="s", source="t"),
        ),
        ("[[1e2, 1.0]]", Kernel([[100, 1]])),
    ],
)  # fmt: skip
def test_json_is_rows_or_the_fields_of_a_kernel(spec, wanted):
    """A text that starts with a bracket or a brace is JSON."""
    assert load_kernel(spec) == wanted


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ("[[NaN]]", "finite"),
        ("[[Infinity]]", "finite"),
        ("[[-Infinity]]", "finite"),
        ("[[1e999]]", "finite"),
        ('{"weights": [[1]], "bias": NaN}', "bias"),
        ('{"weights": [[1]], "weights": [[2]]}', "twice"),
        ('{"weights": [[{"a": 1, "a": 2}]]}', "twice"),
        ('{"weights": [[1]], "wieghts": 3}', "wieghts"),
        ('{"weights": [[1]], "divisor": 0}', "divisor is 0"),
        ('{"weights": [[1]], "divisor": "2"}', "divisor"),
        ('{"weights": [[1]], "name": 3}', "name"),
        ('{"weights": [[1]], "summary": null}', "summary"),
        ("{}", "no weights"),
        ("[]", "empty"),
        ("[[]]", "empty"),
        ("[1, 0, -1]", "[[1, 0, -1]]"),
        ("[[1, 2], [3]]", "row 2"),
        ("[[true]]", "not a number"),
        ("[[null]]", "not a number"),
        ('[["1"]]', "not a number"),
        ("[[[[[1]]]]]", "5 deep"),
        ("[" * 50 + "]" * 50, "5 deep"),
        ("[" * 100_000, "nested too deeply"),
        ("[" * 100_000 + "1" + "]" * 100_000, "nested too deeply"),
        ('{"weights":' * 100_000, "nested too deeply"),
        ("[[1, 2]", "not JSON"),
        ("[[1,]]", "not JSON"),
        ("[[1]] x", "not JSON"),
        ("[[01]]", "not JSON"),
        ("{'weights': [[1]]}", "not JSON"),
        ("[[1" + "0" * 400 + "]]", "too large"),
    ],
)
def test_json_that_is_no_kernel_is_refused(spec, fault):
    """Whatever is wrong in the JSON, it is one short line that says what."""
    text = message(spec)
    assert fault in text
    assert len(text) < 250


def test_json_of_any_depth_is_refused():
    """Between weights and a stack overflow there is no depth that ends in a traceback."""
    for depth in range(5, 1100):
        message("[" * depth + "1" + "]" * depth)


def test_json_with_too_many_digits_gives_advice_to_people():
    """A number beyond Python's limit is told in the words of a kernel, not of the interpreter."""
    text = message(f"[[{'7' * 5000}]]")
    assert "digits" in text
    assert "set_int_max_str_digits" not in text


def test_a_toml_file_with_one_kernel_needs_no_name(tmp_path):
    """FILE.toml means its only kernel, FILE.toml:NAME the one of that name."""
    file = tmp_path / "one.toml"
    file.write_text("[mine]\nweights = [[1, 2, 1], [2, 4, 2], [1, 2, 1]]\ndivisor = 16\n")
    wanted = Kernel(BLUR, name="mine", divisor=16)
    assert load_kernel(str(file)) == wanted
    assert load_kernel(f"{file}:mine") == wanted
    assert load_kernel(f"  {file}:mine ") == wanted


def test_a_toml_file_with_several_kernels_wants_a_name(tmp_path):
    """Without a name among several the message shows how to choose; a wrong one lists them."""
    file = tmp_path / "two.toml"
    file.write_text("[first]\nweights = [[1]]\n[second]\nweights = [[2]]\n")
    assert load_kernel(f"{file}:second").weights == ((2,),)
    unnamed = message(str(file))
    assert "holds 2 kernels" in unnamed
    assert f"{file}:first" in unnamed
    wrong = message(f"{file}:secnd")
    assert "'secnd'" in wrong
    assert "did you mean 'second'" in wrong
    assert "first, second" in wrong
    assert "imgconv list" not in wrong
    assert "''" in message(f"{file}:")


def test_a_file_is_not_looked_up_in_the_catalogues(tmp_path, monkeypatch):
    """A name after a file is that file's alone; a file is found from the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.toml").write_text("[mine]\nweights = [[1]]\n")
    assert load_kernel("one.toml:mine").weights == ((1,),)
    assert "'blur'" in message("one.toml:blur")


def test_a_files_name_may_hold_anything(tmp_path):
    """Spaces, colons, brackets and line breaks in a path are no part of the grammar."""
    for name in ("a b.toml", "a:b.toml", "[red].toml", "a(b).toml", "1,2.toml", "a\nb.toml"):
        (tmp_path / name).write_text("[mine]\nweights = [[1]]\n")
        assert load_kernel(f"{tmp_path / name}:mine").weights == ((1,),)
        assert load_kernel(str(tmp_path / name)).weights == ((1,),)


def test_every_listed_name_loads():
    """Each name of list_kernels is a specification of the kernel of that name."""
    names = list_kernels()
    assert names == sorted(set(names))
    assert "sobel-left" in names
    assert [load_kernel(name).name for name in names] == names
    assert load_kernel(" sobel-left ") == load_kernel("sobel-left")


@pytest.mark.parametrize(
    "weights",
    [
        [[1, 2], [3, 4.5]],
        ((1, 2), (3, 4.5)),
        [(1, 2), np.array([3, 4.5])],
        np.array([[1, 2], [3, 4.5]]),
        np.array([[1, 2], [3, 4.5]], dtype=np.float32),
        np.array([[1, 3], [2, 4.5]]).T,
        [[np.int64(1), np.float32(2)], [np.uint8(3), np.float64(4.5)]],
    ],
    ids=["lists", "tuples", "mixed", "array", "float32", "transposed", "scalars"],
)
def test_rows_of_any_kind_are_the_same_kernel(weights):
    """Lists, tuples and NumPy arrays of the same numbers make equal kernels of plain numbers."""
    kernel = load_kernel(weights)
    assert kernel == Kernel([[1, 2], [3, 4.5]])
    assert [type(w) for row in kernel.weights for w in row] == [int, int, int, float]
    assert hash(kernel) == hash(Kernel([[1, 2], [3, 4.5]]))


def test_a_mapping_holds_the_fields_of_a_kernel():
    """A mapping is taken as JSON and TOML have it; what is no field is refused."""
    fields = {"weights": np.eye(2), "divisor": np.float32(2), "bias": 1, "name": "any name"}
    assert load_kernel(fields) == Kernel([[1, 0], [0, 1]], divisor=2, bias=1, name="any name")
    assert "'divider'" in message({"weights": [[1]], "divider": 2})
    assert "no weights" in message({})


def test_a_kernel_is_returned_as_it_is():
    """load_kernel of a Kernel is that Kernel."""
    kernel = Kernel([[1]])
    assert load_kernel(kernel) is kernel


@pytest.mark.parametrize(
    "thing",
    [
        np.array([1.0, 2.0]),
        np.array(3.0),
        np.zeros((2, 2, 2, 2, 2)),
        np.zeros((0, 3)),
        np.zeros((3, 0)),
        np.zeros((256, 1)),
        np.array([[True]]),
        np.array([["1"]]),
        np.array([[1j]]),
        np.array([[math.nan]]),
        np.array([[2**60]]),
        np.array([[2**64]], dtype=object),
        np.array([[None]]),
        [[1], [2, 3]],
        [[True]],
        [["1"]],
        [[None]],
        [],
        5,
        None,
        b"1,2",
        range(3),
        {1, 2},
        {"weights": [[1]], "divisor": np.zeros(2)},
        {"weights": [[1]], "bias": np.zeros(2)},
        {"weights": [[1]], "bias": 1j},
        {"weights": [[1]], 3: 4},
    ],
    ids=repr,
)
def test_what_is_no_kernel_is_a_kernel_error(thing):
    """Whatever else is given, load_kernel raises the error that it documents."""
    message(thing)
