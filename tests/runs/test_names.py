"""Inputs and outputs: folders, lists, templates; all names before the first is written."""

import json
import os
from pathlib import Path

import pytest

from imgconv.errors import OptionError
from imgconv.runs import outputs
from imgconv.runs.inputs import Source
from imgconv.runs.job import Job
from tests.images import noise, saved

PICTURE = saved(noise(), "PNG")


@pytest.fixture(autouse=True)
def tree(tmp_path, monkeypatch):
    """A folder of pictures with folders in it, as the current one."""
    monkeypatch.chdir(tmp_path)
    for name in ("b.png", "a.png", "deep/c.PNG", "deep/er/d.png", "deep/notes.txt", "z/a.png"):
        path = Path("in", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PICTURE)


def files(folder: str) -> list[str]:
    """Return the files below a folder."""
    return sorted(str(p.relative_to(folder)) for p in Path(folder).rglob("*") if p.is_file())


def outcomes(result) -> list[dict]:
    """Return what --json tells."""
    return [json.loads(line) for line in result.text.splitlines()]


def test_a_folder_is_walked_and_its_tree_mirrored(run):
    """--recursive takes what ends as a picture does, and makes the same folders again."""
    result = run("apply", "in", "-k", "identity", "--recursive", "-o", "out/")
    assert result.code == 0, result.err
    assert files("out") == ["a.png", "b.png", "deep/c.PNG", "deep/er/d.png", "z/a.png"]


def test_what_a_killed_run_has_left_is_no_input(run):
    """Folders that are to take the place of others, or have left it."""
    for name in (".imgconv-0123abcd.part", ".imgconv-0123abcd-0123456789ab.old"):
        Path("in", name).mkdir()
        Path("in", name, "x.png").write_bytes(PICTURE)
    run("apply", "in", "-k", "identity", "--recursive", "-o", "out/")
    assert "x.png" not in {Path(name).name for name in files("out")}
    assert len(files("out")) == 5


def test_of_a_folder_the_pictures_directly_in_it_are_taken(run):
    """Those below want --recursive; other inputs stand beside it."""
    result = run("apply", "in", "in/deep/c.PNG", "-k", "identity", "-o", "out/")
    assert result.code == 0, result.err
    assert files("out") == ["a.png", "b.png", "c.PNG"]


def test_a_folder_is_read_by_endings_and_what_is_left_alone_is_counted(run):
    """Every ending that is read is taken; outputs take one that can be written."""
    jpeg, bits = saved(noise(), "JPEG"), saved(noise("1"), "PPM")
    given = {
        "a.jfif": jpeg, "b.jpe": jpeg, "c.pbm": bits, "d.MPO": jpeg, "photo": jpeg, "e.txt": b"",
        "f.txt": b"", ".g.jpg": jpeg, "._x.jpg": b"junk", "h.npy": b"", "i.png": PICTURE,
    }  # fmt: skip
    Path("mixed/below").mkdir(parents=True)
    for name, data in given.items():
        Path("mixed", name).write_bytes(data)
        Path("mixed/below", name).write_bytes(data)
    written = ["a.jfif", "b.jpe", "c.png", "d.png", "i.png"]
    result = run("apply", "mixed", "-k", "identity", "-o", "out/")
    assert (result.code, files("out")) == (0, written)
    assert "left alone: 1 .npy, 2 .txt, 2 hidden, 1 without ending" in result.err
    result = run("apply", "mixed", "-k", "identity", "-o", "all/", "--recursive")
    assert (result.code, len(files("all"))) == (0, 10)
    assert "4 .txt" in result.err
    assert "left alone" not in run("apply", "mixed", "-k", "1", "-o", "q/", "-q").err
    assert run("apply", "mixed/photo", "mixed/c.pbm", "-k", "blur").code == 0
    assert {"photo.blur.png", "c.blur.png"} <= set(files("mixed"))


def test_patterns_are_expanded_where_no_shell_does(run, monkeypatch):
    """On Windows; a name that has such characters is a name, and one without a match is misuse."""
    Path("[a].png").write_bytes(PICTURE)
    arguments = ["in/*.png", "in/*/c.PN?", "[a].png", "-k", "identity", "-f"]
    assert run("apply", *arguments, "-o", "out/").code == 1  # here a shell has had its turn
    monkeypatch.setattr("imgconv.runs.inputs.SHELLS_EXPAND", False)
    result = run("apply", *arguments, "-o", "out/")
    assert result.code == 0, result.err
    assert files("out") == ["[a].png", "a.png", "b.png", "c.PNG"]
    result = run("apply", "in/*.gif", "-k", "identity")
    assert (result.code, len(result.errors), "matches no file" in result.err) == (2, 1, True)
    result = run("apply", "-", "-k", "identity", "-o", "d.png", stdin=PICTURE)
    assert result.code == 0, result.err


def test_a_folder_without_pictures_is_told(run):
    """It is no error; where there are folders below the message names the option."""
    Path("empty").mkdir()
    result = run("apply", "empty", "-k", "1", "-o", "out/")
    assert (result.code, "--recursive looks into its folders" in result.err) == (0, True)
    result = run("apply", "empty", "-k", "1", "-o", "out/", "--recursive")
    assert (result.code, "empty has no pictures in it" in result.err) == (0, True)


def test_the_output_folder_is_no_input(run):
    """A second run over the same tree finds the same pictures, not those of the first."""
    for _ in range(2):
        result = run("apply", "in", "-k", "1", "--recursive", "-o", "in/out/", "--force")
        assert "5 inputs: 5 written" in result.err


@pytest.mark.parametrize("null", [True, False])
def test_inputs_come_from_a_list(run, null):
    """One a line or before a NUL, from a file or stdin, beside those named."""
    separator = b"\0" if null else b"\n"
    data = separator.join([b"in/a.png", b"", b"in/deep/c.PNG", b""])
    Path("list").write_bytes(data)
    flags = ["-0"] if null else []
    args = ["-k", "1", "--json", "-o", "{parent}/{stem}-x{suffix}", "--force"]
    for source in ("list", "-"):
        result = run("apply", "in/b.png", "--files-from", source, *flags, *args, stdin=data)
        assert [o["input"] for o in outcomes(result)] == ["in/b.png", "in/a.png", "in/deep/c.PNG"]
    assert Path("in/deep/c-x.PNG").exists()


def test_lists_of_other_systems_and_forgotten_options(run):
    """CRLF ends a line; NULs without -0 are told; what `ls -l | cut` leaves is one line each."""
    args = ["-k", "1", "-o", "out/", "--json"]
    result = run("apply", "--files-from", "-", *args, stdin=b"in/a.png\r\nin/b.png\r\n")
    assert [o["status"] for o in outcomes(result)] == ["ok", "ok"]
    result = run("apply", "--files-from", "-", *args, stdin=b"in/a.png\0in/b.png\0")
    assert (result.code, "-0" in result.err) == (2, True)


def test_folders_with_a_slash_at_the_end_are_folders(run):
    """Two of them too."""
    result = run("apply", "in/deep/", "in/z/", "-k", "1", "-o", "out/")
    assert (result.code, files("out")) == (0, ["a.png", "c.PNG"])


def test_an_empty_list_is_no_error(run):
    """`find` that found nothing has nothing to do."""
    assert run("apply", "--files-from", "-", "-k", "1", "-o", "out/", stdin=b"").code == 0


@pytest.mark.parametrize(
    "name", ["a b.png", "new\nline.png", "[red]x.png", "caf\udce9.png", "{stem}.png", "-k.png"]
)
def test_any_name_of_a_file_goes_through(run, name):
    """Spaces, newlines, markup, braces and bytes that are no text, in names and in NDJSON."""
    Path("odd").mkdir()
    Path("odd", name).write_bytes(PICTURE)
    listed = os.fsencode(f"odd/{name}") + b"\0"
    args = ["-k", "sharpen", "-o", "out/{stem}-{kernel}{suffix}", "--json"]
    result = run("apply", "--files-from", "-", "-0", *args, stdin=listed)
    (outcome,) = outcomes(result)
    assert (result.code, outcome["status"], outcome["input"]) == (0, "ok", f"odd/{name}")
    assert os.listdir("out") == [f"{name[:-4]}-sharpen.png"]
    broken = Path("odd", name)
    broken.write_bytes(b"")
    result = run("apply", "--files-from", "-", "-0", "-k", "1", "-o", "b/", stdin=listed)
    assert result.code == 1
    (line,) = result.errors
    assert line.isprintable()


TEMPLATES = {
    "{stem}": "c", "{name}": "c.PNG", "{suffix}": ".PNG", "{kernel}": "blur", "{parent}": "in/deep",
    "{index}": "1", "x{stem}{stem}-{kernel}": "xcc-blur",
}  # fmt: skip


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_is_filled_in(template):
    """Each field, alone and among others."""
    sources = [Source("in/deep/c.PNG", "c.PNG")]
    (job,) = outputs.jobs(sources, f"o/{template}/x.png", "blur")
    assert job.target == f"o/{TEMPLATES[template]}/x.png"


def test_indices_are_as_wide_as_the_last():
    """Names sort as the inputs came; a shard keeps the numbers of the whole."""
    sources = [Source(f"in/{i}.png", f"{i}.png") for i in range(12)]
    found = outputs.jobs(sources, "{index}.png", "x")
    assert [job.target for job in found] == [f"{i:02}.png" for i in range(1, 13)]
    assert {job.target for job in outputs.shard("2/3", found)} < {job.target for job in found}


@pytest.mark.parametrize("count", [1, 2, 3, 7, 20])
def test_shards_share_out_the_inputs(count):
    """Together they are all, each once, whatever the order of the inputs."""
    found = [Job(f"{i}.png", f"out/{i}.png") for i in (5, 3, 9, 1, 0, 7, 2)]
    shards = [outputs.shard(f"{i}/{count}", found) for i in range(1, count + 1)]
    assert sorted(job for shard in shards for job in shard) == sorted(found)
    assert outputs.shard("1/2", found) == outputs.shard("1/2", found[::-1])


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "1/0", "a/b", "1/2/3", "-1/2", "", "1/²"])
def test_a_wrong_shard_is_misuse(text):
    """The message shows the value and a right one."""
    with pytest.raises(OptionError, match="--shard"):
        outputs.shard(text, [])


def test_collisions_are_refused_before_anything_is_written(run):
    """Two inputs to one name, also by template or from folders; an output that is another input."""
    Path("in/a.jpg").write_bytes(saved(noise(), "JPEG"))
    for args in (
        ["in/a.png", "in/a.jpg", "-o", "out/{stem}.png"],
        ["in/a.png", "in/z/a.png", "-o", "out/"],
        ["in/a.png", "in/b.png", "-o", "out/{kernel}.png"],
        ["in/a.png", "in/b.png", "-o", "in/{index}.png", "--force", "in/1.png"],
    ):
        if "in/1.png" in args:
            Path("in/1.png").write_bytes(PICTURE)
        result = run("apply", *args, "-k", "blur")
        assert (result.code, Path("out").exists()) == (2, False)
        assert len(result.errors) == 1


def test_an_output_of_before_may_be_an_input_of_now(run):
    """`*.png` finds what the last run made: without --force nothing of it is overwritten."""
    assert run("apply", "in/a.png", "-k", "blur").code == 0
    before = Path("in/a.blur.png").read_bytes()
    result = run("apply", "in/a.png", "in/a.blur.png", "-k", "blur")
    assert (result.code, "1 written, 1 failed" in result.err) == (1, True)
    assert Path("in/a.blur.png").read_bytes() == before
    assert run("apply", "in/a.png", "in/a.blur.png", "-k", "blur", "--force").code == 2


def test_a_format_changes_the_ending_where_the_path_leaves_it_open(run):
    """Beside the input, in a folder and by {suffix}; a path that tells another is misuse."""
    base = ["apply", "in/a.png", "-k", "blur", "--format", "jpeg"]
    assert run(*base).code == 0
    assert run(*base, "-o", "out/").code == 0
    assert run(*base, "-o", "out/{stem}-2{suffix}").code == 0
    assert run(*base, "-o", "out/bare").code == 0
    assert Path("in/a.blur.jpg").read_bytes()[:2] == b"\xff\xd8"
    assert files("out") == ["a-2.jpg", "a.jpg", "bare"]
    assert all(Path("out", name).read_bytes()[:2] == b"\xff\xd8" for name in files("out"))
    assert run(*base, "-o", "out/x.png").code == 2
    assert run(*base[:-1], "eps").code == 2


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["-", "--files-from", "-"], "stdin"),
        (["in/a.png", "-0"], "--files-from"),
        (["--files-from", "missing"], "missing"),
        (["in/a.png", "--force", "--skip-existing"], "--skip-existing"),
        (["-", "-o", "{stem}.png"], "stdin"),
        (["in/a.png", "-o", "-", "--json"], "stdout"),
        (["-", "--json"], "stdout"),
        (["in/a.png", "--background", "nocolour"], "nocolour"),
        (["in/a.png", "--background", "#11223344"], "#11223344"),
        (["in/a.png", "--depth", "16"], "16"),
        (["in/a.png", "--alpha", "premultiplied"], "premultiplied"),
        (["in/a.png", "--alpha", "weighted", "--channels", "luma"], "luma"),
        (["in/a.png", "--compress", "most"], "most"),
        (["in/a.png", "--frame", "-1"], "-1"),
        (["in/a.png", "--max-pixels", "0"], "0"),
    ],
)
def test_misuse_is_one_line_and_exit_code_2(run, arguments, word):
    """Before the first file is read."""
    result = run("apply", *arguments, "-k", "blur")
    assert (result.code, result.out, len(result.errors)) == (2, b"", 1)
    assert word in result.err
