"""The journal of a run: which outputs are done, from which inputs and how, so that it can go on."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from imgconv import __version__
from imgconv.kernels.kernel import Kernel
from imgconv.kernels.recipes import Combined
from imgconv.light import Path, blake2b
from imgconv.pictures import files, replacing
from imgconv.runs.job import FAILED, OK, Outcome

if TYPE_CHECKING:
    from imgconv.runs.job import Job
    from imgconv.runs.task import Task

# A line names input and output in 12 letters; 6 tell what was read and how it was filtered, and 6
# what was written. So 100 million pictures take 2.5 GB, and one of 70 billion changed files is
# taken for what it was.
KEY, MARK = 12, 6
LINE = KEY + 2 * MARK + 1
LONGEST = 1 << 16  # of what is read at once; no line of ours is so long
ENDING = ".journal"
TRIES = 100  # to open a journal, a hundredth of a second each
# And a pipe in the place of a journal is not waited for.
FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND
FLAGS |= getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)


def meaning(task: Task, format: str | None) -> str:
    """Return what decides the bytes of an output beside its input."""
    work = task.work._replace(kernels=(), threads=None)
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


def stamp(name: str) -> str:
    """Return what changes with a file: its size and time, or what its store tells; "" if none."""
    place = files.path(name)
    if not isinstance(place, str):
        return place.stamp()
    try:
        seen = os.stat(place)
    except (OSError, ValueError):
        return ""
    if stat.S_ISDIR(seen.st_mode):  # a .zarr, whose own time does not tell of its chunks
        return str(files.tree(place))
    return f"{seen.st_size} {seen.st_mtime_ns}" if stat.S_ISREG(seen.st_mode) else ""


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
    disturb each other and nothing waits to be written when one is killed. Files of earlier runs go
    when a run has done all that they tell of, unless a process still has them open.
    """

    def __init__(self, where: str, note: Callable[[str], None], *, resume: bool) -> None:
        self._name = _short(where, 16)
        self._own = "" if resume else f"-{os.urandom(6).hex()}"
        self._note, self._resume, self._here = note, resume, os.getcwd()
        self._file: int | None = None
        self._begun = False
        self._theirs: set[bytes] = set()  # keys of which files that do not stay tell last

    def recall(self, todo: Sequence[Job]) -> list[Job]:
        """Return the jobs with the marks that earlier runs have left of them."""
        keys: list[bytes] = []
        found: dict[bytes, bytes] = {}
        try:
            if earlier := self._files():  # else nobody waits for the keys
                keys += [self._key(job.name, job.target) for job in todo]
                found |= dict.fromkeys(keys, b"")
            for path in earlier:
                for line in _lines(path):
                    key = line[-LINE : -LINE + KEY]
                    if key in found:
                        found[key] = line[-LINE + KEY : -1]
                        stays = path.stem == self._name
                        (self._theirs.discard if stays else self._theirs.add)(key)
        except (OSError, RuntimeError) as error:
            self._note(f"the journal of earlier runs cannot be read: {error}")
        if not keys:
            return list(todo)
        return [job._replace(marks=found[key]) for job, key in zip(todo, keys, strict=True)]

    def _files(self) -> list[Path]:
        """The files of all runs, the latest last."""
        return sorted(_kept(self._name), key=_time)

    def keep(self, outcomes: Iterable[Outcome]) -> Generator[Outcome, None, None]:
        """Yield the outcomes, each noted before it is told."""
        earlier: list[Path] = []
        with contextlib.suppress(OSError, RuntimeError):
            earlier += [path for path in self._files() if path.stem != f"{self._name}{self._own}"]
        complete = True
        noted, skipped = set[bytes](), set[bytes]()
        try:
            for outcome in outcomes:
                key = self._key(outcome.name, outcome.output)
                if outcome.marks and (outcome.status == OK or key in self._theirs):
                    self._append(key + outcome.marks + b"\n")
                if earlier and outcome.status != FAILED:
                    (noted if outcome.marks else skipped).add(key)
                complete = complete and outcome.status != FAILED
                yield outcome
        except BaseException:
            complete = False
            raise
        finally:
            kept = self._file is not None or not self._begun
            done = complete and not self._resume
            self._close(remove=done)
        if kept or done:
            self._supersede(earlier, noted, skipped if complete else set())

    def _supersede(self, earlier: Iterable[Path], noted: set[bytes], skipped: set[bytes]) -> None:
        """Remove the files that tell of nothing but what this run has done.

        What it has skipped, the file that stays may still be asked about.
        """
        for path in earlier:
            done = noted if path.stem == self._name else noted | skipped
            with contextlib.suppress(OSError):
                size = os.stat(path).st_size
                lines = (line for line in _lines(path) if len(line) >= LINE)
                if all(line[-LINE : -LINE + KEY] in done for line in lines):
                    _remove(path, size)

    def _key(self, source: str, target: str) -> bytes:
        """What a line begins with: its input and output."""
        names = _absolute(source, self._here), _absolute(target, self._here)
        return _short("\n".join(names), KEY).encode()

    def _append(self, line: bytes) -> None:
        try:
            if not self._begun:
                self._begun = True
                self._file = _opened(self._path())
            if self._file is not None:
                os.write(self._file, line)
        except (OSError, RuntimeError) as error:  # RuntimeError: the user has no home folder
            self._note(f"no journal is kept, without which --resume cannot go on: {error}")
            self._close(remove=False)

    def _path(self) -> Path:
        folder = state_folder()
        os.makedirs(folder, mode=0o700, exist_ok=True)
        return folder / f"{self._name}{self._own}{ENDING}"

    def _close(self, *, remove: bool) -> None:
        if self._file is None:
            return
        with contextlib.suppress(OSError):
            if remove:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self._path())
            os.close(self._file)
        self._file = None


def _opened(path: Path) -> int:
    """Open a file to append to, which no other process removes while it is open."""
    for _ in range(TRIES):
        file = os.open(path, FLAGS, 0o600)
        if replacing.lock(file, shared=True) is not False and os.fstat(file).st_nlink:
            return file
        os.close(file)  # it is just being removed
        time.sleep(0.01)
    raise BlockingIOError(errno.EAGAIN, "another process keeps it", str(path))


def _kept(begin: str) -> list[Path]:
    """The journals whose names begin so, where the folder may be read."""
    folder, names = state_folder(), list[str]()
    with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        names += os.listdir(folder)
    ours = [folder / name for name in names if name.startswith(begin) and name.endswith(ENDING)]
    return [path for path in ours if os.path.isfile(path)]


def _time(path: Path) -> float:
    """When a file was written; any time if it has gone."""
    try:
        return os.stat(path).st_mtime
    except FileNotFoundError:
        return 0.0


def _lines(path: Path) -> Iterator[bytes]:
    """The lines of a file, which may have gone, its run being done; a torn one is no key's."""
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
        yield from iter(lambda: file.readline(LONGEST), b"")


def _remove(path: Path, size: int | None = None) -> None:
    """Remove a journal that no process has open, and that has not grown beyond a size."""
    with replacing.unclaimed(path) as left:
        if left and size in (None, os.stat(path).st_size):
            os.unlink(path)


def left() -> list[Path]:
    """Return the journals of runs that have not ended with all done, or that --resume keeps."""
    try:
        return _kept("")
    except (OSError, RuntimeError):  # the user has no home folder
        return []


def clear() -> None:
    """Remove the journals of runs that have ended."""
    for path in left():
        with contextlib.suppress(OSError):
            _remove(path)


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
