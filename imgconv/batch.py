"""Many inputs: where each output goes, known before the first is written, and what became of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from imgconv import files
from imgconv.errors import ImageError, ImgconvError, OptionError
from imgconv.pipeline import Work, filter_image
from imgconv.report import Outcome

PIPE = "-"


@dataclass(frozen=True)
class Job:
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
        place = str(Path(job.target).resolve()) if job.target != PIPE else PIPE
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
        return str(path.with_name(f"{path.stem}.{label}{path.suffix}"))
    if output == PIPE:
        return PIPE
    if "{" in output or "}" in output:
        raise OptionError(f"output {output!r} has braces; name a file or a folder")
    if output.endswith(("/", os.sep)) or Path(output).is_dir():
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


def run(todo: Sequence[Job], work: Work, *, force: bool, jobs: int) -> Iterator[Outcome]:
    """Do the jobs, some at once, and yield their outcomes in order, failed ones among them.

    Pillow lets go of the lock while it decodes and encodes, so threads are enough.
    """
    pool = ThreadPoolExecutor(jobs)
    try:
        coming = [pool.submit(_outcome, job, work, force) for job in todo]
        for future in coming:
            yield future.result()
    finally:  # when interrupted, finish what was begun and begin nothing more
        pool.shutdown(cancel_futures=True)


def _outcome(job: Job, work: Work, force: bool) -> Outcome:
    try:
        return Outcome(job.name, notes=_do(job, work, force))
    except ImgconvError as error:
        return Outcome(job.name, error=str(error))
    except MemoryError:
        return Outcome(job.name, error="not enough memory for this picture")


def _do(job: Job, work: Work, force: bool) -> tuple[str, ...]:
    """Read, filter, write; return notes on what was not kept."""
    target = Path(job.target)
    if job.target != PIPE:
        if os.path.lexists(target) and not force:
            raise ImageError(f"{target} exists; --force overwrites it")
        files.format_of(target)
    picture = files.read(_bytes(job.source))
    image, _ = filter_image(picture.image, work)
    if job.target == PIPE:
        sys.stdout.buffer.write(files.encode(image, picture.format))
        sys.stdout.buffer.flush()
    else:
        data = files.encode(image, files.format_of(target))
        files.write(data, target, force=force)
    return (f"{', '.join(picture.lost)} not kept",) if picture.lost else ()


def _bytes(source: str) -> bytes:
    if source == PIPE:
        return sys.stdin.buffer.read()
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise ImageError(f"cannot be read: {error.strerror or error}") from None
