"""Code is compiled once for what it is made from, and linked the same in each process."""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgconv.compiled import cache, linker, native, processor, words
from imgconv.errors import OptionError
from tests import ROOT
from tests.test_house import imported, modules


def test_a_second_process_finds_the_code_and_imports_neither_numba_nor_numpy(
    tmp_path: Path,
) -> None:
    """A plain `apply` of an 8-bit picture is done without the packages that start slowly."""
    Image.new("L", (3, 3)).save(tmp_path / "in.png")
    program = (
        "import sys\n"
        "from imgconv.cli.main import main\n"
        "code = main(['apply', 'in.png', '-k', 'outline', '-fo', 'out.png'])\n"
        "slow = ('numba', 'llvmlite', 'numpy', 'rich')\n"
        "print(code, [name for name in slow if name in sys.modules])\n"
    )
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            cwd=tmp_path, capture_output=True, text=True, check=True,
        )  # fmt: skip
    assert done.stdout == "0 []\n"
    assert np.asarray(Image.open(tmp_path / "out.png")).tolist() == [[0] * 3] * 3


def widened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Compile or find a part as a new process would, check its answer, return the hints."""
    hints: list[str] = []
    monkeypatch.setenv("IMGCONV_CACHE_DIR", str(folder))
    monkeypatch.setattr(cache, "hint", hints.append)
    monkeypatch.setattr(cache, "warn", hints.append)
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


def test_the_code_reaches_no_allocator(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that the code refers to outside of it, but a few library functions, is abort."""
    asked: list[str] = []
    for name in ("fill", "copy", native.CONDUCTOR):
        native.part(name)
    real = native._address
    monkeypatch.setattr(native, "_address", lambda name: asked.append(name) or real(name))
    for name in native.kept():
        entry = cache.load(native._key(name))
        assert entry
        native._link(entry)
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


@pytest.mark.skipif(not processor.has_vectors(), reason="no processor with AVX2")
def test_code_for_a_lesser_processor_gives_the_same(tmp_path: Path) -> None:
    """IMGCONV_CPU changes the code, never a pixel; nor does what Numba is told of processors.

    An instruction that a processor lacks would end the process while it is compiled for.
    """
    program = (
        "import numpy as np, sys\n"
        "from imgconv import apply\n"
        "image = np.random.default_rng(2).integers(0, 256, (40, 90, 3), np.uint8)\n"
        "sys.stdout.buffer.write(apply(image, 'outline').tobytes())\n"
    )

    def pixels(changes: dict[str, str]) -> bytes:
        return subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": str(ROOT), **changes},
            cwd=tmp_path, capture_output=True, check=True,
        ).stdout  # fmt: skip

    changes = ({}, {"IMGCONV_CPU": "x86-64-v3"}, {"NUMBA_CPU_NAME": "generic"})
    assert len(set(map(pixels, changes))) == 1


def test_what_decides_code_decides_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code for another processor, or by other settings of Numba's, is kept apart."""

    def names() -> str:
        return native._circumstances.__wrapped__()

    monkeypatch.chdir(tmp_path)
    found = [names()]
    for name, value in (
        ("IMGCONV_CPU", "x86-64-v2"), ("IMGCONV_PLAIN", "1"), ("NUMBA_CPU_NAME", "generic"),
    ):  # fmt: skip
        with monkeypatch.context() as changed:
            changed.setenv(name, value)
            found.append(names())
    for text in ("opt: 0\n", "opt: 10\n"):
        (tmp_path / ".numba_config.yaml").write_text(text)
        found.append(names())
    assert len(set(found)) == len(found)


def test_all_sources_of_code_decide_its_name() -> None:
    """Whatever the parts import of their wing, and what puts it together."""
    known, found = modules(ROOT / "imgconv"), {"compiled.native"}
    left = [
        f"compiled.{name}" for name in ("conductor", "parts", "rows", "places", "packing", "linker")
    ]
    while left:
        name = left.pop()
        found.add(name)
        further = imported(known[name], known, "imgconv")
        left += [n for n in further if n.startswith("compiled.") and n not in found]
    assert found == {f"compiled.{name}" for name in native.SOURCES}


def test_only_what_a_processor_takes_is_compiled_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else `imgconv cache warm` ended where there is no AVX2."""
    monkeypatch.setenv("IMGCONV_PLAIN", "1")
    paired = {"paired sums", "paired bytes", "paired divided"}
    assert set(native.PARTS) - set(native.parts()) == {*paired, "mix"}


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
