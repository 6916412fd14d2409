"""A new file or folder in the place of an old one: its name holds a whole thing at every moment.

What is new is made beside the old one, as a *part*, and takes the name in one step. A process has
its parts locked as long as it lives. So one that nobody holds was left by a process that was
killed, and goes when something is written in that folder again; one that is held is another's.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import re
import stat
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import IO, Any

from imgconv.light import Path, blake2b

BEGIN, OURS = ".imgconv-", r"\.imgconv-[0-9a-f]{8}(-[0-9a-f]{12})?\.(part|old)"
LOOK = 1000  # names of a folder that are looked through, which takes 0.3 ms
MOUNTS = "/proc/self/mountinfo"
HERE, NOREPLACE, EXCHANGE = -100, 1, 2  # of Linux's renameat2
UNKNOWN = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM)  # as old systems say it
# File systems of one machine, whose locks all can see; on others a lock may be of each machine.
OWN = (
    "bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "ntfs3", "overlay", "tmpfs",
    "vfat", "xfs", "zfs",
)  # fmt: skip
DISTURBED = (errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY)  # by others that replace the same folder
TRIES, PAUSE = 20, 0.02  # seconds
MAKING = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
LOOKING = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)

_tidied: set[Path] = set()


class Ending:
    """What is left to be done for a file that is written: the disk is to hold it, under its name.

    One that is never ended is as of a process that was killed: its name is not taken.
    """

    def __init__(self, file: IO[bytes], held: contextlib.ExitStack) -> None:
        self._file, self._held = file, held

    @property
    def size(self) -> int:
        """How many bytes are written."""
        return os.fstat(self._file.fileno()).st_size

    def within(self, outer: contextlib.ExitStack) -> Ending:
        """Return the same, of which a context is a part that ends with it."""
        outer.push(self._held)
        return Ending(self._file, outer)

    def begin(self) -> None:
        """Have the disk begin, while others begin: so it takes them together.

        Linux writes what has changed when it is told that nobody needs it.
        """
        if hasattr(os, "posix_fadvise"):
            with contextlib.suppress(OSError):
                os.posix_fadvise(self._file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def end(self) -> None:
        """Have it done, or undone; raises what `write` does."""
        with self._held:
            os.fsync(self._file.fileno())


@contextlib.contextmanager
def beside(target: Path, *, folder: bool) -> Iterator[Path]:
    """Make an empty file or folder beside another, and remove it if it is there in the end."""
    tidy(target.parent)
    part, file = first(target), None
    if sys.platform == "win32":  # where what is open cannot be renamed
        part = _other(part)
        try:
            os.mkdir(part) if folder else os.close(os.open(part, MAKING, 0o666))
            yield part
        finally:
            _surely(functools.partial(remove, part))
        return
    try:
        while (file := _claimed(part, folder=folder)) is None:
            part = _other(first(target))
        yield part
    finally:
        if file is None:  # perhaps made, when a signal came: then as a dead process leaves it
            _surely(functools.partial(remove_left, part))
        else:
            _surely(functools.partial(_remove_own, file, part))
            with contextlib.suppress(OSError):
                os.close(file)


def first(target: Path) -> Path:
    """Return the name of the part, if no other process makes one for the same target."""
    name = blake2b(os.fsencode(target.name), digest_size=4).hexdigest()
    return target.with_name(f"{BEGIN}{name}.part")


def is_ours(name: str) -> bool:
    """Return whether a file or folder is named as what is to be no more when a run has ended."""
    return name.startswith(BEGIN) and re.fullmatch(OURS, name) is not None


def _other(part: Path) -> Path:
    return part.with_stem(f"{part.stem}-{os.urandom(6).hex()}")


def _claimed(part: Path, *, folder: bool) -> int | None:
    """Make a file or folder and hold it, if no other process has one or took this for left."""
    while True:
        try:
            if folder:
                os.mkdir(part)
            else:
                file = os.open(part, MAKING, 0o666)
            break
        except FileExistsError:
            if not remove_left(part):
                return None
    if folder:
        try:
            file = os.open(part, os.O_RDONLY)
        except FileNotFoundError:
            return None
    try:
        if lock(file) is not False and os.fstat(file).st_nlink:
            return file
    except BaseException:
        os.close(file)
        raise
    os.close(file)
    return None


def _remove_own(file: int, path: Path) -> None:
    """Remove what is open and held, unless another has its name by now."""
    for _ in range(TRIES):
        if not os.path.samestat(os.fstat(file), os.lstat(path)):
            return
        if lock(file) is not False:  # else by the process that made it, which ends about now
            remove(path)
            return
        time.sleep(PAUSE)


def put(part: Path, target: Path, *, force: bool) -> None:
    """Give a part its name in one step; with `force`, whatever has the name.

    Raises
    ------
    FileExistsError
        If something has the name and `force` is not given.
    """
    if not force:
        _put_new(part, target)
    elif not os.path.isdir(part):
        with contextlib.suppress(FileNotFoundError):
            os.chmod(part, os.stat(target).st_mode & 0o7777)
        os.replace(part, target)
    else:
        for rest in reversed(range(TRIES)):
            try:
                _exchange(part, target) if os.path.lexists(target) else os.rename(part, target)
                return
            except OSError as error:
                if not rest or error.errno not in DISTURBED:
                    raise


def _put_new(part: Path, target: Path) -> None:
    if _renamed(part, target, NOREPLACE):
        return
    if not os.path.isdir(part):  # which then has two names, one of them to be removed
        try:
            os.link(part, target)
            return
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            pass
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    os.rename(part, target)


def _exchange(part: Path, target: Path) -> None:
    """Put a folder in the place of another, in one step where the system can."""
    if not _renameat2():
        _exchange_in_steps(part, target)
        return
    old = os.open(target, os.O_RDONLY)
    try:
        lock(old)  # so that no other process takes it for left
        if not _renamed(part, target, EXCHANGE):
            _exchange_in_steps(part, target)
    finally:
        _surely(functools.partial(_remove_own, old, part))
        os.close(old)


def _exchange_in_steps(part: Path, target: Path) -> None:
    """Put the old folder into another, from where it comes back if nothing takes its place."""
    for aside in _beginning(target, ".old"):
        _recover(aside)
    aside = _other(first(target)).with_suffix(".old")
    try:
        os.mkdir(aside)
        os.rename(target, aside / target.name)
        os.rename(part, target)
    finally:
        _surely(functools.partial(_recover, aside))


def _recover(aside: Path) -> None:
    """End a replacement: what went aside gets its name back if that is free, else it goes."""
    seen = os.lstat(aside)
    if not stat.S_ISDIR(seen.st_mode) or not _is_users(seen):
        return
    for name in os.listdir(aside):
        try:
            _put_new(aside / name, aside.with_name(name))
        except FileExistsError:
            remove(aside / name)
    os.rmdir(aside)


def _renamed(old: Path, new: Path, how: int) -> bool:
    """Rename by Linux's renameat2; return whether that is known here."""
    call = _renameat2()
    if not call:
        return False
    if call(HERE, os.fsencode(old), HERE, os.fsencode(new), how) == 0:
        return True
    import ctypes

    number = ctypes.get_errno()
    if number in UNKNOWN:
        return False
    raise OSError(number, os.strerror(number), str(new))


@functools.cache
def _renameat2() -> Callable[..., Any] | None:
    if sys.platform != "linux":
        return None
    import ctypes  # which Pillow's pictures need as well

    return getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)


def tidy(folder: Path) -> None:
    """Remove what processes that were killed have left in a folder, once a process.

    Of a folder with very many files only the first are looked at, in the order of the system.
    """
    if folder in _tidied:
        return
    _tidied.add(folder)
    found: list[str] = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        found += [e.name for e in islice(entries, LOOK) if is_ours(e.name)]
    for name in found:
        with contextlib.suppress(OSError):
            (_recover if name.endswith(".old") else remove_left)(folder / name)


def sweep(path: Path) -> None:
    """Remove what attempts to write a file again and again have left, but for those that live."""
    target = Path(os.path.realpath(path))
    for part in _beginning(target, ".part"):
        remove_left(part, ended=True)


def _beginning(target: Path, ending: str) -> list[Path]:
    """What is named as parts of a file are."""
    begin = first(target).stem
    names = os.listdir(target.parent) if os.path.isdir(target.parent) else []
    return [target.with_name(n) for n in names if n.startswith(begin) and n.endswith(ending)]


def remove_left(path: Path, *, ended: bool = False) -> bool:
    """Remove what a dead process has left, and return whether it is gone; `ended` as below."""
    with unclaimed(path, ended=ended) as left:
        if left:
            remove(path)
    return left and not os.path.lexists(path)


@contextlib.contextmanager
def unclaimed(path: Path, *, ended: bool = False) -> Iterator[bool]:
    """Give whether a file or folder is ours and no process has it; none takes it meanwhile.

    Where locks do not tell of all machines, it is one's, unless all others are known to have ended.
    """
    file = -1
    try:
        try:
            file, left = _looked_at(path, ended=ended)
        except OSError:
            left = False
        yield left
    finally:
        if file >= 0:
            os.close(file)


def _looked_at(path: Path, *, ended: bool) -> tuple[int, bool]:
    seen = os.lstat(path)
    if sys.platform == "win32" or not _is_users(seen):
        return -1, False
    if not stat.S_ISREG(seen.st_mode) and not stat.S_ISDIR(seen.st_mode):
        return -1, False
    writable = stat.S_ISREG(seen.st_mode) and os.access(path, os.W_OK)  # as NFS wants it
    file = os.open(path, LOOKING | (os.O_RDWR if writable else os.O_RDONLY))
    try:
        free = lock(file)
        now = os.lstat(path)  # which another may have removed, and a third one made anew
        same = os.path.samestat(os.fstat(file), now)
        known = ended if free is None else free and (ended or _is_seen_by_all(path.parent))
    except BaseException:
        os.close(file)
        raise
    return file, same and known


def _is_users(seen: os.stat_result) -> bool:
    """Whether something is the user's own, where systems tell, and no trap in a shared folder."""
    return sys.platform == "win32" or seen.st_uid == os.geteuid()


def lock(file: int, *, shared: bool = False) -> bool | None:
    """Hold an open file or folder until it is closed.

    Return whether that is so: not if another process holds it; None where there are no locks.
    """
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _is_seen_by_all(folder: Path) -> bool:
    """Whether all who could write in a folder see each other's locks, as far as Linux tells."""
    place, best, kind, options = os.path.realpath(folder), "", "", ""
    try:
        with open(MOUNTS, "rb") as file:
            lines = file.read().splitlines()
    except OSError:
        return False
    for line in map(os.fsdecode, lines):
        left, _, right = line.partition(" - ")
        mount = re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), left.split(" ")[4])
        if len(mount) >= len(best) and f"{place}/".startswith(f"{mount.rstrip('/')}/"):
            best, (kind, _, options) = mount, right.split(" ", 2)
    told = kind in ("nfs", "nfs4") and "local_lock=none" in options.split(",")
    return kind in OWN or told


def _surely(clear: Callable[[], object]) -> None:
    """Clear up, once more if a signal comes in between, after which no other does."""
    try:
        with contextlib.suppress(OSError):
            clear()
    except BaseException:
        with contextlib.suppress(OSError):
            clear()
        raise


def remove(path: Path) -> None:
    """Remove a file, or a folder with all in it."""
    if not os.path.isdir(path):
        os.unlink(path)
        return
    from shutil import rmtree  # 10 ms

    for _ in range(5 * TRIES):  # where a disk is full, threads of zarr may still write
        rmtree(path, ignore_errors=True)
        if not os.path.exists(path):
            return
        time.sleep(PAUSE)
