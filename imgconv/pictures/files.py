"""Bytes on disk and in pipes: read up to a limit, written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import functools
import io
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING

from imgconv.compiled.memory import refuse_beyond
from imgconv.errors import ImageError
from imgconv.light import Path
from imgconv.pictures import faults, replacing
from imgconv.pictures.replacing import Ending

if TYPE_CHECKING:
    from imgconv.pictures.stores import Url

PIPE = "-"
HERE = (str, os.PathLike)  # what names a file here, and not in a store
# What is read of a stream, which may have no end; a file has a size that its owner knows.
MAX_STREAM = 2 << 30
MAX_PIXELS = 500_000_000  # of a picture that is decoded whole, where nothing else is asked for
CHUNK = 1 << 20  # bytes that are read at once
FULL = (errno.ENOSPC, errno.EDQUOT)
# What is neither file nor folder: whoever opens it may wait without end.
SPECIAL = {
    stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket", stat.S_IFCHR: "device", stat.S_IFBLK: "device",
}  # fmt: skip
ELSEWHERE = "name another place with -o"
_here = functools.lru_cache(maxsize=8)(Path)  # which is asked for at each step of a picture


def is_url(name: str) -> bool:
    """Return whether a name is a URL rather than a path here."""
    scheme, mark, _ = name.partition("://")  # two letters at least: one is a drive
    return bool(mark) and re.fullmatch("[A-Za-z][A-Za-z0-9+.-]+", scheme) is not None


def path(name: str) -> Path | Url:
    """Return a name's parts: of a file here, or in a store."""
    return _url(name) or _here(name)


def _url(name: str) -> Url | None:
    if not is_url(name):
        return None
    from imgconv.pictures import stores

    return stores.url(name)


def place(name: str) -> object:
    """Return what two names of one file share: its path without links, or its place in a store."""
    url = _url(name)
    return url.place() if url else os.path.realpath(name)


def is_folder(name: str) -> bool:
    """Return whether there is a folder of this name."""
    url = _url(name)
    return url.is_folder() if url else os.path.isdir(name)


def is_zarr(name: str) -> bool:
    """Return whether a folder of this name is a picture, or an array in such a folder."""
    bare = name.rstrip("/").lower()
    if ".zarr/" in bare:
        return any(os.path.isfile(os.path.join(name, mark)) for mark in ("zarr.json", ".zarray"))
    return bare.endswith(".zarr")


def special(name: str) -> str:
    """Return what is here, perhaps behind links, that is no file nor folder; "" for others."""
    try:
        return SPECIAL.get(stat.S_IFMT(os.stat(name).st_mode), "")
    except (OSError, ValueError):
        return ""


def exists(target: Path | Url) -> bool:
    """Return whether there is such a file, or a link in its place."""
    return os.path.lexists(target) if isinstance(target, HERE) else target.exists()


def tree(folder: Path) -> list[tuple[str, int, int]]:
    """Return the files in a folder and below, with their sizes and times."""
    paths = [os.path.join(at, name) for at, _, names in os.walk(folder) for name in names]
    each = [(os.path.relpath(p, folder), os.stat(p)) for p in sorted(paths) if os.path.isfile(p)]
    return [(name, seen.st_size, seen.st_mtime_ns) for name, seen in each]


def read(source: str, limit: int = MAX_STREAM, *, picture: bool = True) -> bytes:
    """Return the bytes of a file, or of stdin for `-`.

    Of a `picture`, as it should be, no more is read than its beginning where that is of none.

    Raises
    ------
    ImageError
        If it cannot be read, is no picture, or is a stream longer than the limit.
    """
    look = _refuse_unknown if picture else lambda _: None
    if source == PIPE and sys.stdin is None:
        raise ImageError("is closed")
    if url := _url(source):
        return url.read()
    try:
        if source == PIPE:
            return _read_up_to(sys.stdin.buffer, limit, look)
        with open(source, "rb", buffering=0) as file:
            seen = os.fstat(file.fileno())
            if stat.S_ISREG(seen.st_mode) and seen.st_size:  # and no more, if it grows meanwhile
                return _read_whole(file, seen.st_size, look)
            return _read_up_to(io.BufferedReader(file), limit, look)
    except MemoryError:
        raise ImageError("is more than this process may hold; name a smaller file") from None
    except OSError as error:
        raise ImageError(f"cannot be read: {error.strerror or error}") from None


@contextlib.contextmanager
def opened(source: str) -> Iterator[IO[bytes]]:
    """Give a file of which parts are read; what is no file, as stdin, is read whole.

    Raises
    ------
    ImageError
        As `read` does.
    """
    url = _url(source)
    if not url and not os.path.isfile(source):
        yield io.BytesIO(read(source))
        return
    try:
        file = url.opened() if url else open(source, "rb")  # noqa: SIM115
    except OSError as error:
        raise ImageError(f"cannot be read: {error.strerror or error}") from None
    with file:
        yield file


def _refuse_unknown(start: bytes) -> None:
    """Raise an error for what begins as no picture does, nor as a table, which is a text."""
    from imgconv.pictures import formats

    start = start[: faults.START]
    known = formats.of_head(start) or start[:2] in (b"II", b"MM")  # a TIFF that Pillow may read
    if b"\0" in start and not known:
        raise faults.of_unknown(start)


def _read_whole(file: io.FileIO, size: int, look: Callable[[bytes], None]) -> bytes:
    if size > CHUNK:
        look(file.read(CHUNK))
        file.seek(0)
    refuse_beyond(size)
    data = file.read(size)
    while len(data) < size and (more := file.read(size - len(data))):  # of more than 2 GB
        data += more
    return data


def _read_up_to(file: IO[bytes], limit: int, look: Callable[[bytes], None]) -> bytes:
    parts, total = [], 0
    while part := file.read(CHUNK):
        if not total and len(part) == CHUNK:
            look(part)
        parts.append(part)
        total += len(part)
        if total > limit:
            raise ImageError(f"does not end within {limit >> 20} MB; name a file for more")
    return b"".join(parts)


def refuse_unread(source: str, *, alone: bool = True) -> None:
    """Raise an error for an input that is a folder.

    Where it is not the one input, also for what may never end, as pipes and devices, or the
    system's own files, which tell no size, as empty ones do.
    """
    if source == PIPE or is_zarr(source):
        return
    if url := _url(source):
        url.refuse_folder()
        return
    try:
        seen = os.stat(source)
    except (OSError, ValueError):  # which is told when it is read
        return
    kind = stat.S_IFMT(seen.st_mode)
    if kind == stat.S_IFDIR:
        if not os.access(source, os.R_OK | os.X_OK):
            raise ImageError("cannot be read: Permission denied")
        raise ImageError("is a folder; --recursive walks it")
    if not alone and kind in SPECIAL:
        what = SPECIAL[kind]
        raise ImageError(f"is a {what}, which is read as the one input only; name it alone")
    if not alone and kind == stat.S_IFREG and not seen.st_size:
        raise ImageError(faults.EMPTY)


def refuse_readonly(target: Path | Url) -> None:
    """Raise an error for a store in which nothing is written, whatever the name."""
    if not isinstance(target, HERE):
        target.refuse_writing()


def refuse_unwritable(target: Path | Url, *, alone: bool = True) -> None:
    """Raise an error for a file that cannot be made or replaced, by its name and its place.

    Where it is not the one output, it must not be a pipe or a device, which is written to.
    """
    if not isinstance(target, HERE):
        return
    try:
        kind = stat.S_IFMT(os.lstat(target).st_mode)
    except FileNotFoundError:
        kind = 0
    except (OSError, ValueError) as error:
        raise _unwritten(target, error) from None
    if linked := kind == stat.S_IFLNK:
        with contextlib.suppress(OSError):  # of one that leads nowhere
            kind = stat.S_IFMT(os.stat(target).st_mode)
    if kind == stat.S_IFDIR:
        _refuse_folder_in_place(target)
    if kind in SPECIAL:
        if not alone:
            raise ImageError(
                f"{target} is a {SPECIAL[kind]}, not for one output of several; {ELSEWHERE}"
            )
        return
    if not linked and os.access(os.path.dirname(target) or ".", os.W_OK | os.X_OK):
        return
    place = os.path.dirname(os.path.realpath(target))
    while not os.path.lexists(place):
        place = os.path.dirname(place)
    if not os.access(place, os.W_OK | os.X_OK):
        at = os.path.realpath(place)
        raise ImageError(f"{target} cannot be written: {at} is read-only or not yours; {ELSEWHERE}")


def _refuse_folder_in_place(target: Path) -> None:
    """Raise an error for a folder, which no file takes the place of."""
    if os.path.isdir(target) and not is_zarr(os.fspath(target)):
        raise ImageError(f"{target} is a folder; {ELSEWHERE}")


def _unwritten(target: Path, error: Exception) -> ImageError:
    """What is said of a file that the system does not write."""
    fault, number = getattr(error, "strerror", None) or str(error), getattr(error, "errno", None)
    if re.fullmatch(r"\d+ requested and \d+ written", fault):  # as NumPy says it
        fault, number = os.strerror(errno.ENOSPC), errno.ENOSPC
    remedy = f"make room there, or {ELSEWHERE}" if number in FULL else ELSEWHERE
    if number == errno.EFBIG:
        remedy = "raise the limit on the size of files (ulimit -f)"
    return ImageError(f"{target} cannot be written: {fault}; {remedy}")


def refuse_existing(target: Path | Url) -> None:
    """Raise an error for a file that is already there, or a link in its place."""
    if isinstance(target, HERE):
        _refuse_folder_in_place(target)
    if exists(target):
        raise _taken(target)


def _taken(target: Path | Url) -> ImageError:
    return ImageError(f"{target} exists; --force overwrites it")


def write(
    data: bytes, path: Path | Url, *, force: bool, again: bool = False,
    later: Callable[[Ending], object] = Ending.end,
) -> None:  # fmt: skip
    """Write a file whole or not at all: under another name first, then renamed; make its folder.

    Before that the disk holds it; of a file here that can be left to be done `later`. With `again`,
    a process that was killed may have begun: a file that holds these bytes is right, and what is
    left of such attempts goes.

    Raises
    ------
    ImageError
        If the file exists and `force` is not given, or cannot be written.
    """
    if again and not force and _holds(path, data):
        if isinstance(path, HERE):
            replacing.tidy(Path(os.path.realpath(path)).parent)
        return
    if not isinstance(path, HERE):
        if not force:
            refuse_existing(path)
        path.write(data)
        return
    if force and not is_plain(path):  # a pipe or a device is not to be replaced
        try:
            with open(path, "wb") as device:
                device.write(data)
        except OSError as error:
            raise _unwritten(path, error) from None
        return
    with filled(path, force=force, again=again, later=later, buffering=0) as file:
        left = memoryview(data)
        while left:
            left = left[file.write(left) :]


@contextlib.contextmanager
def filled(
    path: Path, *, force: bool, again: bool = False, buffering: int = -1,
    later: Callable[[Ending], object] = Ending.end,
) -> Iterator[IO[bytes]]:  # fmt: skip
    """Give an empty file that takes the place of another when it was filled; see `write`."""
    with contextlib.ExitStack() as held:
        part = held.enter_context(whole(path, force=force, again=again))
        file: IO[bytes] = held.enter_context(open(part, "r+b", buffering))
        yield file
        file.flush()
        ending = Ending(file, held.pop_all())
    later(ending)


def is_plain(path: Path | Url) -> bool:
    """Return whether a file can be put in a place here: there is none, or no pipe or device."""
    if not isinstance(path, HERE):
        return False
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError):
        return True


@contextlib.contextmanager
def whole(path: Path, *, force: bool, again: bool = False, folder: bool = False) -> Iterator[Path]:
    """Give an empty file or folder beside another, whose place it takes if nothing goes wrong.

    `again` is as for `write`.

    Raises
    ------
    ImageError
        If the file exists and `force` is not given, or cannot be written.
    """
    if not force and not again:
        refuse_existing(path)
    # A link is written through, not replaced.
    target = Path(os.path.realpath(path)) if os.path.islink(path) else path
    try:
        if not os.path.isdir(target.parent):  # perhaps a link to one that is to be made
            target = Path(os.path.realpath(path))
            os.makedirs(target.parent, exist_ok=True)
        with replacing.beside(target, folder=folder) as part:
            yield part
            if not folder:
                _refuse_folder_in_place(path)
            try:
                replacing.put(part, target, force=force)
            except FileExistsError:
                if not (again and _is_same(part, target)):
                    raise _taken(path) from None
        if again and part != replacing.first(target):  # perhaps not a dead one's, but a slow one's
            replacing.sweep(target)
    except OSError as error:
        refuse_unwritable(path)  # by its place
        raise _unwritten(path, error) from None


def settle(path: Path) -> None:
    """Have the disk hold what was written to a file."""
    if os.path.isfile(path):
        with open(path, "r+b") as file:  # Windows flushes only what may be written
            os.fsync(file.fileno())


def _is_same(one: Path, other: Path) -> bool:
    from filecmp import cmp

    if os.path.isfile(one) and os.path.isfile(other):
        return cmp(one, other, shallow=False)
    names = [[name for name, *_ in tree(folder)] for folder in (one, other)]
    return names[0] == names[1] and all(
        cmp(one / name, other / name, shallow=False) for name in names[0]
    )


def _holds(target: Path | Url, data: bytes) -> bool:
    try:
        if isinstance(target, HERE):
            with open(target, "rb") as file:
                return os.fstat(file.fileno()).st_size == len(data) and file.read() == data
        return target.exists() and target.read() == data
    except (OSError, ImageError):
        return False
