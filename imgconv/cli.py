"""The command line: parse, call, print, exit."""

import functools
import io
import re
import sys
import warnings
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imgconv import __version__
from imgconv.errors import ImgconvError, OptionError, shortened
from imgconv.kernel import Kernel
from imgconv.recipes import COMBINE, Combined
from imgconv.report import Report, discard_stdout, say

if TYPE_CHECKING:
    import numpy.typing as npt

    from imgconv.catalog import Catalog
    from imgconv.naming import Job

app = typer.Typer(
    name="imgconv",
    help="Run convolution kernels over images, exactly and fast.",
    rich_markup_mode=None,  # Rich would cost every start 65 ms
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

cache = typer.Typer(help="Manage the code that was compiled for this machine.")
app.add_typer(cache, name="cache")

Catalogs = Annotated[
    list[Path] | None,
    typer.Option("--catalog", metavar="FILE|DIR", help="Further kernels, from TOML; repeatable."),
]


@app.callback(invoke_without_command=True)
def start(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Run convolution kernels over images, exactly and fast."""
    if version:
        print(f"imgconv {__version__}")
        raise typer.Exit


def _complete_kernel(incomplete: str) -> list[str]:
    """The names of the catalogues that begin so."""
    from imgconv.catalog import open_catalog

    known = open_catalog()
    return [name for name in sorted([*known, *known.recipes]) if name.startswith(incomplete)]


def _complete_border(incomplete: str) -> list[str]:
    """The borders that begin so."""
    from imgconv.geometry import ALIASES

    return [name for name in ALIASES if name.startswith(incomplete)]


@app.command()
def apply(
    kernel: Annotated[
        list[str],
        typer.Option(
            "-k",
            "--kernel",
            metavar="SPEC",
            autocompletion=_complete_kernel,
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
    padding: Annotated[
        str, typer.Option(metavar="same|valid|N|Y,X|T,R,B,L", help="How much is added around.")
    ] = "same",
    border: Annotated[
        str,
        typer.Option(
            metavar="WORD",
            autocompletion=_complete_border,
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
    as_json: Annotated[
        bool, typer.Option("--json", help="A JSON object for each input, one a line.")
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
    from imgconv.geometry import layout
    from imgconv.spec import find_step

    known = _catalog(catalog, Report(quiet=quiet))
    entries = [find_step(spec, known) for spec in kernel]
    kernels = [_adjusted(entry.work, scale, bias, len(entries)) for entry in entries]
    if flip:
        kernels = [k.flipped() for k in kernels]
    kernels = _combined(kernels, combine)
    shape = layout(padding, border, fill, stride, dilation)
    label = "+".join(entry.label for entry in entries)
    if force and skip_existing:
        raise OptionError("--force and --skip-existing contradict each other; give one")

    from imgconv import batch, decode, encode, naming, native
    from imgconv.bands import thread_count
    from imgconv.pipeline import Work

    sources = naming.sources(
        inputs or [], files_from=files_from, null=null, recursive=recursive, output=output
    )
    todo = naming.shard(shard, naming.jobs(sources, output, label, format, force=force))
    _refuse_stdout(todo, as_json or dry_run)
    at_once, each = batch.share(thread_count(), len(todo), jobs, threads)
    work = Work(tuple(kernels), shape, levels or "clip", channels, each, alpha, _colour(background))
    task = batch.Task(
        work,
        decode.Reading(max_pixels, depth is not None, frame),
        encode.checked(encode.Writing(force, quality, compress, strip)),
        levels,
        skip_existing,
        dry_run,
    )
    native.compiling = _show_compiling
    report = Report(
        quiet=quiet,
        total=len(todo),
        kernel=label,
        levels=levels or "clip",
        as_json=as_json,
        dry=dry_run,
    )
    if verbose:
        native.hint = report.note
    with report:
        for outcome in batch.run(todo, task, at_once):
            report.add(outcome)
    raise typer.Exit(report.exit_code)


@app.command("list")
def list_(
    pattern: Annotated[
        str, typer.Argument(help="Only names or families with this in them; * and ? work.")
    ] = "",
    names: Annotated[bool, typer.Option("--names", help="Names only, one a line.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON array.")] = False,
    catalog: Catalogs = None,
) -> None:
    """List the kernels of the catalogues."""
    from imgconv import show

    known = _catalog(catalog, Report(quiet=False))
    entries = show.matching(known.values(), pattern)
    recipes = show.matching_recipes(known.recipes.values(), pattern)
    families = show.matching_families(pattern)
    if not entries and not recipes and not families:
        say(f"no kernel has {pattern!r} in its name or family; imgconv list shows all")
        raise typer.Exit(1)
    if as_json:
        print(show.json_list(entries, recipes, families))
    elif names:
        print("\n".join(entry.kernel.name for entry in entries))
    else:
        print(show.table(entries, recipes, families))


@app.command("show")
def show_(
    specs: Annotated[
        list[str],
        typer.Argument(
            metavar="SPEC...", autocompletion=_complete_kernel, help="Kernels, as for apply."
        ),
    ],
    form: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="toml|json|numpy|torch|opencv|imagemagick|vips|ffmpeg|gmic|csv",
            help="As a file, as code or as another tool takes it.",
        ),
    ] = None,
    on: Annotated[
        str | None, typer.Option(metavar="WxH", help="What becomes of a picture, and its cost.")
    ] = None,
    padding: Annotated[
        str, typer.Option(metavar="same|valid|N|Y,X|T,R,B,L", help="As for apply, under --on.")
    ] = "same",
    stride: Annotated[str, typer.Option(metavar="N|Y,X", help="As for apply.")] = "1",
    dilation: Annotated[str, typer.Option(metavar="N|Y,X", help="As for apply.")] = "1",
    catalog: Catalogs = None,
) -> None:
    """Show kernels: weights, sum, gain, structure, response range, source; several as a chain."""
    from imgconv import show
    from imgconv.geometry import layout
    from imgconv.spec import find

    if form is not None and form not in show.FORMS:
        raise OptionError(f"no form {form!r} for --as; choose from {', '.join(show.FORMS)}")
    known = _catalog(catalog, Report(quiet=False))
    render = show.FORMS[form] if form else show.card
    entries = [find(spec, known) for spec in specs]
    if on is not None:
        match = re.fullmatch(r"([1-9]\d{0,5})x([1-9]\d{0,5})", on)
        if not match:
            raise OptionError(f"--on {shortened(on)!r} is not WIDTHxHEIGHT, as 640x480")
        shape = int(match[2]), int(match[1])
        print(show.on(entries, shape, layout(padding, stride=stride, dilation=dilation)))
    else:
        print(("\n" if form == "json" else "\n\n").join(map(render, entries)))
    if len(entries) > 1 and not form:
        between = "\n" * (on is None)
        print(between + show.chain(entries, layout(stride=stride, dilation=dilation)))


@app.command("learn")
def learn_(
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="A picture or an array.")],
    after: Annotated[
        str, typer.Argument(metavar="AFTER", help="The same, filtered; as large, or as valid.")
    ],
    size: Annotated[
        str, typer.Option(metavar="N|ROWSxCOLUMNS", help="Of the kernel that is looked for.")
    ] = "3",
    bias: Annotated[bool, typer.Option("--bias", help="Look for a bias too.")] = False,
    method: Annotated[
        str, typer.Option(metavar="lstsq|sgd", help="Least squares, or steps down the gradient.")
    ] = "lstsq",
    lr: Annotated[
        float | None, typer.Option(metavar="X", help="The step of sgd; by default a safe one.")
    ] = None,
    epochs: Annotated[int, typer.Option(metavar="N", min=1, help="How many steps.")] = 10,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Of the first weights.")] = 0,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE.toml", help="Keep the kernel.")
    ] = None,
    force: Annotated[bool, typer.Option("-f", "--force", help="Overwrite FILE.toml.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object.")] = False,
) -> None:
    """Find the kernel that makes one picture of another.

    One kernel for all channels, from the pixels whose neighbours are all inside; samples that may
    have been clipped are left out.
    """
    import json

    from imgconv import files, learn, show
    from imgconv.catalog import Entry, open_catalog

    if method not in ("lstsq", "sgd"):
        raise OptionError(f"no method {method!r}; choose from lstsq, sgd")
    sides = learn.size_of(size)
    known = {n: e.kernel.array / e.kernel.divisor for n, e in open_catalog().items()}

    def between(first: "npt.NDArray[Any]", second: "npt.NDArray[Any]") -> learn.Learned:
        equations = learn.sums(first, second, sides, bias=bias)
        if method == "sgd":
            found = learn.descend(
                equations, lr=lr, epochs=epochs, seed=seed,
                tell=lambda epoch, loss: say(f"epoch {epoch}, loss {loss:.4g}"),
            )  # fmt: skip
        else:
            found = learn.solve(equations)
        judge = functools.partial(
            learn.judge, equations, size=sides, bias=bias, whole=second.dtype.kind == "u",
            known=known,
        )  # fmt: skip
        learned = judge(found)
        if method == "sgd" and not learned.explains and judge(learn.solve(equations)).explains:
            return learn.unfinished(learned, epochs)
        return learned

    try:
        first, second = _samples(before), _samples(after)
        found = [between(first, second)]
        if not found[0].explains and method == "lstsq" and first.shape[2] > 1:
            each = [between(first[:, :, [i]], second[:, :, [i]]) for i in range(first.shape[2])]
            found = each if all(one.explains for one in each) else found
        if output and not force:
            files.refuse_existing(output)
    except ImgconvError as error:
        say(str(error))
        raise typer.Exit(1) from None
    names = ["learned"] if len(found) == 1 else [f"channel-{i}" for i in range(len(found))]
    toml = "\n\n".join(
        show.as_toml(Entry(one.kernel(), "", one.name or name))
        for one, name in zip(found, names, strict=True)
    )
    if output:
        files.write(f"{toml}\n".encode(), output, force=force)
    if as_json:
        told = [learn.as_json(one) for one in found]
        print(json.dumps(told[0] if len(told) == 1 else told))
        return
    for one, name in zip(found, names, strict=True):
        prefix = f"{name}: " * (len(found) > 1)
        say(f"{prefix}{one.verdict} (residual {one.residual:.3g})")
    if not output:
        print(toml)


def _samples(source: str) -> "npt.NDArray[Any]":
    """The colours of a picture's only frame, or of an array."""
    from imgconv import decode, files

    try:
        picture = decode.read(files.read(source))
    except ImgconvError as error:
        raise ImgconvError(f"{source}: {error}") from None
    if len(picture.frames) > 1:
        raise ImgconvError(f"{source}: has {len(picture.frames)} frames; name a picture of one")
    (frame,) = picture.frames
    return frame.array()[:, :, : len(frame.names.removesuffix("a"))]


@cache.command("info")
def cache_info() -> None:
    """Say where compiled code is kept, and how much."""
    from imgconv import native

    native.hint = say
    folder, kept = native.cache_folder(), list(native.entries())
    if folder is None:
        raise typer.Exit(1)
    print(f"{folder}: {len(kept)} functions, {sum(p.stat().st_size for p in kept) // 1024} kB")


@cache.command("warm")
def cache_warm() -> None:
    """Compile now what the catalogue's kernels need on every kind of image."""
    from imgconv import native, steps
    from imgconv.catalog import open_catalog

    native.hint, native.compiling = say, _show_compiling
    if native.cache_folder() is None:
        raise typer.Exit(1)
    for entry in open_catalog().values():
        steps.warm(entry.kernel)
    cache_info()


@cache.command("clear")
def cache_clear() -> None:
    """Remove all compiled code."""
    from imgconv import native

    native.hint = say
    for path in native.entries():
        path.unlink(missing_ok=True)


def _show_compiling(done: bool) -> None:
    """Say on a terminal why this once takes longer, and wipe it out again."""
    if sys.stderr.isatty():
        text = "\r\x1b[K" if done else "compiling for this machine, once ..."
        print(text, end="", file=sys.stderr, flush=True)


def _catalog(extra: list[Path] | None, report: Report) -> "Catalog":
    from imgconv.catalog import open_catalog

    return open_catalog(extra or (), report.note)


def _refuse_stdout(todo: "list[Job]", told: bool) -> None:
    """Refuse an image on stdout where a terminal is, or where stdout is for something else."""
    from imgconv.encode import ARRAYS

    if told and sys.stdout is None:
        raise OptionError("stdout is closed; --json and --dry-run print there")
    if all(job.target != "-" for job in todo):
        return
    if told:
        raise OptionError("stdout is for --json or --dry-run; name an output file with -o")
    arrays = all(job.source.endswith((".csv", ".npy")) or job.format in ARRAYS for job in todo)
    if sys.stdout is not None and sys.stdout.isatty() and not arrays:
        raise OptionError("an image is not for a terminal; name a file with -o, or pipe it")


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
    return [Combined(combine, tuple(single))]


def _adjusted(
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
        weights = tuple(tuple(w * times for w in row) for row in kernel.weights)
        return replace(kernel, weights=weights, divisor=divisor)
    weights = tuple(tuple(float(w * factor) for w in row) for row in kernel.weights)
    return replace(kernel, weights=weights, divisor=1)


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


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code.

    Misuse is one line on stderr and exits 2, like everything wrong before the first file is read.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    warnings.simplefilter("ignore")  # libraries' words on broken files; the errors are ours
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names may hold bytes that are no text
            stream.reconfigure(errors="backslashreplace")
    try:
        code = app(args=arguments or ["--help"], prog_name="imgconv", standalone_mode=False) or 0
        if sys.stdout is not None:
            sys.stdout.flush()
        return int(code)
    except typer.TyperException as error:
        say(f"{error.format_message()} (imgconv --help)")
        return 2
    except ImgconvError as error:
        say(str(error))
        return 2
    except KeyboardInterrupt:
        return 130
    except SystemExit as error:  # the shell's completion ends so
        sys.stdout.flush()
        return error.code if isinstance(error.code, int) else 1
    except BrokenPipeError:  # the reader has gone
        discard_stdout()
        return 1
    except OSError as error:
        say(f"stdout cannot be written: {error.strerror or error}")
        discard_stdout()
        return 1
