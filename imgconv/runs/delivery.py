"""Where an output goes: to a file here, to a store, a device or a pipe, whole or bit by bit."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import IO, TypeVar

from imgconv.engine.ready import thread_count
from imgconv.errors import ImageError
from imgconv.light import Path
from imgconv.pictures import encode, files, stdout
from imgconv.pictures.files import PIPE
from imgconv.pictures.formats import ARRAYS
from imgconv.pictures.picture import Picture
from imgconv.pictures.replacing import Ending
from imgconv.runs.job import Job
from imgconv.runs.task import Task

T = TypeVar("T")


def put(picture: Picture, name: str, job: Job, task: Task) -> tuple[str, ...]:
    """Write a picture where it goes; return what is not kept."""
    how, threads = task.writing, task.work.threads or thread_count()
    if len(picture.frames) > 1 and is_poured(job):  # frame by frame
        return poured(lambda out: encode.write(out, picture, name, how, threads), job, task)
    task.gate.near()
    data, lost = encode.encode(picture, name, how, threads)
    if job.target == PIPE and name in ARRAYS and stdout.to_terminal():
        from imgconv.pictures import npy_csv

        stdout.print_bytes(npy_csv.matrices(picture.frames))
    else:
        send(data, job, task)
    return lost


def send(data: bytes, job: Job, task: Task) -> None:
    """Write bytes where they go."""
    if job.target == PIPE:
        stdout.print_bytes(data)
        return
    target, how = files.path(job.target), task.writing
    with passed(task) as later:
        files.write(data, target, force=how.force, again=task.again, later=later)


@contextlib.contextmanager
def passed(task: Task) -> Iterator[Callable[[Ending], object]]:
    """Pass the gate, and give what ends a file; where its end is left, inside until then."""
    with contextlib.ExitStack() as inside:
        inside.enter_context(task.gate.passed())

        def keep(ending: Ending) -> None:
            assert task.left
            task.left.ending = ending.within(inside.pop_all())

        yield keep if task.left else Ending.end


def is_poured(job: Job) -> bool:
    """Whether what is written needs not be whole before it is: not to a device or a store."""
    if job.target == PIPE:
        return not stdout.to_terminal()
    return files.is_plain(files.path(job.target))


def poured(fill: Callable[[IO[bytes]], T], job: Job, task: Task) -> T:
    """Have an output filled bit by bit, which is there when all of it is."""
    if job.target == PIPE:
        return _print(fill)
    target, how = files.path(job.target), task.writing
    assert isinstance(target, Path)
    with (
        passed(task) as later,
        files.filled(target, force=how.force, again=task.again, later=later) as file,
    ):
        return fill(file)


def _print(fill: Callable[[IO[bytes]], T]) -> T:
    """Write to stdout, which gets nothing before all is done."""
    from mmap import ACCESS_READ, mmap
    from tempfile import TemporaryFile

    try:
        with TemporaryFile() as file:
            found = fill(file)
            file.flush()
            written = mmap(file.fileno(), 0, access=ACCESS_READ)  # which keeps it
    except OSError as error:
        raise ImageError(
            f"the folder for temporary files: {error.strerror or error}; set TMPDIR to another"
        ) from None
    with written as data:
        stdout.print_bytes(data)
    return found
