"""Compiled code on disk: entries in a folder of the user's that nobody else can write to.

An entry is named by what it was made from, and begins with a SHA-256 of that and of itself: what is
found under a name is used if it was kept under this very name. Only regular files of the user's are
read; a link, a pipe or a device in the place of one is neither followed nor waited for.

The folder is looked at when it is open, and entries are opened in it, so nothing can be exchanged
in between. A link in its place, or above, is how users put their caches on another disk: it is
followed, and the folder at its end is the one that is looked at.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Callable, Iterator

from imgconv.errors import ImgconvError, heed_cause
from imgconv.light import NamedTuple, Path, sha256

SUFFIX, UNFINISHED = ".code", ".part"
NAMES = rf"[0-9a-f]{{40}}({SUFFIX}|\.[0-9a-f]+{UNFINISHED})"  # of what is ours in the folder
DIGEST = 32  # bytes
MOST = 1 << 24  # bytes of an entry that are believed: the largest has a thousandth of it
# Where a system knows them: no link is followed, no pipe waited for, no line end changed.
PLAINLY = sum(getattr(os, flag, 0) for flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_NOCTTY", "O_BINARY"))


class CacheError(ImgconvError):
    """Code cannot be kept in the folder."""

    def __init__(self, why: object) -> None:
        if isinstance(why, OSError):
            why = f"{why.filename}: {why.strerror}"
        super().__init__(
            f"compiled code is not kept: {why}; name another folder in IMGCONV_CACHE_DIR"
        )


def _be_silent(_: str) -> None:
    """Tell nothing."""


# The command line replaces these to print what they are told.
hint: Callable[[str], None] = _be_silent  # what was wrong, and is mended
warn: Callable[[str], None] = _be_silent  # once a process, why code is not kept
_warned: list[str] = []


def load(made_from: bytes) -> bytes | None:
    """Return the entry that was made from something, or None where that is not to be had.

    `made_from` is the SHA-256 of everything that decides the entry.
    """
    name = _name(made_from)
    try:
        with _opened() as folder:
            data = folder.read(name)
    except FileNotFoundError:
        return None
    except CacheError as error:
        heed_cause(error)
        _warn_once(error)
        return None
    except OSError as error:
        heed_cause(error)
        hint(f"cached code {name} is made again: {error.strerror}")
        return None
    digest, entry = data[:DIGEST], data[DIGEST:]
    if sha256(made_from + entry).digest() != digest:
        hint(f"cached code {name} is made again: it is damaged")
        return None
    return entry


def save(made_from: bytes, entry: bytes) -> None:
    """Keep an entry, whole or not at all; remove what killed processes have left."""
    try:
        with _opened(make=True) as folder:
            folder.sweep()
            folder.write(_name(made_from), sha256(made_from + entry).digest() + entry)
    except FileNotFoundError:  # somebody clears the cache
        pass
    except CacheError as error:
        _warn_once(error)
    except OSError as error:
        _warn_once(CacheError(f"{place()}: {error.strerror}"))


def sizes() -> dict[str, int]:
    """Return how many bytes each file of the cache has.

    Raises
    ------
    CacheError
        If there can be none.
    """
    with _opened(make=True) as folder:
        return folder.sizes()


def is_usable() -> bool:
    """Return whether entries can be kept."""
    with contextlib.suppress(CacheError, OSError):
        sizes()
        return True
    return False


def clear() -> list[str]:
    """Remove all that is in the cache; return why something could not be.

    Raises
    ------
    CacheError
        If the folder cannot be used.
    """
    failed = []
    with contextlib.suppress(FileNotFoundError), _opened() as folder:
        for name in folder.names():
            try:
                folder.remove(name)
            except OSError as error:
                failed.append(f"{folder.path / name} cannot be removed: {error.strerror}")
    return failed


def place() -> Path:
    """Return where code is kept: IMGCONV_CACHE_DIR, or `imgconv` in the platform's place."""
    if asked := os.environ.get("IMGCONV_CACHE_DIR"):
        return Path(asked)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / "imgconv"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/imgconv"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "imgconv"


class _Folder(NamedTuple):
    """The folder, open; `at` is None where a system opens none, and names stand for themselves."""

    path: Path
    at: int | None

    def names(self) -> list[str]:
        """Return the names of what is ours."""
        import re

        try:
            found = os.listdir(self.path if self.at is None else self.at)
        except OSError as error:
            raise CacheError(f"{self.path}: {error.strerror}") from None
        return sorted(name for name in found if re.fullmatch(NAMES, name))

    def sizes(self) -> dict[str, int]:
        """Return how many bytes the files have that are ours."""
        found = {}
        for name in self.names():
            with contextlib.suppress(OSError):  # it has vanished
                status = self._status(name)
                if stat.S_ISREG(status.st_mode):
                    found[name] = status.st_size
        return found

    def read(self, name: str) -> bytes:
        """Return what a regular file of the user's holds."""
        file = self._open(name, os.O_RDONLY)
        try:
            status = os.fstat(file)
            if not (stat.S_ISREG(status.st_mode) and _is_private(status)):
                raise PermissionError(errno.EPERM, "it is no file that only you can write to")
            if status.st_size > MOST:
                raise OSError(errno.EFBIG, "it is larger than any")
            return os.read(file, status.st_size)
        finally:
            os.close(file)

    def write(self, name: str, data: bytes) -> None:
        """Put a file in the place of whatever has the name.

        As long as it is unfinished it is locked, where that can be, so that it is left alone.
        """
        unfinished = f"{name.removesuffix(SUFFIX)}.{os.urandom(6).hex()}{UNFINISHED}"
        try:
            number = self._open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            with open(number, "wb") as file:
                locked = _lock(number)
                file.write(data)
                file.flush()
                if locked:
                    self._rename(unfinished, name)
            if not locked:  # Windows renames nothing that is open
                self._rename(unfinished, name)
        finally:
            with contextlib.suppress(OSError):
                self.remove(unfinished)

    def sweep(self) -> None:
        """Remove unfinished files that no process holds."""
        for name in self.names():
            with contextlib.suppress(OSError):
                if name.endswith(UNFINISHED) and stat.S_ISREG(self._status(name).st_mode):
                    number = self._open(name, os.O_RDWR)
                    try:
                        left = _lock(number)
                    finally:
                        os.close(number)
                    if left:
                        self.remove(name)

    def remove(self, name: str) -> None:
        """Remove a file or an empty folder, if it is still there."""
        with contextlib.suppress(FileNotFoundError):
            is_folder = stat.S_ISDIR(self._status(name).st_mode)
            (os.rmdir if is_folder else os.unlink)(self._named(name), dir_fd=self.at)

    def _open(self, name: str, flags: int) -> int:
        return os.open(self._named(name), flags | PLAINLY, 0o600, dir_fd=self.at)

    def _status(self, name: str) -> os.stat_result:
        return os.stat(self._named(name), dir_fd=self.at, follow_symlinks=False)

    def _rename(self, old: str, new: str) -> None:
        os.replace(self._named(old), self._named(new), src_dir_fd=self.at, dst_dir_fd=self.at)

    def _named(self, name: str) -> str:
        return name if self.at is not None else str(self.path / name)


@contextlib.contextmanager
def _opened(*, make: bool = False) -> Iterator[_Folder]:
    """Open the folder, if only the user can write to it.

    Raises
    ------
    FileNotFoundError
        If it is not there, and not to be made.
    CacheError
        If it cannot be used.
    """
    try:
        path = place()
        at = _open(path, make)
    except RuntimeError as error:  # the user has no home folder
        raise CacheError(error) from None
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not make:
            raise
        raise CacheError(error) from None
    try:
        if at is not None and not _is_private(os.fstat(at)):
            raise CacheError(f"{path} is not a folder that only you can write to")
        yield _Folder(path, at)
    finally:
        if at is not None:
            os.close(at)


def _open(path: Path, make: bool) -> int | None:
    if os.open not in os.supports_dir_fd:
        os.makedirs(path, exist_ok=True)
        return None
    flags = os.O_RDONLY | os.O_DIRECTORY
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        if not make:
            raise
    with contextlib.suppress(FileExistsError):  # another process was first, or a link leads nowhere
        os.makedirs(path, mode=0o700)
    return os.open(path, flags)


def _is_private(status: os.stat_result) -> bool:
    """Whether a file or folder is the user's, and nobody else may write to it."""
    if not hasattr(os, "geteuid"):  # a system without such owners and modes
        return True
    return status.st_uid == os.geteuid() and not status.st_mode & 0o022


def _lock(file: int) -> bool:
    """Lock an open file while it is open; False where another process does, or none can."""
    try:
        from fcntl import LOCK_EX, LOCK_NB, flock

        flock(file, LOCK_EX | LOCK_NB)
    except (ImportError, OSError):
        return False
    return True


def _name(made_from: bytes) -> str:
    return made_from.hex()[:40] + SUFFIX


def _warn_once(error: CacheError) -> None:
    if not _warned:
        _warned.append(str(error))
        warn(str(error))
