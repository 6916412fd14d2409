"""Compiled code is kept and found again, and whatever becomes of it, the answer is right."""

import importlib.metadata
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgconv.engine import linker, native

ROOT = Path(__file__).parents[1]
EXPECTED = [[0, 0, 0], [0, 255, 0], [0, 0, 0]]


def outline(folder: Path, cache: Path | str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run `imgconv apply` on a small picture in a process of its own and check the output."""
    picture = folder / "point.png"
    if not picture.exists():
        pixels = np.zeros((3, 3), np.uint8)
        pixels[1, 1] = 255
        Image.fromarray(pixels).save(picture)
    out = folder / f"{os.urandom(4).hex()}.png"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "IMGCONV_CACHE_DIR": str(cache)}
    command = [sys.executable, "-m", "imgconv", "apply", "point.png", "-k", "outline"]
    done = subprocess.run(
        [*command, "-o", out.name, *options],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert np.asarray(Image.open(out)).tolist() == EXPECTED
    return done


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that a first run has filled."""
    folder = tmp_path_factory.mktemp("filled")
    outline(folder, folder / "cache")
    return folder / "cache"


@pytest.fixture
def cache(filled: Path, tmp_path: Path) -> Path:
    """A private copy of the filled cache."""
    copy = tmp_path / "cache"
    copy.mkdir(mode=0o700)
    for entry in filled.iterdir():
        (copy / entry.name).write_bytes(entry.read_bytes())
    return copy


def test_a_second_process_finds_the_code_and_imports_neither_numba_nor_numpy(
    cache: Path, tmp_path: Path
) -> None:
    """A plain `apply` of an 8-bit picture is done without the packages that start slowly."""
    outline(tmp_path, cache)
    program = (
        "import sys\n"
        "from imgconv.cli import main\n"
        "code = main(['apply', 'point.png', '-k', 'outline', '-o', 'again.png'])\n"
        "slow = ('numba', 'llvmlite', 'numpy', 'rich')\n"
        "print(code, [name for name in slow if name in sys.modules])\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "IMGCONV_CACHE_DIR": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "0 []\n"
    assert np.asarray(Image.open(tmp_path / "again.png")).tolist() == EXPECTED


def test_the_folder_is_made_private_and_entries_begin_with_their_hash(filled: Path) -> None:
    """Nobody but the user may write what will be executed."""
    assert filled.stat().st_mode & 0o777 == 0o700
    entries = list(filled.iterdir())
    assert len(entries) >= 2
    for entry in entries:
        data = entry.read_bytes()
        assert native.hashlib.sha256(data[32:]).digest() == data[:32]


def gathered(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Compile or find `gather` as a new process would, check its answer, return the hints."""
    hints: list[str] = []
    monkeypatch.setenv("IMGCONV_CACHE_DIR", str(folder))
    monkeypatch.setattr(native, "hint", hints.append)
    gather = native._function.__wrapped__("gather", (0,), "uint8", "", "float32")
    source, target = np.arange(6, dtype=np.uint8), np.zeros(6, np.float32)
    rows, runs, fill = np.array([1, 0]), np.array([[0, 0, 1, 3]]), np.zeros(1, np.float32)
    gather(
        source.ctypes.data, 3, 2, rows.ctypes.data, target.ctypes.data, 3, 1,
        runs.ctypes.data, 1, fill.ctypes.data,
    )  # fmt: skip
    assert target.tolist() == [3, 4, 5, 0, 1, 2]
    return hints


@pytest.mark.parametrize("where", [0, 5, 31, 32, 33, 40, 100, 1000, -100, -1])
def test_a_truncated_entry_is_compiled_again(
    where: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut anywhere, an entry is a hint and is made again."""
    assert gathered(tmp_path / "c", monkeypatch) == []
    (entry,) = (tmp_path / "c").iterdir()
    whole = entry.read_bytes()
    entry.write_bytes(whole[:where])
    (hint,) = gathered(tmp_path / "c", monkeypatch)
    assert "damaged" in hint
    assert gathered(tmp_path / "c", monkeypatch) == []


def test_flipped_bits_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A single wrong bit anywhere in an entry is enough."""
    gathered(tmp_path / "c", monkeypatch)
    (entry,) = (tmp_path / "c").iterdir()
    whole, chance = entry.read_bytes(), random.Random(1)
    for _ in range(5):
        data = bytearray(whole)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        entry.write_bytes(data)
        assert "damaged" in gathered(tmp_path / "c", monkeypatch)[0]


def test_a_full_disk_or_an_entry_that_cannot_be_read_is_a_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder in the place of an entry can neither be read nor replaced."""
    gathered(tmp_path / "c", monkeypatch)
    (entry,) = (tmp_path / "c").iterdir()
    entry.unlink()
    entry.mkdir()
    assert len(gathered(tmp_path / "c", monkeypatch)) == 2
    assert list((tmp_path / "c").iterdir()) == [entry]


def test_without_verbose_a_damaged_cache_is_not_worth_a_word(cache: Path, tmp_path: Path) -> None:
    """The user is not told of what is mended by itself."""
    for entry in cache.iterdir():
        entry.write_bytes(b"")
    assert "cache" not in outline(tmp_path, cache).stderr


def test_a_folder_that_others_can_write_to_is_not_used(cache: Path, tmp_path: Path) -> None:
    """Code from a folder of everybody's is not executed, and none is left there."""
    for entry in cache.iterdir():
        entry.unlink()
    cache.chmod(0o777)
    assert "only you can write" in outline(tmp_path, cache, "--verbose").stderr
    assert list(cache.iterdir()) == []


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give files away")
def test_a_folder_of_another_owner_is_not_used(cache: Path, tmp_path: Path) -> None:
    """The folder of another user is left alone."""
    os.chown(cache, 12345, 12345)
    before = sorted(p.stat().st_mtime_ns for p in cache.iterdir())
    assert "only you can write" in outline(tmp_path, cache, "--verbose").stderr
    assert sorted(p.stat().st_mtime_ns for p in cache.iterdir()) == before


@pytest.mark.parametrize("place", ["/proc/nowhere/cache", "/dev/null/cache"])
def test_where_no_folder_can_be_made_it_goes_on_without(place: str, tmp_path: Path) -> None:
    """A read-only system costs the compilation each time, nothing else."""
    assert "not kept" in outline(tmp_path, place, "--verbose").stderr


def test_many_first_runs_at_once_are_all_right_and_leave_valid_entries(tmp_path: Path) -> None:
    """Processes that fill the same empty cache do not disturb one another."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "IMGCONV_CACHE_DIR": str(tmp_path / "c")}
    Image.new("L", (3, 3), 7).save(tmp_path / "a.png")
    command = [sys.executable, "-m", "imgconv", "apply", "a.png", "-k", "identity", "-o"]
    started = [
        subprocess.Popen([*command, f"{i}.png"], cwd=tmp_path, env=environment) for i in range(6)
    ]
    assert [process.wait() for process in started] == [0] * 6
    for i in range(6):
        assert np.unique(np.asarray(Image.open(tmp_path / f"{i}.png"))).tolist() == [7]
    entries = list((tmp_path / "c").iterdir())
    assert {entry.suffix for entry in entries} == {native.SUFFIX}
    for entry in entries:
        assert native.hashlib.sha256(entry.read_bytes()[32:]).digest() == entry.read_bytes()[:32]


def test_the_code_reaches_no_allocator(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that the code refers to outside of it, but a few library functions, is abort."""
    asked: list[str] = []
    real = native._address
    monkeypatch.setattr(native, "_address", lambda name: asked.append(name) or real(name))
    for entry in filled.iterdir():
        native._link(entry.read_bytes()[32:])
    unreachable = [name for name in asked if name not in native.LIBRARY]
    assert len(unreachable) > 5
    assert {real(name) for name in unreachable} == {real("abort")}


def test_versions_of_packages_are_told_apart_without_importing_them() -> None:
    """A package without a version file is asked for its metadata."""
    assert "version" in native._version("numba")
    assert native._version("hypothesis") == importlib.metadata.version("hypothesis")


def test_the_linker_refuses_what_it_does_not_know() -> None:
    """An object for another machine is left to llvmlite."""
    with pytest.raises(linker.UnknownObjectError):
        linker.flatten(b"\x7fELF\x02\x01" + bytes(12) + b"\xb7\x00" + bytes(100), "entry")


def test_llvmlite_links_what_our_linker_refuses(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """On other machines the kept object code gives the same function."""

    def refuse(*_: object) -> bytes:
        raise linker.UnknownObjectError("not today")

    monkeypatch.setattr(linker, "flatten", refuse)
    assert gathered(tmp_path / "c", monkeypatch) == []  # compiled
    assert gathered(tmp_path / "c", monkeypatch) == []  # found
    (entry,) = (tmp_path / "c").iterdir()
    assert not entry.read_bytes()[32:].startswith(native.IMAGE)


def test_cache_commands_tell_and_clear(cache: Path) -> None:
    """`cache info` counts the entries, `cache clear` removes them and unfinished ones."""
    (cache / "old.123.part").write_bytes(b"half")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "IMGCONV_CACHE_DIR": str(cache)}

    def run(word: str) -> str:
        command = [sys.executable, "-m", "imgconv", "cache", word]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True
        ).stdout

    assert str(cache) in run("info")
    assert run("clear") == ""
    assert "0 functions" in run("info")
    assert list(cache.iterdir()) == []
