"""The kernels that come with imgconv, and what becomes of catalogue files, good and broken."""

import json
import math
import shutil
import tomllib
import warnings
from pathlib import Path

import numpy as np
import pytest

from docs import shipped as writer
from imgconv.errors import KernelError
from imgconv.kernels import catalog, shipped
from imgconv.kernels.kernel import Kernel
from imgconv.kernels.spec import find_step, list_kernels, load_kernel
from tests import ROOT

SHIPPED = ROOT / "kernels"
RECIPES = set(tomllib.loads((SHIPPED / "recipes.toml").read_text(encoding="utf-8")))
KERNELS = sorted(file for file in SHIPPED.glob("*.toml") if file.stem != "recipes")


def ring(weights, steps):
    """Turn the eight outer weights of a 3x3 kernel counter-clockwise, 45 degrees a step."""
    places = [(0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0)]
    turned = [list(row) for row in weights]
    for (y, x), (v, u) in zip(places, places[steps:] + places[:steps], strict=True):
        turned[y][x] = weights[v][u]
    return turned


def four_ways(name, a, b):
    """Make gradients with smoothing a b a, named by their positive side."""
    right = [[-a, 0, a], [-b, 0, b], [-a, 0, a]]
    return {
        f"{name}-right": right,
        f"{name}-top": ring(right, 2),
        f"{name}-left": ring(right, 4),
        f"{name}-bottom": ring(right, 6),
    }


def compass(name, east):
    """Make the eight turns of a gradient that is bright where east is brighter."""
    return {
        f"{name}-{point}": ring(east, i)
        for i, point in enumerate(["e", "ne", "n", "nw", "w", "sw", "s", "se"])
    }


def binomial(size):
    """Make the outer product of a row of Pascal's triangle with itself."""
    row = [math.comb(size - 1, i) for i in range(size)]
    return [[a * b for b in row] for a in row]


def box(size):
    """Make a square of ones."""
    return [[1] * size for _ in range(size)]


EMBOSS = [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]


def matrix(rows):
    """Return a matrix over channels as a kernel of 1x1."""
    return [[[[w]] for w in row] for row in rows]


# The weights of the course, typed out, and of the rest as they are defined.
WEIGHTS = {
    "identity": [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
    **four_ways("prewitt", 1, 1),
    **four_ways("scharr", 3, 10),
    **compass("kirsch", [[-3, -3, 5], [-3, 0, 5], [-3, -3, 5]]),
    **compass("robinson", [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]),
    "roberts-top-left": [[1, 0], [0, -1]],
    "roberts-top-right": [[0, 1], [-1, 0]],
    "edge-vertical": [[1, -1]],
    "edge-horizontal": [[1], [-1]],
    "edge-corner": [[1, -1], [-1, 1]],
    "laplacian-4": [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
    "laplacian-8": [[1, 1, 1], [1, -8, 1], [1, 1, 1]],
    "laplacian-of-gaussian": [
        [0, 0, -1, 0, 0],
        [0, -1, -2, -1, 0],
        [-1, -2, 16, -2, -1],
        [0, -1, -2, -1, 0],
        [0, 0, -1, 0, 0],
    ],
    "sharpen-strong": [[-1, -1, -1], [-1, 9, -1], [-1, -1, -1]],
    "box-3": box(3),
    "box-5": box(5),
    "box-7": box(7),
    "binomial-5": binomial(5),
    "binomial-7": binomial(7),
    "motion-horizontal": [[1] * 9],
    "motion-vertical": [[1]] * 9,
    "motion-down": [[int(x == y) for x in range(9)] for y in range(9)],
    "motion-up": [[int(x + y == 8) for x in range(9)] for y in range(9)],
    **{
        f"emboss-{side}": ring(EMBOSS, i)
        for i, side in enumerate(
            ["right", "top-right", "top", "top-left", "left", "bottom-left", "bottom"], 1
        )
    },
    "sobel-bottom": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
    "sobel-left": [[1, 0, -1], [2, 0, -2], [1, 0, -1]],
    "sobel-right": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    "sobel-top": [[1, 2, 1], [0, 0, 0], [-1, -2, -1]],
    "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    "blur": [[1, 2, 1], [2, 4, 2], [1, 2, 1]],
    "emboss": EMBOSS,
    "outline": [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
    "outline-rgb": [[[[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]]] * 3],
    "luma": [[[19595]], [[38470]], [[7471]]],
    "sepia": matrix([[393, 769, 189], [349, 686, 168], [272, 534, 131]]),
    "saturate": matrix([[2787, -715, -72], [-213, 2285, -72], [-213, -715, 2928]]),
    "swap-red-green": matrix([[0, 1, 0], [1, 0, 0], [0, 0, 1]]),
    "swap-red-blue": matrix([[0, 0, 1], [0, 1, 0], [1, 0, 0]]),
    "swap-green-blue": matrix([[1, 0, 0], [0, 0, 1], [0, 1, 0]]),
}
DIVISORS = {
    "luma": 65536,
    "sepia": 1000,
    "saturate": 2000,
    "blur": 16,
    **{f"box-{n}": n * n for n in (3, 5, 7)},
    "binomial-5": 256,
    "binomial-7": 4096,
    **{f"motion-{way}": 9 for way in ("horizontal", "vertical", "down", "up")},
}
FAMILIES = {
    "blur", "channels", "edge", "emboss", "identity", "kirsch", "laplacian", "motion", "outline",
    "prewitt", "roberts", "robinson", "scharr", "sharpen", "sobel",
}  # fmt: skip


def write(path: Path, text: str | bytes) -> Path:
    """Write a file and return its path."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def rows(weights) -> str:
    """Return a catalogue file with the kernel `k`."""
    return f"[k]\nweights = {weights}\n"


# What is in the file, how the kernel must be named (where there is one), words of the fault.
BROKEN = {
    "ragged rows": (rows("[[1, 2], [3]]"), "'k'", "row 2"),
    "nan": (rows("[[1, nan]]"), "'k'", "finite"),
    "infinity": (rows("[[1, inf]]"), "'k'", "finite"),
    "minus infinity": (rows("[[1, -inf]]"), "'k'", "finite"),
    "over the range of a float": (rows("[[1e999]]"), "'k'", "finite"),
    "a string": (rows('[["1"]]'), "'k'", "not a number"),
    "a boolean": (rows("[[true]]"), "'k'", "not a number"),
    "a date": (rows("[[1979-05-27]]"), "'k'", "not a number"),
    "a table for a weight": (rows("[[{a = 1}]]"), "'k'", "not a number"),
    "rows of rows": (rows("[[[[[1]]]]]"), "'k'", "5 deep"),
    "weights that are a number": (rows("3"), "'k'", "rows of numbers"),
    "weights that are text": (rows('"sobel"'), "'k'", "rows of numbers"),
    "weights that are one row": (rows("[1, 0, -1]"), "'k'", "single row"),
    "ten to the 400": (rows(f"[[1{'0' * 400}]]"), "'k'", "too large"),
    "5,000 digits": (rows(f"[[{'7' * 5000}]]"), "", "digits"),
    "no weights": ('[k]\nsummary = "none"\n', "'k'", "no weights"),
    "an empty kernel": (rows("[]"), "'k'", "empty"),
    "an empty row": (rows("[[]]"), "'k'", "empty"),
    "empty rows": (rows("[[], []]"), "'k'", "empty"),
    "an empty second row": (rows("[[1], []]"), "'k'", "empty"),
    "256 rows": (rows("[" + "[1]," * 256 + "]"), "'k'", "255"),
    "256 columns": (rows("[[" + "1," * 256 + "]]"), "'k'", "255"),
    "divisor 0": (rows("[[1]]") + "divisor = 0\n", "'k'", "divisor is 0"),
    "divisor 0.0": (rows("[[1]]") + "divisor = 0.0\n", "'k'", "divisor is 0"),
    "divisor nan": (rows("[[1]]") + "divisor = nan\n", "'k'", "divisor"),
    "a divisor in quotes": (rows("[[1]]") + 'divisor = "2"\n', "'k'", "divisor"),
    "a boolean bias": (rows("[[1]]") + "bias = true\n", "'k'", "bias"),
    "an infinite bias": (rows("[[1]]") + "bias = inf\n", "'k'", "bias"),
    "two biases": (rows("[[1]]") + "bias = [1, 2]\n", "'k'", "bias"),
    "a summary that is no text": (rows("[[1]]") + "summary = 3\n", "'k'", "summary"),
    "a source that is no text": (rows("[[1]]") + "source = []\n", "'k'", "source"),
    "an unknown key": (rows("[[1]]") + "divisr = 2\n", "'k'", "divisr"),
    "a name inside": (rows("[[1]]") + 'name = "other"\n', "'k'", "unknown key 'name'"),
    "an unknown key with a line break": (rows("[[1]]") + '"a\\nb" = 2\n', "'k'", "unknown key"),
    "the same name twice": (rows("[[1]]") + rows("[[2]]"), "'k'", "twice"),
    "nested too deeply": (rows("[" * 100_000 + "1" + "]" * 100_000), "", "nested too deeply"),
    "a byte-order mark": (b"\xef\xbb\xbf" + rows("[[1]]").encode(), "", "byte-order mark"),
    "bad UTF-8": (b"# \xff\n" + rows("[[1]]").encode(), "", "not UTF-8 at byte 2"),
    "UTF-16": (rows("[[1]]").encode("utf-16"), "", "not UTF-8"),
    "over 1 MB": (rows("[[1]]") + "#" * 1_000_000, "", "1 MB"),
    "not TOML": ("weights: [[1]]\n", "", "not TOML"),
    "cut off": ("[k]\nweights = [[1, 2", "", "not TOML"),
    "a NUL": ("[k]\nweights = [[1\0]]", "", "not TOML"),
    "a carriage return in a string": (rows("[[1]]") + 'summary = "a\rb"\n', "", "not TOML"),
    "a kernel that is a number": ("k = 3\n", "'k'", "not a kernel"),
    "a kernel that is a list of tables": ("[[k]]\nweights = [[1]]\n", "'k'", "not a kernel"),
    "weights without a name above": ("weights = [[1]]\n", "'weights'", "not a kernel"),
    **{
        f"the name {name[:10]!r}": (
            f"[{json.dumps(name)}]\nweights = [[1]]\n", f"kernel {name[:40]!r}", "a name has"
        )
        for name in (
            "Sobel", "a_b", "a b", "a/b", "../a", "a--b", "-a", "a-", "123", "ä", "a\nb", "",
            "A" * 60,
        )
    },
}  # fmt: skip
CASES = pytest.mark.parametrize(("text", "kernel", "fault"), BROKEN.values(), ids=BROKEN.keys())


@pytest.mark.parametrize("file", KERNELS, ids=lambda file: file.stem)
def test_each_shipped_kernel_has_a_summary_of_one_line_and_a_source(file):
    """Every kernel that comes with imgconv says on one line what it does, and cites its source."""
    tables = tomllib.loads(file.read_text(encoding="utf-8"))
    assert tables
    for name in tables:
        kernel = load_kernel(name)
        assert kernel.name == name
        for text in (kernel.summary, kernel.source):
            assert text.strip()
            assert text.isprintable()


@pytest.mark.parametrize("name", WEIGHTS)
def test_a_kernel_of_the_issue_has_the_weights_of_its_definition(name):
    """Each kernel that was asked for is there by name, with the right numbers."""
    kernel = load_kernel(name)
    assert np.array_equal(np.array(kernel.weights), np.array(WEIGHTS[name]))
    assert kernel.divisor == DIVISORS.get(name, 1)
    assert kernel.bias == 0


def test_the_unsharp_mask_is_twice_the_image_less_its_blur():
    """The stronger 5x5 sharpener is 2 * identity - binomial, in whole numbers."""
    kernel = load_kernel("sharpen-unsharp")
    wanted = [[-w for w in row] for row in binomial(5)]
    wanted[2][2] += 2 * 256
    scale = 256 / kernel.divisor
    assert [[w * scale for w in row] for row in kernel.weights] == wanted
    assert kernel.gain == 1


def test_nothing_is_shipped_that_is_not_tested_here():
    """The catalogue holds the kernels of this file and no others."""
    assert list_kernels() == sorted([*WEIGHTS, "sharpen-unsharp"])


def test_a_kernels_name_begins_with_its_family():
    """Each shipped kernel is in the file of its family, which its name starts with."""
    known = catalog.open_catalog()
    assert {entry.family for entry in known.values()} == FAMILIES
    own_names = {"box-3", "box-5", "box-7", "binomial-5", "binomial-7"}
    channels = {name for name, entry in known.items() if entry.family == "channels"}
    assert channels == {name for name in known if len(load_kernel(name).shape) > 2}
    own_names |= channels
    for name, entry in known.items():
        assert name in own_names or (name + "-").startswith(entry.family + "-"), name
    assert {known[name].family for name in own_names} == {"blur", "channels"}


@CASES
def test_a_broken_file_is_one_line_with_file_kernel_and_fault(tmp_path, text, kernel, fault):
    """Whatever is wrong with a catalogue file, the message names it on a single line."""
    file = write(tmp_path / "bad.toml", text)
    with pytest.raises(KernelError) as caught:
        catalog.read(file)
    message = str(caught.value)
    assert "\n" not in message
    assert message.isprintable()
    place, _, rest = message.partition(": ")
    assert place == str(file)
    assert kernel in rest
    assert fault in rest
    assert len(rest) < 200


@CASES
def test_a_broken_file_ends_the_command_before_any_image_is_read(
    tmp_path, run, text, kernel, fault
):
    """A bad --catalog or -k file is misuse: exit code 2, one line, nothing on stdout."""
    file = write(tmp_path / "bad.toml", text)
    for arguments in (["-k", "blur", "--catalog", file], ["-k", file], ["-k", f"{file}:k"]):
        result = run("apply", tmp_path / "missing.png", *arguments)
        assert result.code == 2
        assert result.out == b""
        [line] = result.errors
        _, place, rest = line.partition(f"{file}: ")
        assert place
        assert kernel in rest
        assert fault in rest


def test_a_missing_file_is_named(tmp_path, run):
    """A catalogue file that is not there is one line and exit code 2."""
    file = tmp_path / "gone.toml"
    for arguments in (["list", "--catalog", file], ["show", file], ["show", f"{file}:k"]):
        result = run(*arguments)
        assert result.code == 2
        [line] = result.errors
        assert str(file) in line
        assert "No such file" in line


def test_a_folder_is_no_kernel_file(tmp_path, run):
    """A folder where -k wants a file is named as such, whatever its ending."""
    folder = tmp_path / "dir.toml"
    folder.mkdir()
    result = run("show", folder)
    assert result.code == 2
    [line] = result.errors
    assert str(folder) in line
    fault = line.replace(str(folder), "").lower()
    assert "directory" in fault or "folder" in fault


def test_a_folder_among_the_files_of_a_folder_is_named(tmp_path, run):
    """A folder that is called like a TOML file is one line when a catalogue folder holds it."""
    (tmp_path / "dir.toml").mkdir()
    result = run("list", "--catalog", tmp_path)
    assert result.code == 2
    [line] = result.errors
    assert str(tmp_path / "dir.toml") in line


@pytest.mark.parametrize("text", ["", "# nothing yet\n"])
def test_a_file_without_kernels_says_so(tmp_path, run, text):
    """A file that holds no kernel does not ask to choose one of them."""
    file = write(tmp_path / "empty.toml", text)
    result = run("show", file)
    assert result.code == 2
    [line] = result.errors
    assert str(file) in line
    assert "choose one" not in line


def test_a_file_of_just_under_the_limits_is_read(tmp_path):
    """255 by 255 weights and 1,000,000 bytes are still taken."""
    text = rows([[1] * 255] * 255)
    file = write(tmp_path / "big.toml", text + "#" * (1_000_000 - len(text)))
    assert file.stat().st_size == 1_000_000
    assert catalog.read(file)["k"].kernel.size == (255, 255)


def test_the_same_name_in_two_files_of_a_folder_is_refused(tmp_path, run):
    """Two files of one catalogue folder cannot both define a kernel; both are named."""
    first = write(tmp_path / "a.toml", rows("[[1]]"))
    second = write(tmp_path / "b.toml", rows("[[2]]"))
    result = run("list", "--catalog", tmp_path)
    assert result.code == 2
    [line] = result.errors
    assert str(first) in line
    assert str(second) in line
    assert "'k'" in line


def test_a_folder_gives_the_kernels_of_its_files(tmp_path, run):
    """--catalog with a folder reads its TOML files and nothing else."""
    write(tmp_path / "a.toml", "[mine-a]\nweights = [[1]]\n")
    write(tmp_path / "b.toml", "[mine-b]\nweights = [[2]]\n")
    write(tmp_path / "c.txt", "not TOML")
    result = run("list", "mine", "--names", "--catalog", tmp_path)
    assert (result.code, result.text.split(), result.err) == (0, ["mine-a", "mine-b"], "")


def test_a_broken_file_of_ones_own_is_one_warning_and_things_go_on(config_home, run):
    """A broken file in the user's own folder is told once, and the shipped kernels stay."""
    folder = config_home / "imgconv" / "kernels"
    folder.mkdir(parents=True)
    file = write(folder / "bad.toml", rows("[[1], [2, 3]]"))
    result = run("list", "--names")
    assert result.code == 0
    assert sorted(set(result.text.split()) - RECIPES) == sorted([*WEIGHTS, "sharpen-unsharp"])
    [line] = result.errors
    _, place, rest = line.partition(f"{file}: ")
    assert place
    assert "kernel 'k'" in rest
    assert "row 2" in rest


def test_a_broken_file_of_ones_own_leaves_the_others_standing(config_home, run):
    """Each file of the user's own folder is a catalogue; a broken one takes no other with it."""
    folder = config_home / "imgconv" / "kernels"
    folder.mkdir(parents=True)
    write(folder / "bad.toml", "nonsense")
    write(folder / "good.toml", "[mine]\nweights = [[1]]\n")
    result = run("list", "mine", "--names")
    assert (result.code, result.text) == (0, "mine\n")
    assert len(result.errors) == 1


def test_a_broken_file_of_ones_own_is_a_warning_in_python(config_home):
    """load_kernel still finds shipped kernels, and warns."""
    folder = config_home / "imgconv" / "kernels"
    folder.mkdir(parents=True)
    write(folder / "bad.toml", "nonsense")
    with pytest.warns(UserWarning, match=r"bad\.toml"):
        assert load_kernel("outline").size == (3, 3)


def test_a_file_of_ones_own_that_cannot_be_opened_is_a_warning(config_home, run):
    """A file of the user's own that is a link to itself is told, and things go on."""
    folder = config_home / "imgconv" / "kernels"
    folder.mkdir(parents=True)
    (folder / "loop.toml").symlink_to("loop.toml")
    result = run("show", "outline")
    assert result.code == 0
    assert len(result.errors) == 1


def test_without_a_folder_of_ones_own_there_is_no_warning(run):
    """Most people have no kernels of their own; they hear nothing of it."""
    with warnings.catch_warnings(record=True) as caught:
        assert run("list", "--names").err == ""
    assert not caught


def test_later_catalogues_win(tmp_path, config_home, run):
    """The user's own kernels stand over the shipped, --catalog over them, and the last over all."""

    def weight(*options):
        kernel = run("show", "blur", "--as", "json", *options)
        assert (kernel.code, kernel.err) == (0, "")
        return load_kernel(kernel.text).weights

    folder = config_home / "imgconv" / "kernels"
    folder.mkdir(parents=True)
    write(folder / "mine.toml", "[blur]\nweights = [[2]]\n")
    third = write(tmp_path / "third.toml", "[blur]\nweights = [[3]]\n")
    fourth = write(tmp_path / "fourth.toml", "[blur]\nweights = [[4]]\n")
    assert weight() == ((2,),)
    assert weight("--catalog", third) == ((3,),)
    assert weight("--catalog", third, "--catalog", fourth) == ((4,),)
    assert weight("--catalog", fourth, "--catalog", third) == ((3,),)


def test_a_recipe_and_a_kernel_of_one_name_are_told_apart_by_the_later(tmp_path, config_home):
    """The user's recipe stands over a shipped kernel, and a kernel over a recipe; never both."""
    folder = config_home / "imgconv" / "kernels"
    folder.mkdir(parents=True)
    recipe = 'combine = "max"\nkernels = ["box-3", "box-5"]\n'
    write(folder / "mine.toml", f"[blur]\n{recipe}[sobel]\nweights = [[7]]\n")
    last = write(tmp_path / "last.toml", f"[sobel]\n{recipe}[blur]\nweights = [[5]]\n")
    mine, both = catalog.open_catalog(), catalog.open_catalog([last])
    assert [k.name for k in find_step("blur", mine).work.kernels] == ["box-3", "box-5"]
    assert find_step("sobel", mine).work.weights == ((7,),)
    assert find_step("blur", both).work.weights == ((5,),)
    assert [k.name for k in find_step("sobel", both).work.kernels] == ["box-3", "box-5"]
    for known in (mine, both):
        assert {*known} & {*known.recipes} == set()
        assert {"blur", "sobel"} <= {*known, *known.recipes}
    assert "blur" not in list_kernels()
    assert "sobel" in list_kernels()
    with pytest.raises(KernelError, match="blur is a recipe"):
        load_kernel("blur")


def test_a_users_recipe_over_a_shipped_kernel_is_applied(tmp_path, run):
    """The picture is the recipe's, and the name is listed once."""
    given = write(tmp_path / "my.toml", '[blur]\ncombine = "max"\nkernels = ["1,0", "0,1"]\n')
    (tmp_path / "x.csv").write_text("1,5,2\n")
    args = ("apply", tmp_path / "x.csv", "-k", "blur", "--catalog", given, "-o", "-")
    assert run(*args).text == "5,5,2\n"
    assert run("list", "blur", "--names", "--catalog", given).text.split().count("blur") == 1


def test_a_broken_recipe_of_ones_own_is_one_warning(config_home, run):
    """As for a kernel of one's own: it is told once, and the rest goes on."""
    folder = config_home / "imgconv" / "kernels"
    folder.mkdir(parents=True)
    file = write(folder / "bad.toml", '[mine]\ncombine = "product"\nkernels = ["blur"]\n')
    result = run("list", "blur", "--names")
    assert (result.code, len(result.errors)) == (0, 1)
    assert str(file) in result.err


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ('[k]\ncombine = "max"\nkernels = ["blur"]\n', "[k]\nweights = [[1]]\n"),
        ('[k]\ncombine = "max"\nkernels = ["blur"]\n',) * 2,
        ('["K k"]\ncombine = "max"\nkernels = ["blur"]\n', ""),
    ],
)
def test_names_of_recipes_obey_the_rules_of_kernels(tmp_path, run, first, second):
    """One name once in a folder, in small letters."""
    write(tmp_path / "a.toml", first)
    write(tmp_path / "b.toml", second)
    result = run("list", "--catalog", tmp_path)
    assert (result.code, len(result.errors)) == (2, 1)


def test_the_list_shows_which_catalogue_a_users_kernel_comes_from(tmp_path, config_home, run):
    """A kernel that a user put over a shipped one is listed once, below its own file's name."""
    folder = config_home / "imgconv" / "kernels"
    folder.mkdir(parents=True)
    mine = write(folder / "mine.toml", '[blur]\nsummary = "My own"\nweights = [[2]]\n')
    given = write(tmp_path / "given.toml", '[outline]\nsummary = "Given"\nweights = [[2]]\n')
    result = run("list", "--catalog", given)
    lines = result.text.splitlines()
    for name, summary, file in (("blur", "My own", mine), ("outline", "Given", given)):
        [at] = [i for i, line in enumerate(lines) if line.split()[0] == name and line[0] == " "]
        assert summary in lines[at]
        assert str(file) in lines[at - 1]
    assert str(SHIPPED) not in result.text


def test_a_family_is_headed_once_though_a_user_overrides_one_of_its_kernels(tmp_path, run):
    """Overriding a kernel in the middle of a family does not tear the family in two."""
    given = write(tmp_path / "given.toml", "[box-5]\nweights = [[2]]\n")
    lines = run("list", "--catalog", given).text.splitlines()
    assert lines.count("blur") == 1


def test_a_kernel_from_a_catalogue_equals_the_one_made_by_hand(tmp_path):
    """All of a kernel's fields come through from the file."""
    file = write(
        tmp_path / "full.toml",
        '[k]\nsummary = "What"\nsource = "Where"\nweights = [[1, 0.5], [-2e3, 4]]\n'
        "divisor = 2.5\nbias = -3\n",
    )
    assert load_kernel(str(file)) == Kernel(
        [[1, 0.5], [-2000, 4]], name="k", divisor=2.5, bias=-3, summary="What", source="Where"
    )


def test_an_unknown_name_suggests_the_nearest():
    """A misspelt name gets the right one, and the command that lists them."""
    for wrong, right in (("sobel-lef", "sobel-left"), ("blurr", "blur"), ("kirsh-ne", "kirsch-ne")):
        with pytest.raises(KernelError) as caught:
            load_kernel(wrong)
        assert f"no kernel named '{wrong}'" in str(caught.value)
        assert f"did you mean '{right}'" in str(caught.value)
        assert "imgconv list" in str(caught.value)


def test_a_name_like_no_other_gets_no_suggestion():
    """Where nothing is near, nothing is suggested."""
    with pytest.raises(KernelError, match="no kernel named 'zzzzzzzz'") as caught:
        load_kernel("zzzzzzzz")
    assert "did you mean" not in str(caught.value)


def test_the_shipped_catalogue_is_kept_as_it_is_read():
    """What stands in the code is what TOML says; python docs/shipped.py writes it anew."""
    files = list((ROOT / "kernels").glob("*.toml"))
    read = {catalog.digest(f.read_bytes()): (f.name, tomllib.loads(f.read_text())) for f in files}
    assert read == shipped.TABLES
    assert writer.module() == writer.MODULE.read_text()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of the shipped folder, in which files can be changed."""
    folder = tmp_path / "shipped"
    shutil.copytree(SHIPPED, folder)
    monkeypatch.setattr(catalog, "shipped_folder", lambda: folder)
    return folder


def test_a_changed_file_of_the_shipped_folder_is_read_as_it_is(folder):
    """One weight, a kernel more, a kernel less, a file less: the files count, not what is kept."""
    file = folder / "sobel.toml"
    text = file.read_text()
    for old, new in (("[ 2,  0, -2]", "[3, 0, -3]"), ("[sobel-top]", "[sobel-up]")):
        assert old in text
        text = text.replace(old, new)
    write(file, text + "\n[sobel-new]\nweights = [[7]]\n")
    (folder / "blur.toml").unlink()
    known = catalog.open_catalog()
    for _ in ("one by one", "after all are read"):
        assert known["sobel-left"].kernel.weights == ((1, 0, -1), (3, 0, -3), (1, 0, -1))
        assert known["sobel-new"].kernel.weights == ((7,),)
        assert known["sobel-bottom"].path is None
        for gone in ("sobel-top", "blur", "box-3"):
            assert gone not in known
        assert {"sobel-up", "sobel-new"} == {*known} - {*WEIGHTS, "sharpen-unsharp"}


def test_a_file_added_to_the_shipped_folder_is_read(folder):
    """Kernels and recipes of it are found by name and listed."""
    write(folder / "more.toml", rows("[[7]]") + '[r]\ncombine = "max"\nkernels = ["k", "blur"]\n')
    known = catalog.open_catalog()
    assert known["k"].kernel.weights == ((7,),)
    assert [k.name for k in find_step("r", known).work.kernels] == ["k", "blur"]
    assert known["k"].family == "more"
    assert "k" in [*known]


@pytest.mark.parametrize("text", [rows("[[1], [2, 3]]"), "nonsense ["])
def test_a_broken_file_of_the_shipped_folder_is_one_line(folder, text):
    """It is named when one of its kernels is asked for, and when all are listed; others stand."""
    file = write(folder / "sobel.toml", (folder / "sobel.toml").read_text() + text)
    known = catalog.open_catalog()
    assert known["blur"].kernel.weights == tuple(map(tuple, WEIGHTS["blur"]))
    for ask in (lambda: known["sobel-left"], lambda: [*known]):
        with pytest.raises(KernelError) as caught:
            ask()
        assert str(caught.value).startswith(f"{file}: ")
        assert "\n" not in str(caught.value)


def test_what_is_kept_of_a_kernel_is_what_the_kernel_tells():
    """A list shows shape, summary and source of kernels that are not made for it."""
    for name, entry in catalog.open_catalog().items():
        kept = entry.shape, entry.summary, entry.source
        kernel = load_kernel(name)
        assert kept == (kernel.shape, kernel.summary, kernel.source)


def test_a_folder_that_cannot_be_listed_holds_no_kernel(tmp_path, monkeypatch, run):
    """As an empty one: one line, and no traceback."""

    def fail(_):
        raise PermissionError

    monkeypatch.setattr(catalog.os, "listdir", fail)
    result = run("list", "--catalog", tmp_path)
    assert (result.code, len(result.errors)) == (2, 1)
    assert f"{tmp_path}: holds no kernel" in result.err
