"""Many inputs: where each output goes, known before the first is written, and what became of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from imgconv import files, samples
from imgconv.errors import ImageError, ImgconvError, OptionError
from imgconv.pipeline import Work, filter_image
from imgconv.report import Outcome, discard_stdout

PIPE = "-"


@dataclass(frozen=True)
class Writing:
    """How outputs are written."""

    force: bool = False
    quality: int = files.QUALITY
    compress: str = "fast"

    def __post_init__(self) -> None:
        if self.compress not in files.COMPRESS:
            choices = ", ".join(files.COMPRESS)
            raise OptionError(f"no compress {self.compress!r}; choose from {choices}")

    def encode(self, image: Image.Image, name: str) -> bytes:
        """Return the bytes of an image file."""
        return files.encode(image, name, quality=self.quality, compress=self.compress)


class Job(NamedTuple):
    """An input and its output; `-` is stdin or stdout."""

    source: str
    target: str

    @property
    def name(self) -> str:
        """What messages call the input."""
        return "stdin" if self.source == PIPE else self.source


def jobs(inputs: Sequence[str], output: str | None, label: str) -> list[Job]:
    """Return where each input goes; label is the kernels' word in a file name.

    Raises
    ------
    OptionError
        If two inputs would share an output, or an output cannot be named.
    """
    if inputs.count(PIPE) > 1:
        raise OptionError("stdin ('-') stands twice among the inputs; name it once")
    found = [Job(source, _target(source, output, label, len(inputs))) for source in inputs]
    taken: dict[str, str] = {}
    for job in found:
        place = os.path.realpath(job.target) if job.target != PIPE else PIPE
        if place in taken:
            raise OptionError(
                f"{taken[place]} and {job.source} would both be written to {job.target}; "
                "give them different names or folders"
            )
        taken[place] = job.source
    return found


def _target(source: str, output: str | None, label: str, count: int) -> str:
    if output is None and source == PIPE:
        return PIPE
    if output is None:
        path = Path(source)
        if not path.name:  # a folder, as `.` or `/`: it fails when it is read
            return source
        return str(path.with_name(f"{path.stem}.{label}{path.suffix}"))
    if output == PIPE:
        return PIPE
    if not output:
        raise OptionError("the output has an empty name; name a file, or a folder with a final /")
    if "{" in output or "}" in output:
        raise OptionError(f"output {output!r} has braces; name a file or a folder")
    if output.endswith(("/", os.sep)) or os.path.isdir(output):
        if source == PIPE:
            raise OptionError(f"stdin has no name to keep in the folder {output}; name a file")
        return str(Path(output) / Path(source).name)
    if count > 1:
        raise OptionError(f"{count} inputs for one output {output}; name a folder, {output}/")
    try:
        files.format_of(Path(output))
    except ImageError as error:
        raise OptionError(str(error)) from None
    return output


def share(cores: int, count: int, jobs: int | None, threads: int | None) -> tuple[int, int]:
    """Return how many images at once and how many threads in each, as asked for or by the cores."""
    if jobs is None:
        jobs = max(1, min(cores // (threads or 1), count))
    return jobs, threads or max(1, cores // jobs)


def run(todo: Sequence[Job], work: Work, writing: Writing, jobs: int) -> Iterator[Outcome]:
    """Do the jobs, some at once, and yield their outcomes in order, failed ones among them.

    Pillow lets go of the lock while it decodes and encodes, so threads are enough.
    """
    if min(jobs, len(todo)) <= 1:  # without threads, whose pool takes 4 ms to import
        yield from (_outcome(job, work, writing) for job in todo)
        return
    from concurrent.futures import ThreadPoolExecutor

    samples.keep_memory()
    pool = ThreadPoolExecutor(jobs)
    try:
        coming = [pool.submit(_outcome, job, work, writing) for job in todo]
        for future in coming:
            yield future.result()
    finally:  # when interrupted, finish what was begun and begin nothing more
        pool.shutdown(cancel_futures=True)


def _outcome(job: Job, work: Work, writing: Writing) -> Outcome:
    try:
        return Outcome(job.name, notes=_do(job, work, writing))
    except ImgconvError as error:
        return Outcome(job.name, error=str(error))
    except MemoryError:
        return Outcome(job.name, error="not enough memory for this picture")


def _do(job: Job, work: Work, writing: Writing) -> tuple[str, ...]:
    """Read, filter, write; return notes on what was not kept."""
    target = Path(job.target)
    if job.source != PIPE and os.path.isdir(job.source):
        raise ImageError("is a folder; name the files in it")
    if job.target != PIPE:
        if not writing.force:  # before the work; `write` asks once more
            files.refuse_existing(target)
        files.format_of(target)
    picture = files.read(_bytes(job.source))
    image, _ = filter_image(picture.image, work)
    if job.target == PIPE:
        _print(writing.encode(image, picture.format))
    else:
        data = writing.encode(image, files.format_of(target))
        files.write(data, target, force=writing.force)
    return (f"{', '.join(picture.lost)} not kept",) if picture.lost else ()


def _bytes(source: str) -> bytes:
    if source == PIPE:
        if sys.stdin is None:
            raise ImageError("is closed")
        return sys.stdin.buffer.read()
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise ImageError(f"cannot be read: {error.strerror or error}") from None


def _print(data: bytes) -> None:
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
