"""`imgconv sheet`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgconv.cli.specs import catalogue
from imgconv.cli.terminal import failed, tell_of_compiling
from imgconv.errors import ImgconvError, OptionError
from imgconv.light import Path
from imgconv.pictures.files import MAX_PIXELS
from imgconv.runs.report import say

if TYPE_CHECKING:
    from imgconv.cli import options


def sheet(
    image: options.Original,
    output: options.Sheet,
    kernel: options.SheetKernels = None,
    columns: options.Columns = None,
    size: options.TileSize = 240,
    levels: options.LevelsOfTiles = None,
    channels: options.Channels = "auto",
    border: options.Border = "edge",
    frame: options.Frame = 0,
    force: options.Force = False,
    max_pixels: options.MaxPixels = MAX_PIXELS,
    catalog: options.Catalogs = None,
) -> int:
    """Draw a picture and what many kernels make of it on one labelled sheet.

    The original comes first. Transparent pictures lie on the sheet; deeper ones are cut to 8 bits.
    --max-pixels also limits the sheet.
    """
    from imgconv.kernels.spec import find_step

    known = catalogue(catalog)
    specs = kernel or list(dict.fromkeys([*known, *known.recipes]))
    steps = [find_step(spec, known) for spec in specs]

    from imgconv.engine.levels import LEVELS, NONE
    from imgconv.engine.ready import thread_count
    from imgconv.pictures import decode, encode, files, profiles, stdout
    from imgconv.pictures.formats import listed
    from imgconv.pictures.metadata import Metadata
    from imgconv.pictures.picture import Picture, Reading
    from imgconv.pipeline.layout import layout
    from imgconv.pipeline.work import Work
    from imgconv.teach import sheet

    if levels == NONE:
        raise OptionError("--levels none makes no pixels; choose from " + ", ".join(LEVELS))
    work = Work((), layout(border=border), levels or LEVELS[0], channels, threads=thread_count())
    look = sheet.Look(size, columns, levels, max_pixels)
    titled = [(sheet.titled(spec, step), step) for spec, step in zip(specs, steps, strict=True)]
    name = _format(output)
    reading = Reading(max_pixels, True, frame, formats=listed(None))
    tell_of_compiling(lambda text: say(f"note: {text}"))
    try:
        if output != files.PIPE and not force:  # before the work; `write` asks once more
            files.refuse_existing(Path(output))
        picture = decode.read(files.read(image), reading)
        picture = profiles.in_srgb(picture, channels)
        (first, *_) = picture.frames
        if not kernel:  # what is not for such pictures is left out of the catalogue alone
            titled = [one for one in titled if sheet.fits(one[1].work, first, channels)]
        drawn = sheet.make(first, titled, work, look)
        profile = Metadata(icc=picture.metadata[0].icc)
        data, lost = encode.encode(Picture((drawn,), name, (profile,)), name)
        if output == files.PIPE:
            stdout.print_bytes(data)
        else:
            files.write(data, Path(output), force=force)
    except Exception as error:
        return failed(error, "stdin" if image == files.PIPE else image)
    if lost:
        say(f"note: {', '.join(lost)} not kept")
    return 0


def _format(output: str) -> str:
    """The format of the sheet, by the ending of its name."""
    from imgconv.pictures.formats import ARRAYS, format_of
    from imgconv.pictures.stdout import to_terminal

    if output == "-":
        if to_terminal():
            raise OptionError("a sheet is not for a terminal; name a file with -o, or pipe it")
        return "PNG"
    try:
        found = format_of(Path(output))
    except ImgconvError as error:
        raise OptionError(str(error)) from None
    if found in ARRAYS:
        raise OptionError(f"{output}: a sheet is an image, not an array; use .png")
    return found
