"""Parts are compiled by a process beside this one, or here: the result is the same."""

import functools
import os
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

import pytest

from imgconv.compiled import beside, cache, native
from tests import ROOT


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a new cache, where a process may help, and this one compiles nothing that is real."""
    monkeypatch.setenv("IMGCONV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(native, "helped", True)
    monkeypatch.setattr(native, "_compile", str.encode)
    monkeypatch.setattr(native, "_link", bytes)
    monkeypatch.setattr(native, "_part", functools.cache(native._part.__wrapped__))
    monkeypatch.setattr(native, "_expected", [])
    monkeypatch.setattr(beside, "core_count", lambda: 2)
    monkeypatch.setattr(beside, "_awaited", deque())
    monkeypatch.setattr(beside, "_ends", [])


def asked(name: str) -> bytes:
    """Return a part as a new process would find or compile it; here that is its name."""
    return native._part.__wrapped__(name)


def test_the_conductor_is_compiled_beside_what_is_asked_for_first() -> None:
    """And comes through the cache; who asks for it waits."""
    shown: list[bool] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "compiling", shown.append)
        assert asked("copy") == b"copy"
        assert beside.has(native.CONDUCTOR)
        assert asked(native.CONDUCTOR).startswith(native.IMAGE)
        assert not beside.has(native.CONDUCTOR)
    assert shown == [False, True]
    assert not beside._ends


def test_what_is_expected_is_compiled_while_the_conductor_is_waited_for() -> None:
    """And not before: what is asked for first may be all that is needed."""
    native.expect("pack")
    assert asked("copy") == b"copy"
    assert cache.load(native._key("pack")) is None
    assert asked(native.CONDUCTOR).startswith(native.IMAGE)
    assert cache.load(native._key("pack")) == b"pack"


@pytest.mark.parametrize("program", ["raise SystemExit(1)", "import os; os.kill(os.getpid(), 9)"])
def test_what_is_not_compiled_there_is_compiled_here(
    monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    """Whatever ends that process."""
    monkeypatch.setattr(beside, "PROGRAM", program)
    assert [asked("copy"), asked(native.CONDUCTOR)] == [b"copy", native.CONDUCTOR.encode()]


def without_a_core(patch: pytest.MonkeyPatch, _: Path) -> None:
    """Leave this process one core."""
    patch.setattr(beside, "core_count", lambda: 1)


def without_a_cache(_: pytest.MonkeyPatch, folder: Path) -> None:
    """Put a file in the cache's place."""
    (folder / "cache").write_text("")


def without_python(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Have no program to begin."""
    patch.setattr(sys, "executable", str(folder / "none"))


def as_a_library(patch: pytest.MonkeyPatch, _: Path) -> None:
    """Be no command of ours."""
    patch.setattr(native, "helped", False)


@pytest.mark.parametrize("less", [without_a_core, without_a_cache, without_python, as_a_library])
def test_no_process_is_begun_where_it_does_not_help(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, less
) -> None:
    """Everything is compiled here, and no file is left open."""
    before = os.listdir("/dev/fd")
    less(monkeypatch, tmp_path)
    assert [asked("copy"), asked(native.CONDUCTOR)] == [b"copy", native.CONDUCTOR.encode()]
    assert len(os.listdir("/dev/fd")) == len(before)


def test_it_ends_with_who_began_it() -> None:
    """Though nobody waits for it, as after an interrupt."""
    program = (
        "import os\n"
        "from imgconv.compiled import beside\n"
        "beside.core_count = lambda: 2\n"
        "slowly = 'import time; time.sleep(60)'\n"
        "beside.PROGRAM = beside.PROGRAM.replace('os._exit(0)', slowly)\n"
        "beside.begin([])\n"
        "print(open(f'/proc/{os.getpid()}/task/{os.getpid()}/children').read(), flush=True)\n"
        "os._exit(130)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 130
    state = Path("/proc", done.stdout.strip(), "stat")
    for _ in range(500):
        if not state.exists() or ") Z " in state.read_text():
            return
        time.sleep(0.02)
    pytest.fail("it is still there")


def test_all_parts_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """`imgconv cache warm` compiles each part once, here or there."""
    monkeypatch.setattr(native, "PARTS", ("copy", "fill", "share"))
    monkeypatch.setattr(native, "part", asked)
    native.compile_all()
    entries = {name: cache.load(native._key(name)) or b"" for name in native.PARTS}
    assert entries["fill"] == b"fill"  # here
    assert [entries[n].startswith(native.IMAGE) for n in ("copy", "share")] == [True, True]
