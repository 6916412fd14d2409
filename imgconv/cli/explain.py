"""`imgconv explain`."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from imgconv.cli.specs import adjusted, catalogue
from imgconv.cli.terminal import failed, tell_of_compiling
from imgconv.errors import OptionError, shortened
from imgconv.kernels.kernel import Kernel
from imgconv.kernels.numbers import MAX_SIDE
from imgconv.light import Path
from imgconv.pictures.files import MAX_PIXELS
from imgconv.runs.report import say

if TYPE_CHECKING:
    from imgconv.cli import options
    from imgconv.kernels.catalog import Catalog, Entry
    from imgconv.pictures.picture import Picture, Reading
    from imgconv.pipeline.work import Work

# What the parts of the arithmetic look like on a terminal, in ANSI's codes.
STYLES = {"heading": "1", "border": "33", "pixel": "1;36"}


def explain(
    image: options.Explained,
    kernel: options.Single,
    at: options.At = None,
    html: options.Html = None,
    force: options.Force = False,
    as_json: options.JsonObject = False,
    padding: options.Padding = "same",
    border: options.Border = "edge",
    fill: options.Fill = "0",
    stride: options.Stride = "1",
    dilation: options.Dilation = "1",
    levels: options.Levels = None,
    channels: options.Channels = "auto",
    alpha: options.AlphaKept = "keep",
    scale: options.Scale = None,
    bias: options.Bias = None,
    flip: options.Flip = False,
    catalog: options.Catalogs = None,
    depth: options.Depth = None,
    frame: options.Frame = None,
    max_pixels: options.MaxPixels = MAX_PIXELS,
) -> int:
    """Explain a kernel on a picture: the arithmetic of one output pixel, or a page to play with.

    The pixel is the one that apply writes, of the first frame unless --frame says which.
    """
    from imgconv.pipeline.fill import filling
    from imgconv.pipeline.layout import layout

    place = _place(at)
    _check_what(place, html, as_json, channels, levels)
    if alpha != "keep":
        raise OptionError(f"--alpha {shortened(alpha)} is not explained; choose keep")
    known = catalogue(catalog)
    entry = _only(kernel, known)
    chosen = adjusted(entry.kernel, scale, bias, 1)
    assert isinstance(chosen, Kernel)
    chosen = chosen.flipped() if flip else chosen
    spec = kernel[0] if chosen == entry.kernel else ""  # else it is called by its weights
    entry = entry._replace(kernel=chosen)
    number, paint = filling(fill, border)
    shape = layout(padding, border, number, stride, dilation)

    from imgconv.pictures import files, profiles, stdout
    from imgconv.pictures.formats import listed
    from imgconv.pictures.picture import Reading
    from imgconv.pipeline.work import Work
    from imgconv.teach import page

    if html:
        page.check(entry.kernel)
    tell_of_compiling(lambda text: say(f"note: {text}"))
    work = Work((entry.kernel,), shape, levels or "clip", channels, paint=paint)
    reading = Reading(max_pixels, depth is not None, frame, formats=listed(None))
    target = Path(html) if html and html != files.PIPE else None
    try:
        if target and not force:
            files.refuse_existing(target)
        picture = _read(image, reading)
        picture = profiles.in_srgb(picture, channels)
        if not html:
            assert place
            _print_pixel(picture, work, place, levels, as_json)
            return 0
        built = page.build(picture.frames[0], work, entry, known.values(), image, place, spec)
    except Exception as error:
        return failed(error, image)
    try:
        if target:
            files.write(built, target, force=force)
        else:
            stdout.print_bytes(built)
    except Exception as error:
        return failed(error)
    return 0


def _place(text: str | None) -> tuple[int, int] | None:
    """The column and row of an output pixel."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,9}),(\d{1,9})", text.replace(" ", ""))
    if not match:
        raise OptionError(f"--at {shortened(text)!r} is not X,Y, as 10,20: whole numbers from 0")
    return int(match[1]), int(match[2])


def _check_what(
    place: tuple[int, int] | None,
    html: str | None,
    as_json: bool,
    channels: str,
    levels: str | None,
) -> None:
    """Refuse what cannot be done together."""
    if not place and not html:
        raise OptionError("nothing to explain: give --at X,Y for a pixel or --html FILE for a page")
    if as_json and html:
        raise OptionError("--json is the arithmetic of a pixel, not for a page; leave out --html")
    if html and levels == "none":
        raise OptionError("--levels none makes no pixels for a page; choose clip, abs or others")
    if html and channels not in ("auto", "gray", "rgb"):
        raise OptionError(
            f"--channels {shortened(channels)} is not for a page; choose from auto, gray, rgb"
        )


def _only(specs: list[str], known: Catalog) -> Entry:
    """The one kernel that is explained."""
    from imgconv.kernels.catalog import NAME
    from imgconv.kernels.spec import find

    if len(specs) > 1:
        raise OptionError(f"explain is for one kernel, not for {len(specs)}; give one -k")
    name = specs[0].strip()
    if NAME.fullmatch(name) and name not in known and name in known.recipes:
        parts = ", ".join(known.recipes[name].kernels)
        raise OptionError(f"{name} is a recipe of several kernels; explain one of them: {parts}")
    entry = find(specs[0], known)
    if max(entry.kernel.size) > MAX_SIDE:
        size = "x".join(map(str, entry.kernel.size))
        raise OptionError(
            f"kernel {entry.label} of {size} is too large to be written out; "
            f"explain takes at most {MAX_SIDE} a side"
        )
    return entry


def _read(source: str, reading: Reading) -> Picture:
    """The picture, of which the first frame is explained."""
    from imgconv.pictures import decode, files

    picture = decode.read(files.read(source), reading)
    if len(picture.frames) > 1:
        say(f"note: {source}: has {len(picture.frames)} frames; this is 0, --frame chooses")
    return picture


def _print_pixel(
    picture: Picture, work: Work, at: tuple[int, int], levels: str | None, as_json: bool
) -> None:
    import shutil

    from imgconv.pictures.formats import ARRAYS
    from imgconv.pictures.stdout import to_terminal
    from imgconv.teach import arithmetic, explain

    if levels is None and picture.format in ARRAYS:  # as apply to another array
        work = work._replace(levels="none")
    frame = picture.frames[0]
    found = arithmetic.explain(frame, work, at)
    if as_json:
        print(explain.as_json(found))
        return
    terminal = to_terminal()
    colour = terminal and not os.environ.get("NO_COLOR")
    wide = shutil.get_terminal_size().columns if terminal else 80
    print(explain.as_text(found, wide, _painted if colour else _plain))


def _painted(text: str, what: str) -> str:
    return f"\x1b[{STYLES[what]}m{text}\x1b[0m"


def _plain(text: str, _: str) -> str:
    return text
