"""What the tests share: no catalogue of the user's own, and the command line in this process."""

import io
import itertools
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import pytest

from imgconv.cli.main import main
from imgconv.compiled import native

# What decides whether a change lands must not depend on chance; elsewhere examples differ each run.
# Nothing is asserted of time.
hypothesis.settings.register_profile("usual", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "usual")

MANY = 500  # tests, which take all parts of the engine
PATIENCE = 300  # seconds for another worker to make what is shared


def pytest_xdist_auto_num_workers() -> int:
    """One worker more than cores: a third of the time is spent waiting for processes."""
    return (os.cpu_count() or 1) + 1


@dataclass(frozen=True)
class Result:
    """What a run of the command line leaves behind."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        """Standard output as text."""
        return self.out.decode()

    @property
    def errors(self) -> list[str]:
        """The lines of standard error; a message of two lines counts as two."""
        return self.err.splitlines()


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Places for folders: for a new one of its own pytest looks through all that there are."""
    base = tmp_path_factory.mktemp("homes")
    return (base / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def config_home(homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an empty folder the place of the user's own settings."""
    folder = next(homes)
    folder.mkdir()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
    return folder


@pytest.fixture(autouse=True)
def state_home(homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an empty folder the place of the user's own journals."""
    folder = next(homes)
    folder.mkdir()
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def for_all(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that all workers of a run share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def once(for_all: Path) -> Callable[[str, Callable[[Path], None]], Path]:
    """Return a function that has one of the workers make a folder, for which the others wait."""

    def once(name: str, make: Callable[[Path], None]) -> Path:
        folder, made, failed = (for_all / f"{name}{ending}" for ending in ("", ".made", ".failed"))
        try:
            folder.mkdir()
        except FileExistsError:
            until = time.monotonic() + PATIENCE
            while not made.exists():
                assert not failed.exists(), f"another worker could not make {name}"
                assert time.monotonic() < until, f"another worker has not made {name}"
                time.sleep(0.05)
            return folder
        try:
            make(folder)
        except BaseException:
            failed.touch()
            raise
        made.touch()
        return folder

    return once


@pytest.fixture(autouse=True, scope="session")
def cache(for_all: Path, request: pytest.FixtureRequest) -> Iterator[None]:
    """Keep compiled code in a folder of the tests' own, and begin without any.

    Bytecode goes where Python keeps it, so that the many processes do not compile it anew. Where
    all tests are run, each worker compiles some of the parts first, so that none does all of them.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMGCONV_CACHE_DIR", str(for_all / "compiled"))
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        if len(request.session.items) > MANY:
            own = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
            workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
            for name in native.parts()[own::workers]:
                native.part(name)
        yield


@pytest.fixture
def run(
    capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """Return a function that runs the command line in this process."""

    def run(*arguments: object, stdin: bytes = b"") -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsysbinary.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capsysbinary.readouterr()
        return Result(code, out, err.decode())

    return run
