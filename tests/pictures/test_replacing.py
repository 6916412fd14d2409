"""New things in the place of old ones; what killed processes leave, and what becomes of that."""

import errno
import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from imgconv.errors import ImageError
from imgconv.pictures import files, replacing

KILLED = """
import os, signal, sys
from pathlib import Path
from imgconv.pictures import files
with files.whole(Path(sys.argv[1]), force=True, folder=sys.argv[2] == "folder") as part:
    (part / "half" if part.is_dir() else part).write_text("half")
    print("there", flush=True)
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Have each write look at its folder, as a new process does."""
    monkeypatch.setattr(replacing, "_tidied", set())


@pytest.fixture
def another():
    """Return a function that starts a process which writes half of a file or folder."""
    running = []

    def start(target: Path, kind: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(target), kind],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        running.append(process)
        assert process.stdout.readline() == "there\n"
        return process

    yield start
    for process in running:
        process.communicate()


def names(folder: Path) -> list[str]:
    """Return what is in a folder."""
    return sorted(os.listdir(folder))


@pytest.mark.parametrize(("name", "kind"), [("a.png", "file"), ("a.zarr", "folder")])
@pytest.mark.parametrize("look", [replacing.LOOK, 0])
def test_what_a_killed_process_has_left_goes(name, kind, look, tmp_path, another, monkeypatch):
    """When anything is written in that folder; the same target, however many others there are."""
    another(tmp_path / name, kind).communicate()
    assert names(tmp_path) == [replacing.first(tmp_path / name).name]
    monkeypatch.setattr(replacing, "LOOK", look)
    written = "other.png" if look else "a.png"
    target = tmp_path / written
    if kind == "folder" and not look:
        with files.whole(tmp_path / name, force=False, folder=True):
            pass
        written = name
    else:
        files.write(b"data", target, force=False)
    left = [] if look or written == name else names(tmp_path)[:1]
    assert names(tmp_path) == sorted([written, *left])


@pytest.mark.parametrize(("name", "kind"), [("a.png", "file"), ("a.zarr", "folder")])
def test_what_a_living_process_has_begun_stays(name, kind, tmp_path, another):
    """Also where the same target is written beside it, and where that sweeps up after others."""
    another(tmp_path / name, kind)
    (begun,) = names(tmp_path)
    for again in (False, True):
        replacing._tidied.clear()
        with files.whole(tmp_path / name, force=True, again=again, folder=kind == "folder"):
            pass
        assert names(tmp_path) == [begun, name]


def test_an_attempt_that_succeeds_sweeps_up_after_those_that_died(tmp_path, another, monkeypatch):
    """Whatever they called their parts; one that lives goes on."""
    target = tmp_path / "a.png"
    another(target, "file")
    (begun,) = names(tmp_path)
    another(target, "file").communicate()
    assert len(names(tmp_path)) == 2
    monkeypatch.setattr(replacing, "tidy", lambda _: None)
    files.write(b"whole", target, force=False, again=True)
    assert names(tmp_path) == [begun, "a.png"]


def test_what_is_not_ours_stays(tmp_path):
    """Other names, links and pipes, and what another user has."""
    ours = replacing.first(tmp_path / "x").name
    kept = {ours.replace("part", "park"), ".imgconv-0.part", ours.replace(".imgconv", "imgconv")}
    for name in kept:
        (tmp_path / name).write_bytes(b"mine")
    outside = tmp_path / "outside"
    outside.write_bytes(b"mine")
    link, pipe = ".imgconv-00000001.part", ".imgconv-00000002.part"
    (tmp_path / link).symlink_to(outside)
    os.mkfifo(tmp_path / pipe)
    trap = ".imgconv-00000004.old"
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "passwd").write_bytes(b"mine")
    (tmp_path / trap).symlink_to(tmp_path / "etc")
    kept |= {link, pipe, "outside", trap, "etc"}
    if os.geteuid() == 0:
        foreign = ".imgconv-00000003.part"
        (tmp_path / foreign).write_bytes(b"theirs")
        os.chown(tmp_path / foreign, 65534, 65534)
        theirs = ".imgconv-00000005.old"
        (tmp_path / theirs).mkdir()
        (tmp_path / theirs / "new").write_bytes(b"theirs")
        os.chown(tmp_path / theirs, 65534, 65534)
        kept |= {foreign, theirs}
    files.write(b"data", tmp_path / "new", force=False)
    assert set(names(tmp_path)) == kept | {"new"}
    assert outside.read_bytes() == (tmp_path / "etc/passwd").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("kind", "options", "goes"),
    [
        ("ext4", "rw", True), ("tmpfs", "rw", True), ("nfs4", "rw,local_lock=none", True),
        ("nfs", "rw,nolock,local_lock=all", False), ("fuse.sshfs", "rw", False),
        ("lustre", "rw", False),
    ],
)  # fmt: skip
def test_locks_are_believed_where_all_machines_see_them(kind, options, goes, tmp_path, monkeypatch):
    """Elsewhere a process of another machine may be at it."""
    folder = tmp_path / "a b"
    folder.mkdir()
    mounts = tmp_path / "mounts"
    here = str(folder).replace(" ", r"\040")
    mounts.write_text(
        f"1 0 8:1 / / rw shared:1 - ext4 /dev/a rw\n"
        f"2 1 0:9 / {here} rw master:1 shared:2 - {kind} server:/x {options}\n"
        f"3 1 0:7 / {here}c rw - ext4 /dev/b rw\n"
    )
    monkeypatch.setattr(replacing, "MOUNTS", mounts)
    left = replacing.first(folder / "x.png")
    left.write_bytes(b"half")
    files.write(b"data", folder / "x.png", force=False)
    assert names(folder) == [left.name] * (not goes) + ["x.png"]


def without(monkeypatch, *, links: bool) -> None:
    """Be on a system without renameat2, and perhaps without hard links."""
    monkeypatch.setattr(replacing, "_renameat2", lambda: None)

    def link(*_):
        raise OSError(errno.EPERM, "no links")

    if not links:
        monkeypatch.setattr(os, "link", link)


@pytest.mark.parametrize("way", ["renameat2", "link", "rename"])
def test_what_comes_meanwhile_is_not_overwritten(way, tmp_path, monkeypatch):
    """Without --force the name is given only if it is free then."""
    if way != "renameat2":
        without(monkeypatch, links=way == "link")
    target, sync = tmp_path / "a.png", os.fsync

    def meanwhile(file):
        sync(file)
        target.write_bytes(b"theirs")

    files.write(b"first", tmp_path / "b.png", force=False)
    monkeypatch.setattr(os, "fsync", meanwhile)
    with pytest.raises(ImageError, match=r"a\.png exists; --force"):
        files.write(b"ours", target, force=False)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "a.png": b"theirs", "b.png": b"first",
    }  # fmt: skip


def replaced(target: Path, text: str) -> None:
    """Put a folder in the place of another."""
    with files.whole(target, force=True, folder=True) as part:
        (part / "new").write_text(text)


def folders(monkeypatch, tmp_path: Path) -> tuple[Path, Path]:
    """Return a folder that is to be replaced, and where it goes aside."""
    without(monkeypatch, links=True)
    target = tmp_path / "a.zarr"
    replaced(target, "old")
    return target, replacing.first(target).with_suffix(".old")


@pytest.mark.parametrize("at", ["a.zarr", "b.png"])
def test_a_replacement_in_steps_is_ended_by_the_next_run(at, tmp_path, monkeypatch):
    """It has the old one back where the new one had no name yet, else only removes it."""
    target, aside = folders(monkeypatch, tmp_path)
    for came in (False, True):
        aside.mkdir()
        shutil.copytree(target, aside / target.name)
        if not came:
            shutil.rmtree(target)
        replacing._tidied.clear()
        if at == target.name:
            with (
                pytest.raises(ImageError, match="exists"),
                files.whole(target, force=False, again=True, folder=True) as part,
            ):
                (part / "new").write_text("other")
        else:
            files.write(b"data", tmp_path / at, force=True)
        assert (target / "new").read_text() == "old"
        assert names(tmp_path) == sorted({"a.zarr", at})


def test_a_replacement_in_steps_that_fails_is_undone(tmp_path, monkeypatch):
    """The old one has its name again, and nothing is beside it."""
    target, _ = folders(monkeypatch, tmp_path)
    rename = os.rename

    def fails(old, new):
        if os.fspath(old).endswith(".part"):
            raise OSError(errno.EIO, "no")
        rename(old, new)

    monkeypatch.setattr(os, "rename", fails)
    with pytest.raises(ImageError, match="cannot be written: no"):
        replaced(target, "new")
    assert (target / "new").read_text() == "old"
    assert names(tmp_path) == ["a.zarr"]
    monkeypatch.undo()
    replaced(target, "new")
    assert (target / "new").read_text() == "new"
    assert names(tmp_path) == ["a.zarr"]


@pytest.mark.parametrize("kind", ["file", "folder", "in steps"])
def test_processes_that_write_the_same_at_once_do_not_disturb_each_other(kind, tmp_path):
    """Each puts its own there, whole; none fails, and nothing is left by any."""
    program = """
import sys
from pathlib import Path
from imgconv.pictures import files, replacing
target, kind = Path(sys.argv[1]), sys.argv[2]
if kind == "in steps":
    replacing._renameat2 = lambda: None
for i in range(50):
    replacing._tidied.clear()
    with files.whole(target, force=True, folder=kind != "file") as part:
        for place in ([part / "x", part / "y"] if kind != "file" else [part]):
            place.write_text(sys.argv[3] * 5)
"""
    target = tmp_path / "a.zarr"
    command = [sys.executable, "-c", program, str(target), kind]
    running = [subprocess.Popen([*command, letter], stderr=subprocess.PIPE) for letter in "abc"]
    assert [process.communicate()[1] for process in running] == [b""] * 3
    replacing.tidy(tmp_path)
    assert names(tmp_path) == ["a.zarr"]
    parts = [*target.iterdir()] if kind != "file" else [target]
    assert len({part.read_text() for part in parts}) == 1
    assert len(parts) == (2 if kind != "file" else 1)


def test_a_file_is_held_until_it_has_its_name(tmp_path):
    """Another process sees that: its lock is refused."""
    with (
        files.whole(tmp_path / "a.png", force=False) as part,
        part.open() as file,
        pytest.raises(BlockingIOError),
    ):
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
