"""Whatever becomes of the cache of compiled code, the answer is right, and no run waits or dies.

Each way of damaging it is met by runs in processes of their own.
"""

import errno
import hashlib
import json
import os
import random
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from imgconv.compiled import cache, native
from tests import ROOT

Once = Callable[[str, Callable[[Path], None]], Path]
Way = Callable[[Path], object]
EXPECTED = [[10, 20, 10], [20, 40, 20], [10, 20, 10]]
ROOTS = os.geteuid() == 0  # who alone can give files away and make devices
NO_HOME = {"HOME": "/dev/null", "IMGCONV_CACHE_DIR": None, "XDG_CACHE_HOME": None}
BLUR = ("apply", "in.png", "-k", "1,2,1;2,4,2;1,2,1/16")


def draw(folder: Path) -> None:
    """Make the picture that all runs filter."""
    pixels = np.zeros((3, 3), np.uint8)
    pixels[1, 1] = 160
    Image.fromarray(pixels).save(folder / "in.png")


# A run that tells which entries it asked for.
TELLING = """
import sys
from imgconv.cli.main import main
from imgconv.compiled import cache
asked, load = [], cache.load
cache.load = lambda made_from: asked.append(cache._name(made_from)) or load(made_from)
assert main(sys.argv[1:]) == 0
print(*asked)
"""


@pytest.fixture(scope="module")
def whole(once: Once) -> Path:
    """A cache of the entries that a run takes, as the tests' own cache has them."""

    def fill(folder: Path) -> None:
        draw(folder)
        done = subprocess.run(
            [sys.executable, "-c", TELLING, *BLUR, "-o", "out.png"], cwd=folder, check=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert np.asarray(Image.open(folder / "out.png")).tolist() == EXPECTED
        (folder / "cache").mkdir(mode=0o700)
        for name in done.stdout.split():
            shutil.copy(cache.place() / name, folder / "cache")

    return once("whole", fill) / "cache"


def copied(whole: Path, folder: Path) -> Path:
    """Return a private copy of a cache."""
    folder.mkdir(mode=0o700)
    for entry in whole.iterdir():
        shutil.copy(entry, folder)
    return folder


class Run(NamedTuple):
    """A run of the program, on a terminal or piped, with files of at most so many bytes.

    Without a cache that is asked for, the user has no home.
    """

    cache: Path | str | None
    terminal: bool = False
    most: int | None = None
    options: tuple[str, ...] = ()


def outcomes(folder: Path, whole: Path, runs: dict[str, Run]) -> dict[str, list[str] | str]:
    """Return the lines that each run told, or what is wrong with its answer."""
    draw(folder)
    asked = [
        (
            [*BLUR, "-o", f"{i}.png", *run.options],
            {"IMGCONV_CACHE_DIR": str(run.cache)} if run.cache else NO_HOME,
            run.terminal,
            run.most,
        )
        for i, run in enumerate(runs.values())
    ]
    done = subprocess.run(
        [sys.executable, "-m", "tests.compiled.forked"],
        input=json.dumps({"whole": str(whole), "runs": asked}), cwd=folder, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    found: dict[str, list[str] | str] = {}
    for i, (name, (code, told)) in enumerate(zip(runs, json.loads(done.stdout), strict=True)):
        found[name] = f"exit code {code}: {told}" if code else told.splitlines()
        if not code and np.asarray(Image.open(folder / f"{i}.png")).tolist() != EXPECTED:
            found[name] = "wrong pixels"
    return found


def each(change: Callable[[bytes], bytes]) -> Way:
    """Return a way to change what each entry of a cache holds."""

    def way(folder: Path) -> None:
        for entry in folder.iterdir():
            entry.write_bytes(change(entry.read_bytes()))

    return way


def instead(put: Way) -> Way:
    """Return a way to put something in the place of each entry."""

    def way(folder: Path) -> None:
        for entry in list(folder.iterdir()):
            entry.rename(folder.parent / f"{folder.name}-{entry.name}")
            put(entry)

    return way


def bit(where: Callable[[bytes], int]) -> Way:
    """Return a way to turn over a bit of each entry."""

    def change(data: bytes) -> bytes:
        at = where(data) % len(data)
        return data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]

    return each(change)


def hashed(rest: bytes) -> bytes:
    """Return an entry as it was once: its hash did not cover what it was made from."""
    return hashlib.sha256(rest).digest() + rest


def turned(folder: Path) -> None:
    """Give each entry the content of the next, as of another part, version, processor or user."""
    entries = sorted(folder.iterdir())
    texts = [entry.read_bytes() for entry in entries]
    for entry, text in zip(entries, texts[1:] + texts[:1], strict=True):
        entry.write_bytes(text)


def alike(folder: Path) -> None:
    """Give all entries the content of one."""
    text = min(folder.iterdir()).read_bytes()
    each(lambda _: text)(folder)


def moved_entry(data: bytes) -> bytes:
    """Have the code begin a little later, with a hash as it was once."""
    start, _, others = data[38:].partition(b" ")
    return hashed(data[32:38] + b"%d " % (int(start) + 5) + others)


def link(target: str) -> Way:
    """Return a way to put a link in the place of each entry."""
    return instead(lambda entry: entry.symlink_to(target))


def bind(entry: Path) -> None:
    """Make a socket, by a path that is short enough for one."""
    folder = os.open(entry.parent, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(f"/proc/self/fd/{folder}/{entry.name}")
    os.close(folder)


def filled_folder(entry: Path) -> None:
    """Make a folder that holds something."""
    (entry / "inner").mkdir(parents=True)


def each_entry(change: Way) -> Way:
    """Return a way to do something to each entry."""
    return lambda folder: [change(entry) for entry in folder.iterdir()]


NOISE = random.Random(1).randbytes
# What an entry holds: its hash to 32, a mark to 38, a line (where the code begins, the places of
# addresses outside, those inside) and the code.
CONTENTS: dict[str, Way] = {
    **{f"cut at {at}": each(lambda data, at=at: data[:at])  # type: ignore[misc]
       for at in (0, 1, 31, 32, 33, 37, 38, 40, 60)},
    "half": each(lambda data: data[: len(data) // 2]),
    "a byte less": each(lambda data: data[:-1]),
    "a byte more": each(lambda data: data + b"\0"),
    "twice": each(lambda data: data + data),
    "other line ends": each(lambda data: data.replace(b"\n", b"\r\n")),
    "zeros": each(lambda data: bytes(len(data))),
    "zeros at first": each(lambda data: bytes(512) + data[512:]),
    "zeros at last": each(lambda data: data[:512] + bytes(len(data) - 512)),
    "ones": each(lambda data: b"\xff" * len(data)),
    "noise": each(lambda data: NOISE(len(data))),
    "another file": each(lambda _: b"<!DOCTYPE html>\n<title>404</title>\n"),
    "a bit of the hash": bit(lambda _: 7),
    "a bit of the mark": bit(lambda _: 33),
    "a bit of the beginning": bit(lambda _: 38),
    "a bit of the names": bit(lambda data: data.index(b" ", 38) + 1),
    "a bit of the addresses": bit(lambda data: data.index(b"\n", 38) - 1),
    "a bit of the code": bit(lambda data: (data.index(b"\n", 38) + len(data)) // 2),
    "the last bit": bit(lambda _: -1),
    "a hash of nothing": each(lambda _: hashed(b"")),
    "a hash of nothing but a mark": each(lambda _: hashed(native.IMAGE)),
    "a hash as it was once": each(lambda data: hashed(data[32:])),
    "another beginning": each(moved_entry),
    "names exchanged": turned,
    "one for all": alike,
    "a hole of 10 GB": each_entry(lambda entry: os.truncate(entry, 10 << 30)),
}  # fmt: skip
THINGS: dict[str, Way] = {
    "nothing": instead(lambda _: None),
    "a link to the file": instead(
        lambda entry: entry.symlink_to(f"../{entry.parent.name}-{entry.name}")
    ),
    "a link to nothing": link("nothing"),
    "a link to a folder": link("."),
    "a link to a device": link("/dev/zero"),
    "a link to memory": link("/proc/self/mem"),
    "a link to itself": instead(lambda entry: entry.symlink_to(entry.name)),
    "a hard link to one of them": instead(
        lambda entry: os.link(min(entry.parent.parent.glob(f"{entry.parent.name}-*")), entry)
    ),
    "a pipe": instead(os.mkfifo),
    "a socket": instead(bind),
    "an empty file that nobody may read": instead(lambda entry: entry.touch(0)),
    "a file that a group may write to": each_entry(lambda entry: entry.chmod(0o660)),
    "a file that all may write to": each_entry(lambda entry: entry.chmod(0o606)),
}
if ROOTS:
    THINGS |= {
        "a device": instead(lambda entry: os.mknod(entry, stat.S_IFCHR | 0o600, os.makedev(1, 5))),
        "a file of another's": each_entry(lambda entry: os.chown(entry, 12345, 12345)),
    }


def test_what_is_no_entry_is_made_again_without_a_word(whole: Path, tmp_path: Path) -> None:
    """More than 40 ways: the pixels are right, and the next run finds a whole cache."""
    good = {entry.name: entry.read_bytes() for entry in whole.iterdir()}
    ways = CONTENTS | THINGS
    assert len(good) >= 3
    assert len(CONTENTS) >= 31
    assert len(THINGS) >= 9
    runs = {}
    for i, (name, way) in enumerate(ways.items()):
        folder = copied(whole, tmp_path / str(i))
        way(folder)
        runs[name] = Run(folder, terminal=i % 2 == 1)
    assert outcomes(tmp_path, whole, runs) == {name: [] for name in ways}
    for name, run in runs.items():
        assert isinstance(run.cache, Path)
        assert {e.name: e.read_bytes() for e in run.cache.iterdir()} == good, name


def open_to(mode: int) -> Way:
    """Return a way to let others into the folder."""
    return lambda folder: folder.chmod(mode)


def replaced(put: Way) -> Way:
    """Return a way to put something in the place of the folder."""

    def way(folder: Path) -> None:
        folder.rename(folder.with_name(f"{folder.name} before"))
        put(folder)

    return way


def link_to_an_open_one(folder: Path) -> None:
    """Make a link to a folder of everybody's."""
    before = folder.with_name(f"{folder.name} before")
    before.chmod(0o777)
    folder.symlink_to(before)


FOLDERS: dict[str, Way] = {
    "for a group": open_to(0o770),
    "for all": open_to(0o777),
    "for all, sticky": open_to(0o1777),
    "a file": replaced(lambda folder: folder.write_bytes(b"")),
    "a pipe": replaced(os.mkfifo),
    "a device": replaced(lambda folder: folder.symlink_to("/dev/zero")),
    "a link to nothing": replaced(lambda folder: folder.symlink_to("nothing")),
    "a link to itself": replaced(lambda folder: folder.symlink_to(folder)),
    "a link to what is everybody's": replaced(link_to_an_open_one),
    "holding folders in the place of entries": instead(filled_folder),
}
if ROOTS:
    FOLDERS["of another"] = lambda folder: os.chown(folder, 12345, 12345)
PLACES = ("/proc/nowhere/cache", "/dev/null/cache", "/sys/kernel", "x" * 300)


def test_a_folder_that_cannot_be_used_is_told_once_on_a_terminal(
    whole: Path, tmp_path: Path
) -> None:
    """Piped it is told where hints are asked for; nothing is read there, and none is left."""
    runs = {}
    for i, (name, way) in enumerate(FOLDERS.items()):
        folder = copied(whole, tmp_path / str(i))
        way(folder)
        runs[name] = Run(folder, terminal=True)
    runs |= {place: Run(place, terminal=True) for place in PLACES}
    runs["no home"] = Run(None, terminal=True)
    runs["a full disk"] = Run(tmp_path / "full", terminal=True, most=500)
    piped = {f"{name}, piped": run._replace(terminal=False) for name, run in runs.items()}
    asked = runs["for all"]._replace(terminal=False, options=("--verbose",))
    hushed = runs["for all"]._replace(options=("--quiet",))
    found = outcomes(tmp_path, whole, {**runs, **piped, "asked": asked, "hushed": hushed})
    for name in (*runs, "asked"):
        told = found.pop(name)
        assert len(told) == 1, (name, told)
        assert "compiled code is not kept: " in told[0], name
        assert told[0].endswith("; name another folder in IMGCONV_CACHE_DIR"), name
    assert found == {name: [] for name in (*piped, "hushed")}
    assert list((tmp_path / "full").iterdir()) == []


def test_a_folder_of_the_users_that_a_link_leads_to_is_used(whole: Path, tmp_path: Path) -> None:
    """So users put their caches on another disk; where there is no folder yet, it is made."""
    shutil.copytree(whole, tmp_path / "disk")
    (tmp_path / "link").symlink_to("disk")
    (tmp_path / "home").symlink_to(".")
    runs = {
        "linked": Run(tmp_path / "link", terminal=True, options=("--verbose",)),
        "below": Run(tmp_path / "home/new/cache", terminal=True, options=("--verbose",)),
    }
    assert outcomes(tmp_path, whole, runs) == {"linked": [], "below": []}
    names = {entry.name for entry in whole.iterdir()}
    assert {entry.name for entry in (tmp_path / "new/cache").iterdir()} == names


def test_what_is_kept_is_private_whatever_the_mask(whole: Path, tmp_path: Path) -> None:
    """Else who shares a group with others by default compiled at every run."""
    before = os.umask(0o002)
    try:
        assert outcomes(tmp_path, whole, {"first": Run(tmp_path / "new")}) == {"first": []}
    finally:
        os.umask(before)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    assert {entry.stat().st_mode & 0o777 for entry in (tmp_path / "new").iterdir()} == {0o600}


def test_numba_keeps_nothing_of_its_own(whole: Path) -> None:
    """Beside ours, which is looked at, it would have one that is not."""
    assert whole.is_dir()
    assert list((ROOT / "imgconv").rglob("*.nb[ic]")) == []


KEY, OTHER = bytes(range(32)), bytes(range(1, 33))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is told of a cache of the test's own, by a process that has told nothing yet."""
    told: list[str] = []
    for name in ("hint", "warn"):
        monkeypatch.setattr(cache, name, told.append)
    monkeypatch.setattr(cache, "_warned", [])
    return told


@pytest.fixture
def folder(tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with one entry."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("IMGCONV_CACHE_DIR", str(folder))
    cache.save(KEY, b"code")
    assert cache.load(KEY) == b"code"
    assert told == []
    return folder


def test_no_wrong_bit_is_believed(folder: Path, told: list[str]) -> None:
    """Not one of all, and not under a name that differs in what a name does not show."""
    (entry,) = folder.iterdir()
    whole = entry.read_bytes()
    for at in range(8 * len(whole)):
        data = bytearray(whole)
        data[at // 8] ^= 1 << at % 8
        entry.write_bytes(data)
        assert cache.load(KEY) is None
        assert "is damaged" in told.pop()
    entry.write_bytes(whole)
    assert cache.load(KEY[:-1] + b"x") is None


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EINTR])
def test_what_cannot_be_read_is_made_again(
    number: int, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk may fail."""

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(cache.os, "read", fail)
        assert cache.load(KEY) is None
    assert os.strerror(number) in told[0]
    assert cache.load(KEY) == b"code"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
def test_what_cannot_be_kept_leaves_what_was(
    number: int, folder: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told once, however often it is tried, and nothing half written stays."""

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(cache._Folder, "_rename", fail)
    for _ in range(3):
        cache.save(KEY, b"other")
    assert told == [
        f"compiled code is not kept: {folder}: {os.strerror(number)}; "
        "name another folder in IMGCONV_CACHE_DIR"
    ]
    assert cache.load(KEY) == b"code"
    assert len(list(folder.iterdir())) == 1


def test_an_interruption_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not while an entry is written, either."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cache._Folder, "_rename", interrupt)
    with pytest.raises(KeyboardInterrupt):
        cache.save(OTHER, b"other")
    assert len(list(folder.iterdir())) == 1


def test_a_folder_that_vanishes_is_made_by_the_next(
    folder: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody may remove it at any time."""
    with monkeypatch.context() as patch:
        patch.setattr(cache._Folder, "sweep", lambda _: shutil.rmtree(folder))
        cache.save(KEY, b"code")
    assert cache.load(KEY) is None
    cache.save(KEY, b"code")
    assert cache.load(KEY) == b"code"
    assert told == []


def test_where_no_folder_can_be_opened_and_no_file_locked_it_works(
    tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows."""
    monkeypatch.setenv("IMGCONV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(cache.os, "supports_dir_fd", set())
    monkeypatch.setitem(sys.modules, "fcntl", None)
    for entry in (b"code", b"more code"):
        cache.save(KEY, entry)
        assert cache.load(KEY) == entry
    assert cache.load(OTHER) is None
    assert list(cache.sizes().values()) == [41]
    assert cache.clear() == []
    assert list((tmp_path / "cache").iterdir()) == []
    assert told == []


def test_nothing_is_exchanged_while_it_is_looked_at(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was found private is what is read."""
    is_private, forged = cache._is_private, folder.with_name("forged")

    def exchange(status: os.stat_result) -> bool:
        if forged.exists():
            folder.rename(folder.with_name("mine"))
            forged.rename(folder)
        return is_private(status)

    forged.mkdir()
    (entry,) = folder.iterdir()
    (forged / entry.name).write_bytes(hashlib.sha256(KEY + b"bad").digest() + b"bad")
    monkeypatch.setattr(cache, "_is_private", exchange)
    assert cache.load(KEY) == b"code"


# Writes an entry, and before it takes its name says so and waits for a word.
SLOWLY = """
import sys
from imgconv.compiled import cache
def rename(*names, rename=cache._Folder._rename):
    print(flush=True)
    sys.stdin.read()
    rename(*names)
cache._Folder._rename = rename
cache.save(bytes([int(sys.argv[1])] * 32), b"slow")
"""


def test_what_a_killed_process_left_is_removed_and_nothing_of_a_live_one(folder: Path) -> None:
    """The next one that writes does so, whichever entry it was."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    begun = []
    for i in range(2):  # one after the other: a file is made a moment before it is held
        process = subprocess.Popen(
            [sys.executable, "-c", SLOWLY, str(i)],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout
        assert process.stdout.readline() == b"\n"
        begun.append(process)
    killed, live = begun
    killed.kill()
    killed.communicate()
    others = {path.name for path in (folder / "film.part", folder / "7.code") if not path.touch()}
    cache.save(OTHER, b"other")
    parts = {path.name[:40] for path in folder.iterdir() if path.suffix == cache.UNFINISHED}
    assert parts == {("01" * 32)[:40], "film.part"}
    live.communicate()
    assert live.returncode == 0
    assert cache.load(bytes([1] * 32)) == b"slow"
    names = {cache._name(key) for key in (KEY, OTHER, bytes([1] * 32))}
    assert {path.name for path in folder.iterdir()} == names | others


# Keeps two entries again and again, and reads what others keep meanwhile.
BUSILY = """
import sys
from imgconv.compiled import cache
cache.hint = cache.warn = print
for i in range(200):
    key = bytes([i % 2] * 32)
    cache.save(key, key * (int(sys.argv[1]) + 1))
    found = cache.load(key)
    assert found and not found.strip(key[:1]), found
"""


def test_processes_that_keep_the_same_do_not_disturb_one_another(folder: Path) -> None:
    """Each reads a whole entry at any time, and nothing unfinished is left."""
    command = [sys.executable, "-c", BUSILY]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    busy = [
        subprocess.Popen([*command, str(i)], env=environment, stdout=subprocess.PIPE)
        for i in range(3)
    ]
    assert [(process.communicate()[0], process.returncode) for process in busy] == [(b"", 0)] * 3
    assert {path.suffix for path in folder.iterdir()} == {cache.SUFFIX}


def test_the_commands_count_and_remove_what_is_ours_whatever_it_is(folder: Path, run) -> None:
    """What cannot be removed is said; what others have put there is theirs."""
    names = [f"{i:040x}{cache.SUFFIX}" for i in range(5)]
    os.mkfifo(folder / names[0])
    (folder / names[1]).mkdir()
    (folder / names[2] / "inner").mkdir(parents=True)
    (folder / names[3]).symlink_to("/dev/zero")
    (folder / names[4]).touch(0)
    (folder / f"{1:040x}.123.part").write_bytes(b"half")
    for name in ("notes.txt", "film.part", "more.code"):
        (folder / name).touch()
    told = run("cache", "info")
    assert told.code == 0
    counted = f"{len(native.parts())} parts (2 of them for files)"
    assert told.text == f"{folder}: 0 of {counted}, 0 kB\n"
    told = run("cache", "clear")
    assert (told.code, told.out) == (1, b"")
    assert told.err == f"imgconv: {folder / names[2]} cannot be removed: Directory not empty\n"
    left = {"notes.txt", "film.part", "more.code", names[2]}
    assert {path.name for path in folder.iterdir()} == left
    shutil.rmtree(folder)
    told = run("cache", "clear")
    assert (told.code, told.out, told.err) == (0, b"", "")


def test_warming_keeps_all_parts_or_fails(
    folder: Path, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It compiles what is not there, and counts what is there afterwards."""
    compiled: list[str] = []
    monkeypatch.setattr(native, "PARTS", ("fill", "copy"))
    monkeypatch.setattr(native, "_link", lambda _: 0)
    monkeypatch.setattr(native, "_compile", lambda name: compiled.append(name) or name.encode())
    monkeypatch.setattr(native, "_part", native._part.__wrapped__)
    for _ in range(2):
        assert run("cache", "warm").text == f"{folder}: 2 of 2 parts (0 of them for files), 0 kB\n"
        assert compiled == ["fill", "copy"]
    filled_folder(folder / cache._name(native._key("mix")))
    monkeypatch.setattr(native, "PARTS", ("fill", "copy", "mix"))
    told = run("cache", "warm")
    assert (told.code, told.text) == (1, f"{folder}: 2 of 3 parts (0 of them for files), 0 kB\n")
    assert "compiled code is not kept: " in told.err


@pytest.mark.parametrize("command", ["info", "warm", "clear"])
def test_the_commands_tell_of_a_folder_that_cannot_be_listed(
    command: str, folder: Path, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk may fail here as well."""

    def fail(_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), 3)

    monkeypatch.setattr(cache.os, "listdir", fail)
    told = run("cache", command)
    assert (told.code, told.out, len(told.errors)) == (2, b"", 1)
    assert f"not kept: {folder}: Input/output error; name" in told.err


@pytest.mark.parametrize("command", ["info", "warm", "clear"])
def test_the_commands_tell_of_a_folder_that_cannot_be_used(
    command: str, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is compiled."""
    monkeypatch.setenv("IMGCONV_CACHE_DIR", "/dev/null/cache")
    told = run("cache", command)
    assert (told.code, told.out, len(told.errors)) == (2, b"", 1)
    assert "/dev/null/cache: Not a directory; name another folder" in told.err
