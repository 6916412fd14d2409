"""`imgconv apply`."""

import re
import sys
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated

import typer

from imgconv.cli.common import (
    Catalogs,
    app,
    catalogue,
    complete_border,
    complete_kernel,
    has_colours,
    show_compiling,
)
from imgconv.errors import OptionError, shortened
from imgconv.kernels.kernel import Kernel
from imgconv.kernels.recipes import COMBINE, Combined, combined
from imgconv.runs.report import Report

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from imgconv.pictures.pixels import Pixels
    from imgconv.runs.batch import Task
    from imgconv.runs.naming import Job
    from imgconv.runs.report import Outcome


@app.command()
def apply(
    kernel: Annotated[
        list[str],
        typer.Option(
            "-k",
            "--kernel",
            metavar="SPEC",
            autocompletion=complete_kernel,
            help="A name (imgconv list), weights as '1,2,1;2,4,2;1,2,1/16', JSON, or "
            "FILE.toml[:NAME]; several run one after the other.",
        ),
    ],
    inputs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[INPUT]...", help="Image files, folders, or - for stdin."),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="PATH",
            help="A file, a folder (ends in /), a template of {stem} {name} {suffix} {kernel} "
            "{parent} {index}, or - for stdout; by default beside the input, as "
            "{stem}.{kernel}{suffix}.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("-f", "--force", help="Overwrite existing outputs.")
    ] = False,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Leave existing outputs alone.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("-n", "--dry-run", help="Only say what would be written.")
    ] = False,
    files_from: Annotated[
        str | None,
        typer.Option(metavar="FILE|-", help="Further inputs, one a line, from a file or stdin."),
    ] = None,
    null: Annotated[
        bool, typer.Option("-0", "--null", help="The names in --files-from end in NUL.")
    ] = False,
    recursive: Annotated[
        bool,
        typer.Option("--recursive", help="Walk folders; the output folder gets the same tree."),
    ] = False,
    shard: Annotated[
        str | None,
        typer.Option(metavar="I/N", help="Every N-th input from the I-th, sorted by name."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on where an earlier run of this command stopped."),
    ] = False,
    padding: Annotated[
        str, typer.Option(metavar="same|valid|N|Y,X|T,R,B,L", help="How much is added around.")
    ] = "same",
    border: Annotated[
        str,
        typer.Option(
            metavar="WORD",
            autocompletion=complete_border,
            help="With what: edge, constant, reflect, symmetric, wrap, or another tool's word, "
            "as scipy:mirror.",
        ),
    ] = "edge",
    fill: Annotated[float, typer.Option(metavar="V", help="The value of a constant border.")] = 0,
    stride: Annotated[
        str, typer.Option(metavar="N|Y,X", help="Steps between output pixels.")
    ] = "1",
    dilation: Annotated[
        str, typer.Option(metavar="N|Y,X", help="Steps between the kernel's taps.")
    ] = "1",
    channels: Annotated[
        str,
        typer.Option(
            metavar="auto|gray|rgb|luma|LIST",
            help="Which channels: all but alpha; of the image made gray, or RGB; the brightness "
            "only; or letters, as r,g.",
        ),
    ] = "auto",
    alpha: Annotated[
        str,
        typer.Option(
            metavar="keep|weighted",
            help="Leave alpha alone, or weight colours by it and filter it too.",
        ),
    ] = "keep",
    background: Annotated[
        str | None,
        typer.Option(metavar="COLOUR", help="Lay transparent pictures upon a colour first."),
    ] = None,
    levels: Annotated[
        str | None,
        typer.Option(
            metavar="clip|abs|offset|stretch|none",
            help="How a signed response becomes a pixel (clip); none keeps it, as arrays do.",
        ),
    ] = None,
    scale: Annotated[
        str | None,
        typer.Option(metavar="X", help="Replaces 1/divisor of a single kernel: 0.25, 1/9."),
    ] = None,
    bias: Annotated[
        str | None, typer.Option(metavar="X", help="Replaces the bias of a single kernel.")
    ] = None,
    combine: Annotated[
        str,
        typer.Option(
            metavar="chain|magnitude|max|min|mean|sum",
            help="Several kernels one after the other, or each on the input, then put together.",
        ),
    ] = "chain",
    flip: Annotated[
        bool, typer.Option("--flip", help="True convolution: turn the weights by 180 degrees.")
    ] = False,
    format: Annotated[
        str | None,
        typer.Option(metavar="FMT", help="The output format where PATH does not tell: png, jpg."),
    ] = None,
    quality: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            max=100,
            help="Of JPEG (default: the source's, else 90) and WebP (90; 100 loses nothing).",
        ),
    ] = None,
    compress: Annotated[
        str, typer.Option(metavar="fast|small|none", help="Of PNG and TIFF outputs.")
    ] = "fast",
    depth: Annotated[
        int | None,
        typer.Option(metavar="8", min=8, max=8, help="Cut deeper pictures to 8 bits."),
    ] = None,
    frame: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Only one frame or page, from 0.")
    ] = None,
    strip: Annotated[
        bool, typer.Option("--strip", help="Write no metadata (else they are kept).")
    ] = False,
    max_pixels: Annotated[
        int,
        typer.Option(metavar="N", min=1, help="Refuse larger pictures before they are decoded."),
    ] = 500_000_000,
    catalog: Catalogs = None,
    jobs: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=1024, help="Images at once.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=1024, help="Threads within an image.")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="tcp://HOST:PORT|local:N",
            help="Run on the workers of a Dask scheduler, or on N processes here.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="A JSON object for each input, one a line.")
    ] = False,
    tile: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            max=1_000_000,
            help="Piece by piece, N x N: TIFF and .zarr larger than memory.",
        ),
    ] = None,
    preview: Annotated[
        bool,
        typer.Option("--preview", help="Draw each result in the terminal, once it is written."),
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Errors only.")] = False,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Also hints on the cache of compiled code.")
    ] = False,
) -> None:
    """Apply kernels to images.

    The kernel is not flipped (a correlation, as in deep learning and OpenCV). Sizes and pairs are
    rows, columns.
    """
    from imgconv.engine.geometry import layout
    from imgconv.kernels.spec import find_step

    known = catalogue(catalog, Report(quiet=quiet))
    entries = [find_step(spec, known) for spec in kernel]
    kernels = [adjusted(entry.work, scale, bias, len(entries)) for entry in entries]
    if flip:
        kernels = [k.flipped() for k in kernels]
    kernels = _combined(kernels, combine)
    shape = layout(padding, border, fill, stride, dilation)
    label = "+".join(entry.label for entry in entries)
    if force and skip_existing:
        raise OptionError("--force and --skip-existing contradict each other; give one")

    from imgconv.engine import native
    from imgconv.engine.bands import thread_count
    from imgconv.pictures import decode, encode
    from imgconv.pipeline.filter import Work
    from imgconv.runs import batch, naming

    sources = naming.sources(
        inputs or [], files_from=files_from, null=null, recursive=recursive, output=output
    )
    todo = naming.shard(shard, naming.jobs(sources, output, label, format, force=force))
    _refuse_stdout(todo, as_json or dry_run)
    if resume:
        _refuse_lasting_nowhere(todo)
    draw = _drawing(todo, as_json or dry_run) if preview else None
    if scheduler:
        _refuse_what_is_done_here(jobs, preview=preview)
        threads = threads or 1  # a worker does as many at once as it has threads
    if tile:  # each picture takes all cores
        jobs = jobs or 1
    at_once, each = batch.share(thread_count(), len(todo), jobs, threads)
    work = Work(tuple(kernels), shape, levels or "clip", channels, each, alpha, _colour(background))
    task = batch.Task(
        work,
        decode.Reading(max_pixels, depth is not None, frame),
        encode.checked(encode.Writing(force, quality, compress, strip)),
        levels,
        skip_existing,
        dry_run,
        draw,
        tile,
    )
    native.compiling = show_compiling
    report = Report(
        quiet=quiet,
        total=len(todo),
        kernel=label,
        levels=levels or "clip",
        as_json=as_json,
        dry=dry_run,
        draws=draw is not None,
    )
    if preview and not draw:
        report.note("no preview: stdout is no terminal with colours")
    if verbose:
        native.hint = report.note
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
    raise typer.Exit(report.exit_code)


def _on_workers(
    scheduler: str, report: Report
) -> "Callable[[list[Job], Task, int], Generator[Outcome, None, None]]":
    """What runs jobs on the workers of a scheduler, who share them out."""
    from imgconv.runs import cluster

    return lambda todo, task, _: cluster.run(todo, task, scheduler, report.note)


def _refuse_what_is_done_here(jobs: int | None, *, preview: bool) -> None:
    """Refuse options that mean nothing on the workers of a scheduler."""
    if jobs:
        raise OptionError("--jobs is for this machine alone; a scheduler's workers have threads")
    if preview:
        raise OptionError("--preview draws what is done here; leave out --scheduler")


def _refuse_stdout(todo: "list[Job]", told: bool) -> None:
    """Refuse an image on stdout where a terminal is, or where stdout is for something else."""
    from imgconv.pictures.encode import ARRAYS

    if told and sys.stdout is None:
        raise OptionError("stdout is closed; --json and --dry-run print there")
    if all(job.target != "-" for job in todo):
        return
    if told:
        raise OptionError("stdout is for --json or --dry-run; name an output file with -o")
    arrays = all(job.source.endswith((".csv", ".npy")) or job.format in ARRAYS for job in todo)
    if sys.stdout is not None and sys.stdout.isatty() and not arrays:
        raise OptionError("an image is not for a terminal; name a file with -o, or pipe it")


def _refuse_lasting_nowhere(todo: "list[Job]") -> None:
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


def _drawing(todo: "list[Job]", told: bool) -> "Callable[[Pixels], str] | None":
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


def _colour(text: str | None) -> tuple[int, int, int] | None:
    """The colour of a background."""
    if text is None:
        return None
    from PIL import ImageColor

    found: tuple[int, ...]
    try:
        found = ImageColor.getrgb(text)
    except ValueError:
        found = ()
    if len(found) != 3:  # a fourth number would be alpha
        raise OptionError(
            f"--background {shortened(text)!r} is no colour such as white, #ff8000 or rgb(0,0,0)"
        )
    return found[0], found[1], found[2]


def _combined(kernels: "list[Kernel | Combined]", combine: str) -> "list[Kernel | Combined]":
    """The steps of a chain: all kernels one after the other, or put together as one."""
    if combine == "chain":
        return kernels
    if combine not in COMBINE:
        raise OptionError(f"no combine {combine!r}; choose from chain, {', '.join(COMBINE)}")
    single = [k for k in kernels if isinstance(k, Kernel)]
    if len(single) < len(kernels):
        raise OptionError("a recipe combines by itself; --combine is for single kernels")
    return [combined(combine, tuple(single))]


def adjusted(
    kernel: Kernel | Combined, scale: str | None, bias: str | None, count: int
) -> Kernel | Combined:
    """The kernel with --scale for its 1/divisor and --bias for its bias, both exact."""
    if scale is None and bias is None:
        return kernel
    if count > 1 or isinstance(kernel, Combined):
        raise OptionError("--scale and --bias are for one kernel; give each kernel its own")
    if scale is not None:
        kernel = _scaled(kernel, _fraction("--scale", scale))
    if bias is not None:
        exact = _fraction("--bias", bias)
        kernel = replace(kernel, bias=exact.numerator / exact.denominator)
    return kernel


def _scaled(kernel: Kernel, factor: Fraction) -> Kernel:
    """The kernel with a factor for its 1/divisor, exact unless it is no short decimal."""
    if max(abs(factor.numerator), factor.denominator) <= 10**9:
        times, divisor = factor.numerator, factor.denominator
        return replace(kernel.with_weights(lambda w: w * times), divisor=divisor)
    return replace(kernel.with_weights(lambda w: float(w * factor)), divisor=1)


def _fraction(option: str, text: str) -> Fraction:
    """A number such as 0.25 or 1/9, exactly."""
    try:
        if all(_is_moderate(part) for part in text.split("/")):
            return Fraction(text)
    except (ValueError, ZeroDivisionError):
        pass
    raise OptionError(f"{option} {text[:40]!r} is not a number such as 0.25 or 1/9")


def _is_moderate(text: str) -> bool:
    """Whether a decimal is 0 or of a size that a fraction of whole numbers can hold in no time."""
    zero = not re.search("[1-9]", text.lower().partition("e")[0])
    return 1e-50 < abs(float(text)) < 1e50 or (zero and float(text) == 0)
