"""The short way past Typer: where it answers, it gives what Typer gives."""

import functools
import inspect
import itertools
import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.main import get_command

import imgconv
from docs import commands
from imgconv.cli import app, options, short
from imgconv.cli.table import COMMANDS
from tests import ROOT

Call = tuple[str, dict[str, tuple[type, object]]]


def recording(command: Any) -> Any:
    """A command that does nothing but return its own name and all its parameters."""

    @functools.wraps(command)
    def record(**parameters: object) -> Call:
        return called(command, parameters)

    return record


def called(command: Any, given: dict[str, Any]) -> Call:
    """A call as it is compared: what was left out has its default, and True is not 1."""
    bound = inspect.signature(command).bind(**given)
    bound.apply_defaults()
    return command.__module__, {name: (type(v), v) for name, v in bound.arguments.items()}


@functools.cache
def recorded() -> Any:
    """The commands as Typer has them, which only tell of their parameters."""
    with pytest.MonkeyPatch.context() as patch:
        for info in app.app.registered_commands:
            patch.setattr(info, "callback", recording(info.callback))
        return get_command(app.app)


def by_typer(words: list[str]) -> Call:
    """Return what Typer calls, of words that it does not refuse."""
    call: Call = recorded()(list(words), prog_name="imgconv", standalone_mode=False)
    return call


def by_short(words: list[str]) -> Call | None:
    """Return what the short way calls, None where it hands over."""
    found = short.read(list(words))
    return called(*found) if found else None


# Words that are drawn: right ones, and what could be taken for right.

WORDS = ["blur", "a.jpg", "-", "1,2;3,4", "{stem}.png"]
NUMBERS = ["0", "5", "16", "100", "99999999999999999999", "9" * 5000]
ODD_NUMBERS = ["007", "+5", "-5", "-0", " 5", "5\n", "1_0", "\u0665", "\u00b2", "5.0", "1e2"]
ODD_WORDS = ["", "-", "--", "---", "=", "--=", "-=", "-h", "--help", "--version", "\udcff", "\0"]
ODD_COMMANDS = ["", "aply", "cache", "--", "-h", "\udcff"]
UNKNOWN = ["--help", "--version", "--show-completion", "--lr", "--cache", "-h", "-x"]

text = st.text(st.characters(codec=None), max_size=5)
odd = st.sampled_from(NUMBERS + ODD_NUMBERS + ODD_WORDS) | text | text.map("-{}".format)


def mostly(right: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Draw what is right three times of four."""
    return st.integers(0, 3).flatmap(lambda n: right if n else odd)


word = mostly(st.sampled_from(WORDS))


def option(spelled: str, kind: object) -> st.SearchStrategy[list[str]]:
    """Draw the words of an option: its value apart, or attached to it."""
    if kind == "flag":
        return st.just([spelled])
    value = word
    if isinstance(kind, tuple):
        ends = [end + by for end in kind if end is not None for by in (-1, 0, 1)]
        value = mostly(st.sampled_from([*NUMBERS, *map(str, ends)]))
    attached = f"{spelled}={{}}" if spelled.startswith("--") else f"{spelled}{{}}"
    return value.map(lambda v: [spelled, v]) | value.map(lambda v: [attached.format(v)])


def wrong(known: list[str]) -> st.SearchStrategy[list[str]]:
    """Draw what is nearly an option or several: cut, grouped, a value too many or too few."""
    spelled = st.sampled_from(known)
    letter = st.sampled_from([each[1] for each in known if len(each) == 2])
    group = st.lists(letter, min_size=1, max_size=4).map("".join).map("-{}".format)
    changes = (lambda s: s, lambda s: s[:-1], str.upper, "-{}".format, lambda s: s[1:])
    cut = st.builds(lambda s, change: [change(s)], spelled, st.sampled_from(changes))
    joined = st.builds("{}{}{}".format, spelled | group, st.sampled_from(["=", ""]), word)
    grouped = st.builds(lambda g, v: [g, *v], group, st.lists(word, max_size=1))
    return cut | joined.map(lambda j: [j]) | grouped


@functools.cache
def pieces(name: str) -> tuple[st.SearchStrategy[Any], ...]:
    """What lines are drawn of: options, those that must be given, arguments, what is wrong."""
    _, options, arguments, required = COMMANDS[name]
    right = {s: option(s, kind) for s, (_, kind) in options.items()}
    named = {parameter for parameter, _ in arguments}
    needed = [
        st.one_of([right[s] for s, (parameter, _) in options.items() if parameter == each])
        for each in required
        if each not in named
    ]
    fewest = len(named.intersection(required))
    others = st.lists(word.map(lambda w: [w]), min_size=fewest, max_size=len(named) + 1)
    some = st.lists(st.one_of(*right.values()), max_size=4)
    return some, st.tuples(*needed), others, wrong([*options, *UNKNOWN])


@st.composite
def lines(draw: st.DrawFn) -> list[str]:
    """Draw a command line: its pieces in any order, and perhaps something wrong."""
    name = draw(st.sampled_from(sorted(COMMANDS)))
    some, needed, others, nearly = pieces(name)
    line = [*draw(some), *draw(needed), *draw(others)]
    match draw(st.integers(0, 11)):
        case 0:
            name = draw(st.sampled_from(ODD_COMMANDS))
        case 1 if line:
            line.remove(draw(st.sampled_from(line)))
        case 2 | 3 | 4:
            line.append(draw(nearly))
    return [name, *itertools.chain(*draw(st.permutations(line)))]


@pytest.mark.parametrize("count", [400, pytest.param(20_000, marks=pytest.mark.thorough)])
def test_the_short_way_gives_what_typer_gives_or_hands_over(count):
    """Over drawn command lines, right and wrong, of which it reads a good part."""
    read = 0

    @settings(max_examples=count, database=None)
    @given(lines())
    def compare(words: list[str]) -> None:
        nonlocal read
        if call := by_short(words):
            read += 1
            assert call == by_typer(words)

    compare()
    assert read > count / 6


def written(file: str) -> Iterator[list[str]]:
    """Yield the words of the commands in a file's blocks of code."""
    text = (ROOT / file).read_text()
    blocks = text.split("```")[1::2] + re.findall(r"^    (.*)$", text, re.MULTILINE)
    for line in "\n".join(blocks).splitlines():
        if found := re.search(r"(?:^|[ /])imgconv (.*)", line.partition("  #")[0]):
            words = shlex.shlex(found[1], posix=True, punctuation_chars="|>;")
            words.whitespace_split, words.commenters = True, ""
            yield list(itertools.takewhile(lambda word: word[0] not in "|>;", words))


LEFT = {"cache", "--install-completion", "--lr"}  # to Typer, which are not what is done often


@pytest.mark.parametrize(("file", "count"), [("README.md", 50), ("docs/course.md", 20)])
def test_the_commands_of_the_documents_go_the_short_way(file, count):
    """And Typer gives the same; it takes what is left to it, too."""
    commands = list(written(file))
    assert len(commands) > count
    for words in commands:
        call = by_short(words)
        assert (call is None) == bool(LEFT & set(words)), words
        if call:
            assert call == by_typer(words)


BLUR = {"kernel": ["blur"]}


@pytest.mark.parametrize(
    ("words", "given"),
    [
        ("apply -k blur", BLUR),
        ("apply a b --kernel blur", {**BLUR, "inputs": ["a", "b"]}),
        ("apply -kblur a -- -b --", {**BLUR, "inputs": ["a", "-b", "--"]}),
        ("apply - -k blur --kernel=-k -k -", {"kernel": ["blur", "-k", "-"], "inputs": ["-"]}),
        ("apply -fqk blur", {**BLUR, "force": True, "quiet": True}),
        ("apply -0nkblur", {**BLUR, "null": True, "dry_run": True}),
        ("apply -k blur --output= -o -", {**BLUR, "output": "-"}),
        ("apply -k blur --jobs 1 --jobs=1024", {**BLUR, "jobs": 1024}),
        ("list", {}),
        ("list --json sobel", {"pattern": "sobel", "as_json": True}),
    ],
)
def test_what_is_plain_is_read(words, given):
    """Each way to write an option, and arguments among them."""
    _, found = short.read(words.split()) or (None, None)
    assert found == given


@pytest.mark.parametrize(
    "words",
    [
        [], ["--help"], ["-h"], ["apply", "--help"], ["list", "-h"], ["cache", "info"], ["aply"],
        ["apply", "a.png"], ["apply", "-k"], ["apply", "-k", "blur", "--nonsense"],
        ["apply", "-k", "blur", "--force=1"], ["apply", "-k", "blur", "-f=1"], ["show"],
        ["apply", "-k", "blur", "--jobs", "0"], ["apply", "-k", "blur", "--jobs", "1_0"],
        ["apply", "-k", "blur", "--jobs", "1025"], ["apply", "-k", "blur", "--jobs", "+1"],
        ["list", "a", "b"], ["--version", "list"], ["list", "--version"], ["--show-completion"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_what_is_not_plain_is_handed_over(words):
    """Help, completion and whatever is wrong, of which Typer tells."""
    assert short.read(words) is None


def test_a_shell_that_completes_is_answered_by_typer(monkeypatch):
    """What it sets stands above every word."""
    words = ["list"]
    assert short.read(words)
    monkeypatch.setenv("_IMGCONV_COMPLETE", "complete_bash")
    assert short.read(words) is None


def test_the_version_is_told_alike_on_both_ways(capsys):
    """It is one line on stdout."""
    function, given = short.read(["--version"]) or (None, None)
    assert (function(**given), app.run(["--version"])) == (0, 0)
    first, second = capsys.readouterr().out.splitlines()
    assert first == second == f"imgconv {imgconv.__version__}"


def test_the_table_is_what_typer_knows():
    """`python docs/commands.py` writes it."""
    assert commands.TABLE.read_text() == commands.table()


@pytest.mark.parametrize(("what", "value"), [("max", 90), ("envvar", "QUALITY")])
def test_a_change_makes_the_table_stale(monkeypatch, what, value):
    """It is made of all that matters; an option that the environment sets is left out."""
    monkeypatch.setattr(options.Quality.__metadata__[0], what, value)
    assert commands.TABLE.read_text() != commands.table()
    assert ("('quality', (1, 90))" in commands.table()) == (what == "max")
