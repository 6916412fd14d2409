"""The journal of a run: which outputs are done, from which inputs and how, so that it can go on."""

from __future__ import annotations

import os
import sys
from base64 import urlsafe_b64encode
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from imgconv import __version__
from imgconv.kernels.kernel import Kernel
from imgconv.kernels.recipes import Combined
from imgconv.pictures import files
from imgconv.runs.job import FAILED, OK, Outcome

if TYPE_CHECKING:
    from imgconv.runs.job import Job
    from imgconv.runs.task import Task

# A line names input and output in 12 letters; 6 tell what was read and how it was filtered, and 6
# what was written. So 100 million pictures take 2.5 GB, and one of 70 billion changed files is
# taken for what it was.
KEY, MARK = 12, 6
LINE = KEY + 2 * MARK + 1
# And a pipe in the place of a journal is not waited for.
FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND
FLAGS |= getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)


def meaning(task: Task, format: str | None) -> str:
    """Return what decides the bytes of an output beside its input."""
    work = replace(task.work, kernels=(), threads=None)
    kernels = [_numbers(step) for step in task.work.kernels]
    writing = task.writing._replace(force=False)
    reading = task.reading._replace(max_pixels=0, formats=())
    said = (
        __version__,
        work,
        kernels,
        reading,
        writing,
        task.levels,
        task.tile,
        (format or "").lower(),
    )
    return _short(repr(said), 24)


def _numbers(step: Kernel | Combined) -> object:
    """A kernel without the words about it."""
    if isinstance(step, Combined):
        return step.how, [_numbers(kernel) for kernel in step.kernels]
    return step.weights, step.divisor, step.bias


def marks(meaning: str, seen: str, left: str) -> bytes:
    """Return what a journal keeps of an input's stamp and an output's; nothing without either."""
    if not seen or not left:
        return b""
    return (_short(f"{meaning} {seen}", MARK) + _short(left, MARK)).encode()


def is_ours(now: bytes, then: bytes) -> bool:
    """Return whether an output is as an earlier run has left it."""
    return bool(now) and now[MARK:] == then[MARK:]


class Journal:
    """What earlier runs of a meaning have done, and what this one does.

    An input is done and right if an earlier run has read it as it is now (size and time, or what
    its store tells), with the same kernels and options, and its output is as that run left it: it
    is skipped. An output that is as it was left, but whose input or options have changed, is our
    own product: it is made again and replaces the old one. Any other output that exists is somebody
    else's, and fails the input without --force; only if it holds the very bytes that would be
    written is it taken for done, since a run that was killed leaves some that nobody has noted.

    A run appends to a file of its own, which goes when all is done; one that resumes, to one that
    all of them share, which stays. Lines are written at once and whole, so that processes do not
    disturb each other and nothing waits to be written when one is killed.
    """

    def __init__(self, where: str, note: Callable[[str], None], *, resume: bool) -> None:
        self._name = _short(where, 16)
        self._own = "" if resume else f"-{os.urandom(6).hex()}"
        self._note, self._resume, self._here = note, resume, os.getcwd()
        self._file: int | None = None
        self._begun = False

    def recall(self, todo: Sequence[Job]) -> list[Job]:
        """Return the jobs with the marks that earlier runs have left of them."""
        keys = [self._key(job.name, job.target) for job in todo]
        found = dict.fromkeys(keys, b"")
        for line in self._lines():
            key = line[-LINE : -LINE + KEY]
            if key in found:
                found[key] = line[-LINE + KEY : -1]
        return [job._replace(marks=found[key]) for job, key in zip(todo, keys, strict=True)]

    def _lines(self) -> Iterator[bytes]:
        """The lines of all runs, the latest last; one that was torn is no key's."""
        try:
            paths = [p for p in state_folder().glob(f"{self._name}*.journal") if p.is_file()]
            for path in sorted(paths, key=os.path.getmtime):
                with path.open("rb") as file:
                    yield from file
        except (OSError, RuntimeError) as error:
            self._note(f"the journal of earlier runs cannot be read: {error}")

    def keep(self, outcomes: Iterable[Outcome]) -> Generator[Outcome, None, None]:
        """Yield the outcomes, each noted before it is told."""
        complete = True
        try:
            for outcome in outcomes:
                if outcome.status == OK and outcome.marks:
                    self._append(self._key(outcome.name, outcome.output) + outcome.marks + b"\n")
                complete = complete and outcome.status != FAILED
                yield outcome
        except BaseException:
            complete = False
            raise
        finally:
            self._close(remove=complete and not self._resume)

    def _key(self, source: str, target: str) -> bytes:
        """What a line begins with: its input and output."""
        names = _absolute(source, self._here), _absolute(target, self._here)
        return _short("\n".join(names), KEY).encode()

    def _append(self, line: bytes) -> None:
        try:
            if not self._begun:
                self._begun = True
                self._file = os.open(self._path(), FLAGS, 0o600)
            if self._file is not None:
                os.write(self._file, line)
        except (OSError, RuntimeError) as error:  # RuntimeError: the user has no home folder
            self._note(f"no journal is kept, without which --resume cannot go on: {error}")
            self._close(remove=False)

    def _path(self) -> Path:
        folder = state_folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder / f"{self._name}{self._own}.journal"

    def _close(self, *, remove: bool) -> None:
        if self._file is None:
            return
        os.close(self._file)
        self._file = None
        if remove:
            self._path().unlink(missing_ok=True)


def pattern(output: str | None, label: str) -> str:
    """Return what the outputs of a run have in common, as far as the user said."""
    if output is None:
        return f"{{stem}}.{label}{{suffix}}"
    return _absolute(output.replace("{kernel}", label), os.getcwd())


def state_folder() -> Path:
    """Return the folder where the user's programs keep what they need in later runs."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
        return base / "imgconv" / "state"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "imgconv" / "state"
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "imgconv"


def _absolute(name: str, here: str) -> str:
    return name if files.is_url(name) else os.path.normpath(os.path.join(here, name))


def _short(text: str, letters: int) -> str:
    """A hash in so many letters, of 6 bits each."""
    data = blake2b(text.encode(errors="surrogatepass"), digest_size=letters * 3 // 4 + 1).digest()
    return urlsafe_b64encode(data)[:letters].decode()
