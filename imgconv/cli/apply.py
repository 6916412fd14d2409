"""`imgconv apply`."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING

from imgconv.cli.specs import adjusted, catalogue, put_together
from imgconv.cli.terminal import has_colours, tell_of_compiling
from imgconv.errors import OptionError, shortened
from imgconv.pictures.files import MAX_PIXELS
from imgconv.pictures.stdout import stdout_is_closed
from imgconv.runs.report import Report

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from fractions import Fraction

    from imgconv.cli import options
    from imgconv.pictures.pixels import Colour, Pixels
    from imgconv.runs.job import Job, Outcome
    from imgconv.runs.task import Task


def apply(
    kernel: options.Chain,
    inputs: options.Inputs = None,
    output: options.Output = None,
    force: options.Force = False,
    skip_existing: options.SkipExisting = False,
    dry_run: options.DryRun = False,
    files_from: options.FilesFrom = None,
    null: options.Null = False,
    recursive: options.Recursive = False,
    shard: options.Shard = None,
    resume: options.Resume = False,
    padding: options.Padding = "same",
    border: options.Border = "edge",
    fill: options.Fill = "0",
    stride: options.Stride = "1",
    dilation: options.Dilation = "1",
    anchor: options.Anchor = "center",
    channels: options.Channels = "auto",
    alpha: options.Alpha = "keep",
    background: options.Background = None,
    levels: options.Levels = None,
    range: options.Range = "frame",
    scale: options.Scale = None,
    bias: options.Bias = None,
    combine: options.Combine = "chain",
    flip: options.Flip = False,
    format: options.Format = None,
    quality: options.Quality = None,
    compress: options.Compress = "fast",
    depth: options.Depth = None,
    frame: options.Frame = None,
    axes: options.Axes = None,
    formats: options.Formats = None,
    strip: options.Strip = False,
    max_pixels: options.MaxPixels = MAX_PIXELS,
    catalog: options.Catalogs = None,
    jobs: options.Jobs = None,
    threads: options.Threads = None,
    scheduler: options.Scheduler = None,
    as_json: options.JsonLines = False,
    tile: options.Tile = None,
    preview: options.Preview = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Apply kernels to images.

    The kernel is not flipped (a correlation, as in deep learning and OpenCV). Sizes and pairs are
    rows, columns.
    """
    from imgconv.kernels.spec import find_step
    from imgconv.pipeline.fill import filling
    from imgconv.pipeline.layout import layout

    known = catalogue(catalog, quiet=quiet)
    entries = [find_step(spec, known) for spec in kernel]
    each = [adjusted(entry.work, scale, bias, len(entries)) for entry in entries]
    kernels = put_together([k.flipped() for k in each] if flip else each, combine)
    number, paint = filling(fill, border)
    shape = layout(padding, border, number, stride, dilation, anchor)
    label = "+".join(entry.label for entry in entries)
    if force and skip_existing:
        raise OptionError("--force and --skip-existing contradict each other; give one")

    from imgconv.engine.ready import thread_count
    from imgconv.pictures.axes import checked as axes_of
    from imgconv.pictures.encode import Writing, checked
    from imgconv.pictures.formats import listed
    from imgconv.pictures.picture import Reading
    from imgconv.pipeline.work import Work
    from imgconv.runs import batch
    from imgconv.runs.inputs import sources
    from imgconv.runs.outputs import jobs as jobs_of
    from imgconv.runs.outputs import shard as shard_of
    from imgconv.runs.task import Task

    notes: list[str] = []
    found = sources(
        inputs or [],
        files_from=files_from,
        null=null,
        recursive=recursive,
        output=output,
        note=notes.append,
    )
    todo = shard_of(shard, jobs_of(found, output, label, format, force=force))
    told = as_json or dry_run
    _refuse_stdout(todo, told)
    if resume:
        _refuse_lasting_nowhere(todo)
    if asked := axes_of(axes):
        _refuse_axes(todo)
    draw = _drawing(todo, told) if preview else None
    if scheduler:
        _refuse_what_is_done_here(jobs, preview=preview)
        threads = threads or 1  # a worker does as many at once as it has threads
    if tile:  # each picture takes all cores
        jobs = jobs or 1
    at_once, within = batch.share(thread_count(), len(todo), jobs, threads)
    work = Work(
        kernels, shape, levels or "clip", channels, within, alpha, _colour(background),
        ends=_spanned(range, levels), together=range == "all", paint=paint,
    )  # fmt: skip
    task = Task(
        work,
        Reading(max_pixels, depth is not None, frame, asked, listed(formats)),
        checked(Writing(force, quality, compress, strip)),
        levels,
        skip_existing,
        dry_run,
        draw,
        tile,
        alone=len(found) == 1 and found[0].named and not scheduler,
    )
    report = Report(
        quiet=quiet,
        total=len(todo),
        kernel=label,
        levels=levels or "clip",
        as_json=as_json,
        dry=dry_run,
        draws=draw is not None,
    )
    for text in notes:
        report.note(text)
    if preview and not draw:
        report.note("no preview: stdout is no terminal with colours")
    tell_of_compiling(report.note, verbose=verbose)
    if len(todo) == 1 and not scheduler:
        task = task._replace(progress=report.advance)
    kept = None
    if resume or (len(todo) > 1 and not dry_run):
        from imgconv.runs import journal

        kept = journal.Journal(journal.pattern(output, label), report.note, resume=resume)
        task = task._replace(meaning=journal.meaning(task, format), again=resume)
        todo = kept.recall(todo) if resume else todo
    run = _on_workers(scheduler, report) if scheduler and not dry_run else batch.run
    with report, closing(run(todo, task, at_once)) as outcomes:
        for outcome in kept.keep(outcomes) if kept else outcomes:
            report.add(outcome)
    return report.exit_code


def _on_workers(
    scheduler: str, report: Report
) -> Callable[[list[Job], Task, int], Generator[Outcome, None, None]]:
    """What runs jobs on the workers of a scheduler, who share them out."""
    from imgconv.runs import cluster

    return lambda todo, task, _: cluster.run(todo, task, scheduler, report.note)


def _refuse_what_is_done_here(jobs: int | None, *, preview: bool) -> None:
    """Refuse options that mean nothing on the workers of a scheduler."""
    if jobs:
        raise OptionError("--jobs is for this machine alone; a scheduler's workers have threads")
    if preview:
        raise OptionError("--preview draws what is done here; leave out --scheduler")


def _refuse_stdout(todo: list[Job], told: bool) -> None:
    """Refuse an image on stdout where a terminal is, or where stdout is for something else."""
    from imgconv.pictures.formats import ARRAYS
    from imgconv.pictures.stdout import to_terminal

    if told and stdout_is_closed():
        raise OptionError("stdout is closed; --json and --dry-run print there")
    if all(job.target != "-" for job in todo):
        return
    if told:
        raise OptionError("stdout is for --json or --dry-run; name an output file with -o")
    arrays = all(job.source.endswith((".csv", ".npy")) or job.format in ARRAYS for job in todo)
    if to_terminal() and not arrays:
        raise OptionError("an image is not for a terminal; name a file with -o, or pipe it")


def _refuse_axes(todo: list[Job]) -> None:
    """Refuse axes where no input is an array by its name; without a known ending it may be one."""
    from imgconv.pictures import files
    from imgconv.pictures.formats import ARRAYS, PIECES, ending_format

    kinds = {ending_format(files.path(job.source)) for job in todo}
    if kinds and kinds.isdisjoint((*ARRAYS, PIECES, "")):
        raise OptionError("--axes says what those of arrays are, and no input is one; leave it out")


def _refuse_lasting_nowhere(todo: list[Job]) -> None:
    """Refuse to resume where nothing would tell what has been done."""
    from imgconv.pictures import files

    for job in todo:
        if "-" in (job.source, job.target):
            raise OptionError("--resume is for files, not for stdin or stdout; name them")
        if files.place(job.source) == files.place(job.target):
            raise OptionError(
                f"{job.name} would be written over itself, and filtered twice where a run was "
                "stopped; name another output"
            )


def _drawing(todo: list[Job], told: bool) -> Callable[[Pixels], str] | None:
    """What draws results, where stdout is a terminal that can show them.

    Elsewhere it is no misuse: a command stays right when its output is sent to a file.
    """
    if told:
        raise OptionError("--preview draws on stdout, which is for --json or --dry-run; give one")
    if any(job.target == "-" for job in todo):
        raise OptionError("--preview draws on stdout, where the result goes; name a file with -o")
    if not has_colours(sys.stdout) or not sys.stdout.encoding.lower().startswith("utf"):
        return None
    from imgconv.teach.preview import for_terminal

    return for_terminal


def _spanned(range: str, levels: str | None) -> tuple[Fraction, Fraction] | None:
    """What a stretch spans, if the ends are given."""
    if range == "frame":
        return None
    if levels != "stretch":
        raise OptionError(f"--range {range} is what --levels stretch spans; give that too")
    if range == "all":
        return None
    from fractions import Fraction

    low, comma, high = range.partition(",")
    try:
        ends = Fraction(low), Fraction(high)
    except (ValueError, ZeroDivisionError):
        ends = Fraction(0), Fraction(0)
    if not comma or ends[0] >= ends[1]:
        raise OptionError(
            f"range {range!r} is none of frame, all and LOW,HIGH, two numbers the second of which "
            "is greater"
        )
    return ends


def _colour(text: str | None) -> Colour | None:
    """The colour of a background."""
    if text is None:
        return None
    from imgconv.pipeline.fill import colour_named

    found = colour_named(text)
    if not found:
        raise OptionError(
            f"--background {shortened(text)!r} is no colour such as white, #ff8000 or 255,128,0"
        )
    return found
