"""Bytes on disk and in pipes: read up to a limit, written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from pathlib import Path
from typing import IO

from imgconv.errors import ImageError
from imgconv.report import discard_stdout

PIPE = "-"
# What is read of a stream, which may have no end; a file has a size that its owner knows.
MAX_STREAM = 2 << 30
CHUNK = 1 << 20


def read(source: str, limit: int = MAX_STREAM) -> bytes:
    """Return the bytes of a file, or of stdin for `-`.

    Raises
    ------
    ImageError
        If it cannot be read, or is a stream longer than the limit.
    """
    if source == PIPE and sys.stdin is None:
        raise ImageError("is closed")
    try:
        if source == PIPE:
            return _read_up_to(sys.stdin.buffer, limit)
        with open(source, "rb") as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return file.read()
            return _read_up_to(file, limit)
    except OSError as error:
        raise ImageError(f"cannot be read: {error.strerror or error}") from None


def _read_up_to(file: IO[bytes], limit: int) -> bytes:
    parts, total = [], 0
    while part := file.read(CHUNK):
        parts.append(part)
        total += len(part)
        if total > limit:
            raise ImageError(f"does not end within {limit >> 20} MB; name a file for more")
    return b"".join(parts)


def refuse_existing(path: Path) -> None:
    """Raise an error for a file that is already there, or a link in its place."""
    if os.path.lexists(path):
        raise ImageError(f"{path} exists; --force overwrites it")


def write(data: bytes, path: Path, *, force: bool, again: bool = False) -> None:
    """Write a file whole or not at all: under another name first, then renamed; make its folder.

    With `again`, a process that was killed may have begun: a file that holds these bytes is right,
    and what is left of such attempts goes.

    Raises
    ------
    ImageError
        If the file exists and `force` is not given, or cannot be written.
    """
    if again and not force and _holds(path, data):
        return
    if not force:
        refuse_existing(path)
    try:
        if path.exists() and not path.is_file():  # a pipe or a device is not to be replaced
            path.write_bytes(data)
            return
    except OSError as error:
        raise ImageError(f"{path} cannot be written: {error.strerror or error}") from None
    target = Path(os.path.realpath(path))  # a link is written through, not replaced
    mark = _mark(target) if again else os.urandom(6).hex()
    temporary = target.with_name(f".imgconv-{mark}.part")
    left = again and temporary.exists()
    if left:  # perhaps not by a dead process but by a slow one, whose file is not to be touched
        temporary = target.with_name(f".imgconv-{mark}-{os.urandom(6).hex()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            _write_through(file, data)
        if target.exists():
            temporary.chmod(target.stat().st_mode & 0o7777)
        temporary.replace(target)
    except OSError as error:
        raise ImageError(f"{path} cannot be written: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    if left:
        sweep(target)


def sweep(path: Path) -> None:
    """Remove what attempts to write a file again and again have left."""
    target = Path(os.path.realpath(path))
    for temporary in target.parent.glob(f".imgconv-{_mark(target)}*.part"):
        with contextlib.suppress(OSError):
            temporary.unlink()


def _mark(target: Path) -> str:
    """What the names of all temporary files for a target share."""
    from hashlib import blake2b

    return blake2b(os.fsencode(target.name), digest_size=8).hexdigest()


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False


def _write_through(file: IO[bytes], data: bytes) -> None:
    file.write(data)
    file.flush()
    os.fsync(file.fileno())


def print_bytes(data: bytes) -> None:
    """Write to stdout; a reader that has gone is no error of the image's."""
    if sys.stdout is None:
        raise ImageError("stdout is closed; name a file with -o")
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        discard_stdout()
        raise ImageError(f"stdout cannot be written: {error.strerror or error}") from None
