"""Many inputs: some at once, each to its own output, and what became of it."""

from __future__ import annotations

import io
import itertools
import math
import os
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from typing import IO, TYPE_CHECKING

from imgconv.compiled.memory import refuse_beyond
from imgconv.errors import ImageError, ImgconvError, one_line, shortage
from imgconv.light import Path
from imgconv.pictures import axes, decode, encode, files, pillow
from imgconv.pictures.files import PIPE
from imgconv.pictures.formats import ARRAYS, BY_NAME, ENDINGS, ending_format, format_of
from imgconv.pictures.lazy import each
from imgconv.pictures.picture import LARGE, Head, Picture
from imgconv.pictures.pixels import Pixels, weight
from imgconv.pipeline.filter import filter_pixels, find_extent, foretell, grid_of, over_all
from imgconv.pipeline.hidden import BLEED, bleeds
from imgconv.pipeline.views import Outline
from imgconv.pipeline.work import Clipped, Work
from imgconv.runs import delivery
from imgconv.runs.job import FAILED, OK, SKIPPED, Job, Outcome
from imgconv.runs.task import Gate, Task

if TYPE_CHECKING:
    from imgconv.pipeline.flow import Flow, Seen

# Bytes of a TIFF file from which on it is looked at, whether it fits the memory.
LARGE_FILE = 1 << 24
NO_MEMORY = "not enough memory for this picture; --tile does TIFF and .zarr piece by piece"


def share(cores: int, count: int, jobs: int | None, threads: int | None) -> tuple[int, int]:
    """Return how many images at once and how many threads in each, as asked for or by the cores."""
    if jobs is None:
        jobs = max(1, min(cores // (threads or 1), count))
    return jobs, threads or max(1, cores // jobs)


def run(todo: Sequence[Job], task: Task, jobs: int) -> Generator[Outcome, None, None]:
    """Do the jobs, some at once, and yield their outcomes in order, failed ones among them.

    That is in processes where this one can be forked, else on threads, which wait for each other
    whenever they run Python.
    """
    jobs = min(jobs, len(todo))
    if jobs <= 1:
        yield from (attempt(job, task) for job in todo)
        return
    from imgconv.runs import processes

    if processes.can_fork():
        yield from processes.run(attempt, finish, todo, task, jobs)
        return
    from imgconv.engine.pool import Pool

    pillow.keep_memory()
    pool, gate = Pool(jobs), Gate()
    task = task._replace(gate=gate)
    try:
        coming = (pool.submit(attempt, job, task) for job in todo)
        # A few more than are done at once, so that a slow picture holds up nobody.
        begun = deque(itertools.islice(coming, 4 * jobs))
        while begun:
            yield begun.popleft().result()
            begun.extend(itertools.islice(coming, 1))
    finally:  # when interrupted, finish what is being written, and no more
        pool.shutdown(wait=False)
        gate.close()


def attempt(job: Job, task: Task) -> Outcome:
    """Do a job, and return what became of it, whatever that is; of some all but the end is done."""
    do = _journaled if task.meaning else _do
    return _whatever(do, job, task, Outcome(job.name, job.target))


def finish(job: Job, task: Task, outcome: Outcome) -> Outcome:
    """Do what is left of a job that was attempted, and return what became of it."""
    return _whatever(_finish, job, task, outcome)


def _whatever(
    do: Callable[[Job, Task, Outcome], Outcome], job: Job, task: Task, outcome: Outcome
) -> Outcome:
    begin, taken = time.perf_counter(), outcome.seconds
    bare = Outcome(job.name, job.target)  # of what fails in the end nothing else is told
    try:
        outcome = do(job, task, outcome)
    except ImgconvError as error:
        outcome = bare._replace(status=FAILED, error=str(shortage(error) or error))
    except MemoryError:
        outcome = bare._replace(status=FAILED, error=NO_MEMORY)
    except BrokenPipeError:
        raise
    except Exception as error:  # a fault of ours or a library's is one file's, not the batch's
        fault = f"cannot be done: {type(error).__name__}: {one_line(error)}; please report it"
        outcome = bare._replace(status=FAILED, error=str(shortage(error) or fault))
    return outcome._replace(seconds=taken + time.perf_counter() - begin)


def _finish(job: Job, task: Task, outcome: Outcome) -> Outcome:
    assert task.left
    assert task.left.ending
    task.left.ending.end()
    return _marked(job, task, outcome, task.left.seen) if task.left.seen else outcome


def _marked(job: Job, task: Task, outcome: Outcome, seen: str) -> Outcome:
    """What is told of a job to the journal: what was read, and what is left."""
    from imgconv.runs import journal

    return outcome._replace(marks=journal.marks(task.meaning, seen, journal.stamp(job.target)))


def _journaled(job: Job, task: Task, outcome: Outcome) -> Outcome:
    """Do a job, unless the journal says that it is done and right; mark what is read and left."""
    from imgconv.runs import journal

    seen = journal.stamp(job.source)
    if job.marks:
        now = journal.marks(task.meaning, seen, journal.stamp(job.target))
        if now == job.marks:
            return outcome._replace(status=SKIPPED, marks=now)
        if journal.is_ours(now, job.marks):
            writing = task.writing._replace(force=True)
            task = task._replace(writing=writing, skip_existing=False)
    outcome = _do(job, task, outcome)
    if task.dry or outcome.status != OK:
        return outcome
    if task.left and task.left.ending:
        task.left.seen = seen
        return outcome
    return _marked(job, task, outcome, seen)


def _do(job: Job, task: Task, outcome: Outcome) -> Outcome:
    """Read, filter, write."""
    files.refuse_unread(job.source, alone=task.alone)
    target = files.path(job.target)
    if job.target != PIPE:  # before the work; `write` asks once more
        files.refuse_readonly(target)
        if task.skip_existing and files.exists(target):
            return outcome._replace(status=SKIPPED)
        if not task.writing.force and not task.again:
            files.refuse_existing(target)
        files.refuse_unwritable(target, alone=task.alone)
        _format(job)
    if _is_in_pieces(job, task):
        return _in_pieces(job, task, outcome)
    if task.dry:
        return _foretold(job, task, outcome)
    data = files.read(job.source)
    picture = decode.read(data, task.reading._replace(later=not task.preview))
    if picture.frames[0].names.startswith("cmyk"):
        from imgconv.pictures import profiles

        picture = profiles.in_srgb(picture, task.work.channels)
    name = _written(job, picture)
    encode.expect(name)
    work = _work(task, picture, name)
    grid = grid_of(work)
    told = picture._replace(metadata=each(picture.metadata, lambda kept: kept.on(grid)))
    if math.prod(picture.frames[0].size) >= LARGE and not task.preview:
        from imgconv.pipeline import flow

        if flowing := flow.begun(told, work, name, task.writing):
            return _at_once(flowing, len(data), told, job, task, outcome)
    picture = decode.whole(picture)
    if work.together:
        work = over_all(work, (find_extent(frame, work) for frame in picture.frames))
    made = _Made(picture.frames, work, task.gate)
    first = made.frames[0]
    picture = _filtered(told, made.frames)
    lost = delivery.put(picture, name, job, task)
    notes = [*picture.notes, *_left_out(lost), *[BLEED] * made.bleeds]
    preview = ""
    if task.preview:
        try:
            preview = task.preview(first)
        except ImageError as error:  # the output is written
            notes.append(f"no preview: {error}")
    return _done(outcome, first.size, [made.clipped], notes)._replace(preview=preview)


def _at_once(
    flowing: Flow, size: int, picture: Picture, job: Job, task: Task, outcome: Outcome
) -> Outcome:
    """Filter a picture while it is read and written."""
    from imgconv.pipeline import flow

    def fill(out: IO[bytes]) -> Seen:
        return flow.run(flowing, out, size, look=task.gate.look, near=task.gate.near)

    if delivery.is_poured(job):
        seen = delivery.poured(fill, job, task)
    else:
        whole = io.BytesIO()
        seen = fill(whole)
        delivery.send(whole.getvalue(), job, task)
    notes = [*picture.notes, *_left_out(flowing.lost), *[BLEED] * seen.bleeds]
    return _done(outcome, flowing.size, [seen.clipped], notes)


def _left_out(lost: Sequence[str]) -> list[str]:
    """A note on what an output does not keep, if there is any."""
    return [f"{', '.join(lost)} not kept"] * bool(lost)


def _done(
    outcome: Outcome, size: tuple[int, int], clipped: Sequence[Clipped], notes: Sequence[str]
) -> Outcome:
    """What became of a job whose output, of such pictures, is written."""
    low, high, samples = map(sum, zip(*clipped, strict=True))
    return outcome._replace(
        width=size[0],
        height=size[1],
        samples=samples,
        clipped=(low, high),
        notes=tuple(notes),
    )


class _Made:
    """The filtered frames of a picture, and what was seen while they were made."""

    def __init__(self, frames: Sequence[Pixels], work: Work, gate: Gate) -> None:
        self._work, self._source, self._gate = work, frames, gate
        self.bleeds, self.clipped, self._counted = False, Clipped(0, 0, 0), 0
        self.frames = each(range(len(frames)), self._made)

    def _made(self, place: int) -> Pixels:
        if place:
            self._gate.look()  # in the middle of writing
        frame = self._source[place]
        out, clipped = filter_pixels(frame, self._work)
        if place == self._counted:  # which is made for the first time
            self._counted += 1
            self.clipped = Clipped(*map(sum, zip(self.clipped, clipped, strict=True)))
            self.bleeds = self.bleeds or bleeds(frame, self._work)
        return out


def _foretold(job: Job, task: Task, outcome: Outcome) -> Outcome:
    """Look at the heads of a picture, and refuse what `_do` would refuse."""
    from imgconv.pictures import heads

    with files.opened(job.source) as file:
        head = heads.read(file, task.reading)
    picture = head.picture
    name = _written(job, picture)
    work = _work(task, picture, name)
    pairs = zip(picture.frames, head.sizes, strict=True)
    made = [foretell(Outline(pixel, size), work) for pixel, size in pairs]
    frames, sizes = tuple(each.picture for each in made), tuple(each.size for each in made)
    for pixel, size in zip(frames, sizes, strict=True):
        refuse_beyond(weight(pixel.names, pixel.kind, size))
    notes = encode.refuse(Head(_filtered(picture, frames), sizes), name)
    width, height = sizes[0]
    return outcome._replace(width=width, height=height, notes=(*picture.notes, *notes))


def _filtered(picture: Picture, frames: Sequence[Pixels]) -> Picture:
    """A picture with the frames, and the axes, that come out."""
    letters = axes.after(picture.axes, *(len(p[0].names) for p in (picture.frames, frames)))
    return picture._replace(frames=frames, axes=picture.axes and letters)


def _is_in_pieces(job: Job, task: Task) -> bool:
    """Whether a picture is filtered piece by piece: as asked for, or since it is too large."""
    if task.tile or files.is_zarr(job.source) or files.is_zarr(job.target):
        return True
    kinds = {ENDINGS.get(os.path.splitext(name)[1].lower()) for name in (job.source, job.target)}
    away = files.is_url(job.source) or files.is_url(job.target)
    if kinds != {"TIFF"} or away:
        return False
    try:
        if os.path.getsize(job.source) < LARGE_FILE:
            return False
    except OSError:  # which is told when it is read
        return False
    from imgconv.pipeline import pieces

    return pieces.is_larger(job.source, task.work, task.reading)


def _in_pieces(job: Job, task: Task, outcome: Outcome) -> Outcome:
    """Read, filter and write at once."""
    target, names = files.path(job.target), (job.source, job.target)
    special = PIPE in names or any(map(files.special, names))
    if special or files.is_url(job.source) or not isinstance(target, Path):
        raise ImageError("is not from file to file here, as --tile and .zarr want it")
    from imgconv.pipeline import pieces

    notes = []
    if not task.tile and not files.is_zarr(job.source) and not files.is_zarr(job.target):
        notes.append("too large to be decoded whole: filtered piece by piece, as --tile does")
    route = pieces.Route(
        job.source, target, _format(job), task.reading, task.writing, task.tile, task.again
    )
    if task.dry:
        foretold = pieces.foretell_file(route, task.work)
        notes += foretold.notes
        return outcome._replace(width=foretold.width, height=foretold.height, notes=tuple(notes))
    with task.gate.passed():
        made = pieces.filter_file(route, task.work, task.progress or task.gate.look)
    notes += [*made.notes, *_left_out(made.lost)]
    return _done(outcome, (made.width, made.height), made.clipped, notes)


def _work(task: Task, picture: Picture, name: str) -> Work:
    """What is done to a picture for a format: pixels of 8 bits where stretched reals need them."""
    levels = task.levels or ("none" if name in ARRAYS else "clip")
    reals = picture.frames[0].kind == "float32" and "float32" not in BY_NAME[name].keeps
    result = "uint8" if levels == "stretch" and reals and name not in ARRAYS else ""
    if levels == task.work.levels and result == task.work.result:
        return task.work
    return task.work._replace(levels=levels, result=result)


def _written(job: Job, picture: Picture) -> str:
    """The format that is written: on stdout that of the input, if no other is asked for."""
    return _format(job) if job.target != PIPE else job.format or picture.format


def _format(job: Job) -> str:
    """The format of an output file: by its ending, else as asked for."""
    target = files.path(job.target)
    if job.format and not ending_format(target):
        return job.format
    return format_of(target)
