"""The options of the commands, each declared once and said the same by all that take it."""

from typing import Annotated, Any

import typer


def complete_kernel(incomplete: str) -> list[str]:
    """The names of the catalogues that begin so."""
    from imgconv.kernels.catalog import open_catalog

    known = open_catalog()
    return [name for name in sorted([*known, *known.recipes]) if name.startswith(incomplete)]


def complete_border(incomplete: str) -> list[str]:
    """The borders that begin so."""
    from imgconv.pipeline.layout import ALIASES

    return [name for name in ALIASES if name.startswith(incomplete)]


def _kernel(help: str) -> Any:
    """What names kernels, of which several mean something else to each command."""
    return typer.Option("-k", "--kernel", metavar="SPEC", autocompletion=complete_kernel, help=help)


# Inputs and outputs
Inputs = Annotated[
    list[str] | None,
    typer.Argument(metavar="[INPUT]...", help="Image files, folders, or - for stdin."),
]
Output = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--output",
        metavar="PATH",
        help="A file, a folder (ends in /), a template of {stem} {name} {suffix} {kernel} "
        "{parent} {index}, or - for stdout; by default beside the input, as "
        "{stem}.{kernel}{suffix}.",
    ),
]
Force = Annotated[bool, typer.Option("-f", "--force", help="Overwrite existing outputs.")]
SkipExisting = Annotated[
    bool, typer.Option("--skip-existing", help="Leave existing outputs alone.")
]
DryRun = Annotated[bool, typer.Option("-n", "--dry-run", help="Only say what would be written.")]
FilesFrom = Annotated[
    str | None,
    typer.Option(metavar="FILE|-", help="Further inputs, one a line, from a file or stdin."),
]
Null = Annotated[bool, typer.Option("-0", "--null", help="The names in --files-from end in NUL.")]
Recursive = Annotated[
    bool, typer.Option("--recursive", help="Walk folders below too; the output has the same tree.")
]
Shard = Annotated[
    str | None,
    typer.Option(metavar="I/N", help="Every N-th input from the I-th, sorted by name."),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on where an earlier run of this command stopped.")
]

# Kernels
Chain = Annotated[
    list[str],
    _kernel(
        "A name (imgconv list), weights as '1,2,1;2,4,2;1,2,1/16', JSON, or "
        "FILE.toml[:NAME]; several run one after the other."
    ),
]
Single = Annotated[list[str], _kernel("One kernel, as for apply.")]
SheetKernels = Annotated[
    list[str] | None,
    _kernel("A tile, in the words of apply; repeatable; by default the whole catalogue."),
]
Specs = Annotated[
    list[str],
    typer.Argument(
        metavar="SPEC...", autocompletion=complete_kernel, help="Kernels, as for apply."
    ),
]
Scale = Annotated[
    str | None,
    typer.Option(metavar="X", help="Replaces 1/divisor of a single kernel: 0.25, 1/9."),
]
Bias = Annotated[
    str | None, typer.Option(metavar="X", help="Replaces the bias of a single kernel.")
]
Combine = Annotated[
    str,
    typer.Option(
        metavar="chain|magnitude|max|min|mean|sum",
        help="Several kernels one after the other, or each on the input, then put together.",
    ),
]
Flip = Annotated[
    bool, typer.Option("--flip", help="True convolution: turn the weights by 180 degrees.")
]
Catalogs = Annotated[
    list[str] | None,
    typer.Option("--catalog", metavar="FILE|DIR", help="Further kernels, from TOML; repeatable."),
]

# Geometry
Padding = Annotated[
    str, typer.Option(metavar="same|valid|N|Y,X|T,R,B,L", help="How much is added around.")
]
Border = Annotated[
    str,
    typer.Option(
        metavar="WORD",
        autocompletion=complete_border,
        help="With what: edge, constant, reflect, symmetric, wrap, or another tool's word, "
        "as scipy:mirror.",
    ),
]
Fill = Annotated[
    str,
    typer.Option(
        metavar="V",
        help="What a constant border is: a number in sample units, 50% of white, or a colour as "
        "white, #ff8000, 255,128,0.",
    ),
]
Stride = Annotated[str, typer.Option(metavar="N|Y,X", help="Steps between output pixels.")]
Anchor = Annotated[
    str,
    typer.Option(
        metavar="center|opencv|Y,X",
        help="Which tap stands over the output pixel; of an even side, opencv's is one further.",
    ),
]
Dilation = Annotated[str, typer.Option(metavar="N|Y,X", help="Steps between the kernel's taps.")]

# Channels and levels
Channels = Annotated[
    str,
    typer.Option(
        metavar="auto|gray|rgb|luma|LIST",
        help="Which channels: all but alpha; of the image made gray, or RGB; the brightness "
        "only; or letters, as r,g.",
    ),
]
Alpha = Annotated[
    str,
    typer.Option(
        metavar="keep|weighted",
        help="Leave alpha alone, or weight colours by it and filter it too.",
    ),
]
AlphaKept = Annotated[str, typer.Option("--alpha", metavar="keep", help="Alpha is not filtered.")]
Background = Annotated[
    str | None,
    typer.Option(metavar="COLOUR", help="Lay transparent pictures upon a colour first."),
]
Levels = Annotated[
    str | None,
    typer.Option(
        metavar="clip|abs|offset|stretch|none",
        help="How a signed response becomes a pixel (clip); none keeps it, as arrays do.",
    ),
]
Range = Annotated[
    str,
    typer.Option(
        metavar="frame|all|LOW,HIGH",
        help="What --levels stretch spans: each frame, all frames of a file, or these responses.",
    ),
]
LevelsOfTiles = Annotated[
    str | None,
    typer.Option(
        "--levels",
        metavar="clip|abs|offset|stretch",
        help="How responses become pixels; by default clip where a flat picture keeps its "
        "brightness, offset where it vanishes, else stretch. Captions say which.",
    ),
]

# How pictures are read and written
Format = Annotated[
    str | None,
    typer.Option(metavar="FMT", help="The output format where PATH does not tell: png, jpg."),
]
Quality = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        max=100,
        help="Of JPEG (default: the source's, else 90) and WebP (90; 100 loses nothing).",
    ),
]
Compress = Annotated[str, typer.Option(metavar="fast|small|none", help="Of PNG and TIFF outputs.")]
Depth = Annotated[
    int | None,
    typer.Option(metavar="8", min=8, max=8, help="Cut deeper pictures to 8 bits."),
]
Frame = Annotated[
    int | None, typer.Option(metavar="N", min=0, help="Only one frame or page, from 0.")
]
Axes = Annotated[
    str | None,
    typer.Option(
        metavar="HWC|HW|CHW|NHW|NHWC|NCHW",
        help="What the axes of arrays are (N: pictures one by one); by default HW, HWC.",
    ),
]
Formats = Annotated[
    str | None,
    typer.Option(
        metavar="LIST",
        help="Open only these formats, as png,jpeg (or IMGCONV_FORMATS); refuse all others.",
    ),
]
Strip = Annotated[bool, typer.Option("--strip", help="Write no metadata (else they are kept).")]
MaxPixels = Annotated[
    int, typer.Option(metavar="N", min=1, help="Refuse larger pictures before they are decoded.")
]

# How a run goes
Jobs = Annotated[int | None, typer.Option(metavar="N", min=1, max=1024, help="Images at once.")]
Threads = Annotated[
    int | None, typer.Option(metavar="N", min=1, max=1024, help="Threads within an image.")
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="tcp://HOST:PORT|local:N",
        help="Run on the workers of a Dask scheduler, or on N processes here.",
    ),
]
Tile = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        max=1_000_000,
        help="Piece by piece, N x N: TIFF and .zarr larger than memory.",
    ),
]
JsonLines = Annotated[
    bool, typer.Option("--json", help="A JSON object for each input, one a line.")
]
JsonObject = Annotated[bool, typer.Option("--json", help="A JSON object.")]
JsonArray = Annotated[bool, typer.Option("--json", help="A JSON array.")]
Preview = Annotated[
    bool, typer.Option("--preview", help="Draw each result in the terminal, once it is written.")
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Errors only.")]
Verbose = Annotated[
    bool, typer.Option("-v", "--verbose", help="Also hints on the cache of compiled code.")
]

# Of list, show, sheet, explain and learn alone
Pattern = Annotated[
    str, typer.Argument(help="Only names or families with this in them; * and ? work.")
]
Names = Annotated[bool, typer.Option("--names", help="Names only, one a line.")]
Form = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="toml|json|numpy|torch|opencv|imagemagick|vips|ffmpeg|gmic|csv",
        help="As a file, as code or as another tool takes it.",
    ),
]
On = Annotated[
    str | None, typer.Option(metavar="WxH", help="What becomes of a picture, and its cost.")
]
Original = Annotated[str, typer.Argument(metavar="IMAGE", help="A picture, or - for stdin.")]
Sheet = Annotated[
    str, typer.Option("-o", "--output", metavar="FILE", help="The sheet; - writes a PNG to stdout.")
]
Columns = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="Tiles side by side; by default as looks best."),
]
TileSize = Annotated[
    int,
    typer.Option(
        metavar="PX",
        min=16,
        max=4096,
        help="The width of a tile's picture. Larger pictures are reduced to it before they are "
        "filtered, smaller ones enlarged by a whole number after.",
    ),
]
Explained = Annotated[str, typer.Argument(metavar="IMAGE", help="A picture, an array, or -.")]
At = Annotated[
    str | None, typer.Option(metavar="X,Y", help="Which output pixel; for a page, the first.")
]
Html = Annotated[str | None, typer.Option(metavar="FILE|-", help="Write a page to play with.")]
Before = Annotated[str, typer.Argument(metavar="BEFORE", help="A picture or an array.")]
After = Annotated[
    str, typer.Argument(metavar="AFTER", help="The same, filtered; as large, or as valid.")
]
LearnedSize = Annotated[
    str, typer.Option(metavar="N|ROWSxCOLUMNS", help="Of the kernel that is looked for.")
]
LearnedBias = Annotated[bool, typer.Option("--bias", help="Look for a bias too.")]
Method = Annotated[
    str, typer.Option(metavar="lstsq|sgd", help="Least squares, or steps down the gradient.")
]
Rate = Annotated[
    float | None, typer.Option(metavar="X", help="The step of sgd; by default a safe one.")
]
Epochs = Annotated[int, typer.Option(metavar="N", min=1, help="How many steps.")]
Seed = Annotated[int, typer.Option(metavar="N", min=0, help="Of the first weights.")]
LearnedKernel = Annotated[
    str | None, typer.Option("-o", "--output", metavar="FILE.toml", help="Keep the kernel.")
]
Version = Annotated[bool, typer.Option("--version", help="Print the version and exit.")]
