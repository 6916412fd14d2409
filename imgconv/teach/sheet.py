"""One labelled picture of an image and of what many kernels make of it."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont, features

from imgconv.engine.levels import MAXIMUM
from imgconv.engine.pool import Pool
from imgconv.engine.ready import thread_count
from imgconv.errors import ImageError, KernelError, printable
from imgconv.kernels.catalog import CUSTOM
from imgconv.kernels.kernel import Kernel
from imgconv.kernels.recipes import Combined
from imgconv.kernels.spec import Meaning
from imgconv.light import NamedTuple
from imgconv.pictures import pillow
from imgconv.pictures.files import MAX_PIXELS
from imgconv.pictures.pixels import ImagePixels, Pixels
from imgconv.pipeline.filter import filter_pixels
from imgconv.pipeline.work import Work
from imgconv.teach.visible import enlarged, reduced, visible

PAPER, INK, FADED, LINE = (250, 250, 250), "#202020", "#6a6a6a", "#d0d0d0"
WORDS = {"abs": "absolute", "offset": "around gray", "stretch": "stretched"}
TALL = 2  # a tile's picture is at most so many times as high as wide
WIDEST = 1.6  # a sheet is best if it is no higher than wide, and no more than this times as wide
FAR = 10  # times white: at half of that, most edges of a photograph would be black or white
SMALLEST, LARGEST = 14, 24  # letters, in pixels
CAPTION = 12  # a cell is wide enough for a caption of so many letters' heights

Font = ImageFont.ImageFont | ImageFont.FreeTypeFont


class Look(NamedTuple):
    """How a sheet looks; levels that fit each kernel, and columns that fit the page, by default."""

    size: int = 240
    columns: int | None = None
    levels: str | None = None
    max_pixels: int = MAX_PIXELS


class Tile(NamedTuple):
    """A picture, its name and a few words on how it was made."""

    image: Image.Image
    title: str
    note: str


class Grid(NamedTuple):
    """Where tiles lie: columns and rows, the sizes of a picture and of a cell, the room between."""

    columns: int
    rows: int
    picture: tuple[int, int]
    cell: tuple[int, int]
    gap: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the sheet."""
        width, height = (side + self.gap for side in self.cell)
        return self.gap + self.columns * width, self.gap + self.rows * height

    def corner(self, index: int) -> tuple[int, int]:
        """Return the left and top of a cell."""
        row, column = divmod(index, self.columns)
        width, height = (side + self.gap for side in self.cell)
        return self.gap + column * width, self.gap + row * height

    def place(self, index: int, tile: Tile) -> tuple[int, int]:
        """Return the left and top of a tile's picture, which is in the middle above its caption."""
        left, top = self.corner(index)
        return left + (self.cell[0] - tile.image.width) // 2, top


def titled(spec: str, step: Meaning) -> str:
    """Return what a tile is called: a name, or the weights or the formula as they were written."""
    written = step.label == CUSTOM or "(" in spec
    return " ".join(spec.split()) if written else step.label


def fitting_levels(step: Kernel | Combined) -> str:
    """Return the levels that show most of a kernel's work, by what it makes of flat pictures.

    A flat picture is as bright after a blur, a sharpening and most reliefs: they are clipped. It
    vanishes under gradients, which are shown around gray. What goes far beyond white is stretched.
    """
    top = MAXIMUM["uint8"]
    low, high = step.response_range(0, top)
    if isinstance(step, Combined):
        return "clip" if low >= -1 and high <= top + 1 else "stretch"
    black = [k.response_range(0, 0)[0] for k in step.outputs]
    gains = [k.gain for k in step.outputs]
    if max(map(abs, gains)) < min(0.5, (high - low) / top / 10) and not any(black):
        return "offset" if max(-low, high) <= FAR * top else "stretch"
    flat = [*black, *(b + top * gain for b, gain in zip(black, gains, strict=True))]
    return "clip" if min(flat) >= -1 and max(flat) <= top + 1 else "stretch"


def fits(step: Kernel | Combined, picture: Pixels, channels: str) -> bool:
    """Whether a kernel is for the channels of a picture, of which it may add up some."""
    letters = {"gray": "l", "luma": "l", "rgb": "rgb", "auto": picture.names.removesuffix("a")}
    count = len(letters.get(channels, channels.split(",")))
    try:
        for kernel in [step] if isinstance(step, Kernel) else step.kernels:
            kernel.reads(count)
    except KernelError:
        return False
    return True


def make(picture: Pixels, steps: Sequence[tuple[str, Meaning]], work: Work, look: Look) -> Pixels:
    """Return the sheet of a picture and of what each titled step makes of it.

    `work` says how, but for kernels and levels.

    Raises
    ------
    ImageError
        If the picture lacks a channel, or the sheet would be too large.
    """
    pictures = tiles(picture, steps, work, look)
    return ImagePixels(drawn(pictures, grid(pictures, look), look))


def tiles(
    picture: Pixels, steps: Sequence[tuple[str, Meaning]], work: Work, look: Look
) -> list[Tile]:
    """Return the picture, and what each step makes of it.

    The picture is reduced before it is filtered, since a kernel acts on pixels: what is seen is
    what it does to those that are seen. A small one is filtered as it is, and shown enlarged.
    """
    pillow.in_one_block()
    box = look.size, look.size * TALL
    whole = visible(picture, PAPER)
    source: Pixels = ImagePixels(reduced(whole, *box))
    if work.channels == "gray":
        source = source.gray()
    elif work.channels == "rgb":
        source = source.colour()
    original = enlarged(visible(source, PAPER), *box)
    _refuse_too_large(original.size, len(steps) + 1, look.max_pixels)

    def made(one: tuple[str, Meaning]) -> Tile:
        title, (kernel, _) = one
        levels = look.levels or fitting_levels(kernel)
        out, _ = filter_pixels(source, work._replace(kernels=(kernel,), levels=levels, threads=1))
        note = ", ".join(filter(None, (_described(kernel), WORDS.get(levels))))
        return Tile(enlarged(visible(out, PAPER), *box), title, note)

    with Pool(work.threads or thread_count()) as pool:
        found = list(pool.map(made, steps))
    shown, full = "{}x{}".format(*source.size), "{}x{}".format(*whole.size)
    return [Tile(original, "original", shown if shown == full else f"{shown} of {full}"), *found]


def _refuse_too_large(size: tuple[int, int], count: int, limit: int) -> None:
    if size[0] * size[1] * count > limit:
        raise ImageError(
            "a sheet of {} pictures of {}x{} is more than {:g} million pixels; "
            "--size makes it smaller, --max-pixels allows more".format(count, *size, limit / 1e6)
        )


def _described(kernel: Kernel | Combined) -> str:
    """The size of a kernel, or how many are combined."""
    if isinstance(kernel, Combined):
        return f"{kernel.how} of {len(kernel.kernels)}"
    return "x".join(map(str, kernel.shape))


def grid(tiles: Sequence[Tile], look: Look) -> Grid:
    """Return where tiles lie, in so many columns or in pleasing ones."""
    letters = Letters(look.size)
    width = max(tile.image.width for tile in tiles)
    height = max(tile.image.height for tile in tiles)
    captions = max(letters.width(tile) for tile in tiles)
    cell = (
        max(width, min(captions, CAPTION * letters.height)),
        height + letters.lead + letters.line + letters.small_line,
    )
    gap = max(look.size // 10, letters.height)

    def of(count: int) -> Grid:
        return Grid(count, -(-len(tiles) // count), (width, height), cell, gap)

    if look.columns:
        return of(min(look.columns, len(tiles)))
    return min(map(of, range(1, len(tiles) + 1)), key=lambda one: _ugliness(one, len(tiles)))


def _ugliness(one: Grid, count: int) -> float:
    """How far a sheet is from the proportions of a page, and how much of it is empty."""
    width, height = one.size
    share = math.log(width / height)
    empty = 1 - count / (one.columns * one.rows)
    return max(-share, share - math.log(WIDEST), 0) + 4 * empty


def drawn(tiles: Sequence[Tile], where: Grid, look: Look) -> Image.Image:
    """Return the sheet: gray where all tiles are."""
    mode = "RGB" if any(tile.image.mode == "RGB" for tile in tiles) else "L"
    paper = "#{:02x}{:02x}{:02x}".format(*PAPER)
    sheet, letters = Image.new(mode, where.size, paper), Letters(look.size)
    draw = ImageDraw.Draw(sheet)
    for index, tile in enumerate(tiles):
        left, top = where.place(index, tile)
        right, bottom = left + tile.image.width, top + tile.image.height
        draw.rectangle((left - 1, top - 1, right, bottom), outline=LINE)
        sheet.paste(tile.image, (left, top))
        left, _ = where.corner(index)
        y = bottom + letters.lead
        for text, font, ink, line in (
            (tile.title, letters.font, INK, letters.line),
            (tile.note, letters.small, FADED, letters.small_line),
        ):
            caption = fitted(text, font, where.cell[0])
            x = left + round((where.cell[0] - font.getlength(caption)) / 2)
            draw.text((x, y), caption, fill=ink, font=font)
            y += line
    return sheet


class Letters:
    """The fonts of captions for pictures of a size, and the heights of their lines.

    Pillow's own font is Aileron, in the public domain; without FreeType it has one of a fixed size.
    """

    def __init__(self, size: int) -> None:
        self.height = min(max(size // 16, SMALLEST), LARGEST)
        scales = features.check("freetype2")
        small = self.height * 5 // 6
        self.font: Font = ImageFont.load_default(self.height if scales else None)
        self.small: Font = ImageFont.load_default(small if scales else None)
        self.lead = self.height // 2
        self.line, self.small_line = self.height * 5 // 4, small * 5 // 4

    def width(self, tile: Tile) -> int:
        """Return how wide a tile's captions are."""
        both = _plain(tile.title), self.font, _plain(tile.note), self.small
        return math.ceil(max(both[1].getlength(both[0]), both[3].getlength(both[2])))


def _plain(text: str) -> str:
    """The text in letters that the font has."""
    return printable(text).encode("ascii", "replace").decode()


def fitted(text: str, font: Font, width: int) -> str:
    """Return the text, its middle left out where it is wider than so many pixels."""
    text = _plain(text)
    if font.getlength(text) <= width:
        return text

    def short(kept: int) -> str:
        return text[: -(-kept // 2)] + "..." + text[len(text) - kept // 2 :]

    def wide(kept: int) -> int:
        return math.ceil(font.getlength(short(kept)))

    # By halves: the weights of a large kernel are thousands of letters.
    return short(max(bisect.bisect_right(range(len(text)), width, key=wide) - 1, 0))
