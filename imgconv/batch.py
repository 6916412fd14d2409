"""Many inputs: some at once, each to its own output, and what became of it."""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from imgconv import decode, encode, files, samples
from imgconv.decode import Picture, Reading
from imgconv.encode import ARRAYS, ENDINGS, KEEPS, Writing
from imgconv.errors import ImageError, ImgconvError
from imgconv.files import PIPE
from imgconv.naming import Job
from imgconv.pipeline import Work, filter_pixels
from imgconv.pixels import Pixels
from imgconv.report import FAILED, SKIPPED, Outcome


class Task(NamedTuple):
    """What is done to every input."""

    work: Work
    reading: Reading = Reading()
    writing: Writing = Writing()
    levels: str | None = None  # by default none for arrays, and clip for images
    skip_existing: bool = False
    dry: bool = False
    preview: Callable[[Pixels], str] | None = None
    again: bool = False  # a process that was killed may have begun, or done it all but the telling


def share(cores: int, count: int, jobs: int | None, threads: int | None) -> tuple[int, int]:
    """Return how many images at once and how many threads in each, as asked for or by the cores."""
    if jobs is None:
        jobs = max(1, min(cores // (threads or 1), count))
    return jobs, threads or max(1, cores // jobs)


def run(todo: Sequence[Job], task: Task, jobs: int) -> Generator[Outcome, None, None]:
    """Do the jobs, some at once, and yield their outcomes in order, failed ones among them.

    Pillow lets go of the lock while it decodes and encodes, so threads are enough.
    """
    if min(jobs, len(todo)) <= 1:  # without threads, whose pool takes 4 ms to import
        yield from (attempt(job, task) for job in todo)
        return
    from concurrent.futures import ThreadPoolExecutor

    samples.keep_memory()
    pool = ThreadPoolExecutor(jobs)
    try:
        coming = (pool.submit(attempt, job, task) for job in todo)
        # A few more than are done at once, so that a slow picture holds up nobody.
        begun = deque(itertools.islice(coming, 4 * jobs))
        while begun:
            yield begun.popleft().result()
            begun.extend(itertools.islice(coming, 1))
    finally:  # when interrupted, finish what was begun and begin nothing more
        pool.shutdown(cancel_futures=True)


def attempt(job: Job, task: Task) -> Outcome:
    """Do a job, and return what became of it, whatever that is."""
    begin = time.perf_counter()
    outcome = Outcome(job.name, job.target)
    try:
        outcome = _do(job, task, outcome)
    except ImgconvError as error:
        outcome = outcome._replace(status=FAILED, error=str(error))
    except MemoryError:
        outcome = outcome._replace(status=FAILED, error="not enough memory for this picture")
    except BrokenPipeError:
        raise
    except Exception as error:  # a fault of ours or a library's is one file's, not the batch's
        text = " ".join(str(error).split())
        fault = f"cannot be done: {type(error).__name__}: {text}; please report it"
        outcome = outcome._replace(status=FAILED, error=fault)
    return outcome._replace(seconds=time.perf_counter() - begin)


def _do(job: Job, task: Task, outcome: Outcome) -> Outcome:
    """Read, filter, write."""
    if job.source != PIPE and os.path.isdir(job.source):
        if not os.access(job.source, os.R_OK | os.X_OK):
            raise ImageError("cannot be read: Permission denied")
        raise ImageError("is a folder; --recursive walks it")
    target = Path(job.target)
    exists = job.target != PIPE and os.path.lexists(target)
    if exists and task.skip_existing:
        return outcome._replace(status=SKIPPED)
    if job.target != PIPE:
        if not task.writing.force and not task.again:  # before the work; `write` asks once more
            files.refuse_existing(target)
        _format(job)
    if task.dry:
        if job.source != PIPE and not os.access(job.source, os.R_OK):
            raise ImageError("cannot be read; it is missing, or not yours to read")
        return outcome
    picture = decode.read(files.read(job.source), task.reading)
    name = _format(job) if job.target != PIPE else job.format or picture.format
    work = _work(task, picture, name)
    filtered = [filter_pixels(frame, work) for frame in picture.frames]
    frames, clipped = zip(*filtered, strict=True)
    picture = picture._replace(frames=frames)
    data, lost = encode.encode(picture, name, task.writing)
    if job.target == PIPE and name in ARRAYS and sys.stdout is not None and sys.stdout.isatty():
        from imgconv import tables

        files.print_bytes(tables.matrix(frames[0]))
    elif job.target == PIPE:
        files.print_bytes(data)
    else:
        files.write(data, target, force=task.writing.force, again=task.again)
    width, height = frames[0].size
    notes = [f"{', '.join(lost)} not kept"] * bool(lost)
    preview = ""
    if task.preview:
        try:
            preview = task.preview(frames[0])
        except ImageError as error:  # the output is written
            notes.append(f"no preview: {error}")
    return outcome._replace(
        width=width,
        height=height,
        samples=sum(c.samples for c in clipped),
        clipped=(sum(c.low for c in clipped), sum(c.high for c in clipped)),
        notes=tuple(notes),
        preview=preview,
    )


def _work(task: Task, picture: Picture, name: str) -> Work:
    """What is done to a picture for a format: pixels of 8 bits where stretched reals need them."""
    levels = task.levels or ("none" if name in ARRAYS else "clip")
    reals = picture.frames[0].kind == "float32" and "float32" not in KEEPS.get(name, ())
    result = "uint8" if levels == "stretch" and reals and name not in ARRAYS else ""
    if levels == task.work.levels and result == task.work.result:
        return task.work
    return replace(task.work, levels=levels, result=result)


def _format(job: Job) -> str:
    """The format of an output file: by its ending, else as asked for."""
    target = Path(job.target)
    if job.format and target.suffix.lower() not in ENDINGS:
        return job.format
    return encode.format_of(target)
