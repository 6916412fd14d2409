"""Compiled code is kept and found again, and whatever becomes of it, the answer is right."""

import importlib.metadata
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgconv.engine import linker, native, processor, words
from imgconv.errors import OptionError
from tests import ROOT

Once = Callable[[str, Callable[[Path], None]], Path]
EXPECTED = [[0, 0, 0], [0, 255, 0], [0, 0, 0]]


def outline(folder: Path, cache: Path | str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run `imgconv apply` on a small picture in a process of its own and check the output."""
    pixels, name = np.zeros((3, 3), np.uint8), os.urandom(4).hex()
    pixels[1, 1] = 255
    Image.fromarray(pixels).save(folder / f"{name}.in.png")
    out = folder / f"{name}.png"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "IMGCONV_CACHE_DIR": str(cache)}
    command = [sys.executable, "-m", "imgconv", "apply", f"{name}.in.png", "-k", "outline"]
    done = subprocess.run(
        [*command, "-o", out.name, *options],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert np.asarray(Image.open(out)).tolist() == EXPECTED
    return done


@pytest.fixture(scope="module")
def filled(once: Once) -> Path:
    """A cache that two first runs have filled at once, each with the right answer."""

    def fill(folder: Path) -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda _: outline(folder, folder / "cache"), range(2)))

    return once("filled", fill) / "cache"


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
    (picture,) = tmp_path.glob("*.in.png")
    program = (
        "import sys\n"
        "from imgconv.cli.main import main\n"
        "code = main(['apply', sys.argv[1], '-k', 'outline', '-o', 'again.png'])\n"
        "slow = ('numba', 'llvmlite', 'numpy', 'rich')\n"
        "print(code, [name for name in slow if name in sys.modules])\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "IMGCONV_CACHE_DIR": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", program, picture.name],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "0 []\n"
    assert np.asarray(Image.open(tmp_path / "again.png")).tolist() == EXPECTED


def test_many_first_runs_leave_private_and_valid_entries_alone(filled: Path) -> None:
    """Processes that fill the same empty cache do not disturb one another.

    Nobody else may write what will be executed, and each entry begins with its hash.
    """
    assert filled.stat().st_mode & 0o777 == 0o700
    entries = list(filled.iterdir())
    assert len(entries) >= 2
    assert {entry.suffix for entry in entries} == {native.SUFFIX}
    for entry in entries:
        data = entry.read_bytes()
        assert native.hashlib.sha256(data[32:]).digest() == data[:32]


def widened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Compile or find a part as a new process would, check its answer, return the hints."""
    hints: list[str] = []
    monkeypatch.setenv("IMGCONV_CACHE_DIR", str(folder))
    monkeypatch.setattr(native, "hint", hints.append)
    address = native._part.__wrapped__("widen real")
    source, target = np.arange(6, dtype=np.uint8), np.zeros(6, np.float32)
    numbers = np.array([words.WIDENED["real"].index(("uint8", "float32")), 1])
    job = np.zeros(words.INPUTS + 1, np.int64)
    for word, value in (
        (words.N, 6), (words.OUT, target.ctypes.data), (words.NUMBERS, numbers.ctypes.data),
        (words.COUNT, 1), (words.INPUTS, source.ctypes.data),
    ):  # fmt: skip
        job[word] = value
    native._prototype(address)(job.ctypes.data)
    assert target.tolist() == [0, 1, 2, 3, 4, 5]
    return hints


@pytest.fixture(scope="module")
def widen(once: Once) -> Path:
    """The entry of a part, compiled once."""

    def compiled(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            assert widened(folder / "c", patch) == []

    (entry,) = (once("widen", compiled) / "c").iterdir()
    return entry


@pytest.fixture
def entry(widen: Path, tmp_path: Path) -> Path:
    """A private copy of that entry, in a cache of its own."""
    folder = tmp_path / "c"
    folder.mkdir(mode=0o700)
    copy = folder / widen.name
    copy.write_bytes(widen.read_bytes())
    return copy


def damaged(whole: bytes) -> Iterator[bytes]:
    """Yield an entry cut short anywhere, and with a single wrong bit anywhere."""
    for where in (0, 5, 31, 32, 33, 40, 100, 300, -100, -1):
        yield whole[:where]
    chance = random.Random(1)
    for _ in range(20):
        data = bytearray(whole)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        yield bytes(data)


def test_damage_anywhere_is_noticed(entry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry cut short or with a wrong bit is never linked, and a hint says so."""
    hints: list[str] = []
    monkeypatch.setattr(native, "hint", hints.append)
    whole = entry.read_bytes()
    assert native._load(entry) == whole[32:]
    for data in damaged(whole):
        entry.write_bytes(data)
        assert native._load(entry) is None
        assert "damaged" in hints.pop()
    assert hints == []


def test_a_damaged_entry_is_compiled_again(entry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a hint, the answer is right, and the new entry is found by the next process."""
    whole = entry.read_bytes()
    entry.write_bytes(whole[:-1])
    (hint,) = widened(entry.parent, monkeypatch)
    assert "damaged" in hint
    assert widened(entry.parent, monkeypatch) == []


def test_a_full_disk_or_an_entry_that_cannot_be_read_is_a_hint(
    entry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder in the place of an entry can neither be read nor replaced."""
    entry.unlink()
    entry.mkdir()
    assert len(widened(entry.parent, monkeypatch)) == 2
    assert list(entry.parent.iterdir()) == [entry]


def test_without_verbose_a_damaged_cache_is_not_worth_a_word(cache: Path, tmp_path: Path) -> None:
    """The user is not told of what is mended by itself."""
    min(cache.iterdir()).write_bytes(b"")
    assert "cache" not in outline(tmp_path, cache).stderr


def refused(folder: Path | str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the hint with which a folder is not used as a cache."""
    hints: list[str] = []
    monkeypatch.setenv("IMGCONV_CACHE_DIR", str(folder))
    monkeypatch.setattr(native, "hint", hints.append)
    assert native.cache_folder() is None
    (hint,) = hints
    return hint


def test_a_folder_that_others_can_write_to_is_not_used(
    entry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code from a folder of everybody's is not executed, and none is left there."""
    entry.parent.chmod(0o777)
    assert "only you can write" in refused(entry.parent, monkeypatch)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give files away")
def test_a_folder_of_another_owner_is_not_used(
    entry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder of another user is left alone."""
    os.chown(entry.parent, 12345, 12345)
    assert "only you can write" in refused(entry.parent, monkeypatch)


@pytest.mark.parametrize("place", ["/proc/nowhere/cache", "/dev/null/cache"])
def test_where_no_folder_can_be_made_none_is_used(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read-only system and a file in the place of a folder."""
    assert "not kept" in refused(place, monkeypatch)


def test_without_a_cache_it_goes_on(cache: Path, tmp_path: Path) -> None:
    """It costs the compilation each time, nothing else; nothing is read there, and none is left."""
    for path in cache.iterdir():
        path.unlink()
    cache.chmod(0o777)
    assert "only you can write" in outline(tmp_path, cache, "--verbose").stderr
    assert list(cache.iterdir()) == []


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
    assert widened(tmp_path / "c", monkeypatch) == []  # compiled
    assert widened(tmp_path / "c", monkeypatch) == []  # found
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

    found = run("info")
    assert str(cache) in found
    assert f"{len(list(cache.iterdir())) - 1} of {len(native.parts())} parts" in found
    assert run("clear") == ""
    assert f"0 of {len(native.parts())} parts" in run("info")
    assert list(cache.iterdir()) == []


@pytest.mark.skipif(not processor.has_vectors(), reason="no processor with AVX2")
def test_code_for_a_lesser_processor_is_kept_apart_and_gives_the_same(
    cache: Path, tmp_path: Path
) -> None:
    """IMGCONV_CPU changes the code, never a pixel; nor does what Numba is told of processors.

    An instruction that a processor lacks would end the process while it is compiled for.
    """
    program = (
        "import numpy as np, sys\n"
        "from imgconv import apply\n"
        "image = np.random.default_rng(2).integers(0, 256, (40, 90, 3), np.uint8)\n"
        "sys.stdout.buffer.write(apply(image, 'outline').tobytes())\n"
    )

    def pixels(changes: dict[str, str]) -> tuple[bytes, int]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "IMGCONV_CACHE_DIR": str(cache)}
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**environment, **changes}, cwd=tmp_path, capture_output=True, check=True,
        )  # fmt: skip
        return done.stdout, len(list(cache.glob("*.code")))

    changes = ({}, {"IMGCONV_CPU": "x86-64-v3"}, {"NUMBA_CPU_NAME": "generic"})
    (first, few), (second, more), (third, most) = map(pixels, changes)
    assert first == second == third
    assert few < more < most


def test_only_what_a_processor_takes_is_compiled_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else `imgconv cache warm` ended where there is no AVX2."""
    monkeypatch.setenv("IMGCONV_PLAIN", "1")
    assert not {"paired", "mix"} & set(native.parts())
    assert set(native.PARTS) - set(native.parts()) == {"paired", "mix"}


@pytest.mark.parametrize("name", ["pentium", "x86-64-v9", "native"])
def test_a_processor_that_code_cannot_be_for_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that is none, or is more than this one can do: what can be said is told."""
    monkeypatch.setenv("IMGCONV_CPU", name)
    with pytest.raises(OptionError, match=f"IMGCONV_CPU is '{name}'.* leave it out"):
        processor.has_vectors()


def test_the_library_of_windows_is_called_by_its_name(monkeypatch):
    """There a process does not hand out what is in it; this one has all that is asked for."""
    opened = []
    with monkeypatch.context() as there:
        there.setattr(sys, "platform", "win32")
        there.setattr(native.ctypes, "CDLL", opened.append)
        native._library.__wrapped__()
    assert opened == ["ucrtbase"]
    assert all(native._address(name) for name in (*native.LIBRARY, "abort"))
