"""What a format keeps of pixels: frames as they can be written, or why they cannot."""

from __future__ import annotations

from collections.abc import Sequence

from imgconv.engine.levels import MAXIMUM
from imgconv.errors import ImageError
from imgconv.pictures.formats import BY_NAME, PIECES, SEVERAL, keeping
from imgconv.pictures.lazy import each
from imgconv.pictures.pixels import NAMELESS, ImagePixels, Pixels

SIDES = {"JPEG": 65_500, "GIF": 65_535, "WEBP": 16_383}  # what Pillow's writers can do

Size = tuple[int, int]


def fitting(frames: Sequence[Pixels], name: str, sizes: Sequence[Size] = ()) -> Sequence[Pixels]:
    """Return frames as a format keeps them; `sizes` are theirs, where one pixel stands for each.

    Raises
    ------
    ImageError
        If it cannot keep what can be seen; of each frame when it is asked for.
    """
    if name == PIECES:
        raise ImageError("is written to .zarr piece by piece; its source must be TIFF or .zarr")
    count = len(frames)
    if count > 1 and name not in SEVERAL:
        kept(named(frames[0], name), name)  # which may have another reason
        able = ", ".join(SEVERAL)
        raise ImageError(
            f"has {count} frames, of which {name} keeps one; "
            f"choose one with --frame, or {able} with -o"
        )
    first = sizes[0] if sizes else frames[0].size

    def fit(i: int) -> Pixels:
        frame = kept(named(frames[i], name), name)
        size = sizes[i] if sizes else frame.size
        if not i:
            _refuse_long(size, name)
        if count > 1 and name != "TIFF":
            _refuse_frame(frame, size, first, count, name)
        return frame

    return each(range(count), fit)


def _refuse_long(size: Size, name: str) -> None:
    """Raise an error for sides that a format has no numbers for."""
    width, height = size
    most = SIDES.get(name)
    if most and max(width, height) > most:
        raise ImageError(
            f"is {width}x{height}, and {name} keeps sides up to {most}; choose PNG or TIFF with -o"
        )


def _refuse_frame(frame: Pixels, size: Size, first: Size, count: int, name: str) -> None:
    """Raise an error for one of several frames that a format would mix up."""
    if size != first:
        raise ImageError(
            f"has {count} pages of different sizes, which {name} cannot keep; "
            "choose one with --frame, or TIFF with -o"
        )
    if frame.kind != "uint8":
        raise ImageError(
            f"has {count} frames of 16 bits, which {name} cannot keep; --depth 8 cuts them, "
            "--frame chooses one, TIFF keeps all"
        )


def named(frame: Pixels, name: str) -> Pixels:
    """The frame with names for the channels of an array, as an image needs them.

    A TIFF keeps any number of real channels, which have no names there either.
    """
    if not frame.names.startswith(NAMELESS):
        return frame
    bare = frame.names.removesuffix("a")
    if names := {1: "l", 3: "rgb"}.get(len(bare)):
        from imgconv.pictures.pixels import of_array

        return of_array(frame.array(), frame.names.replace(bare, names))
    if name == "TIFF" and frame.kind == "float32":
        return frame
    raise ImageError(
        f"has {len(bare)} channels, and {name} keeps 1 or 3; choose .npy with -o, "
        "or .tif with --levels none"
    )


def kept(frame: Pixels, name: str) -> Pixels:
    """Return the frame as a format can keep it whole, or an error that names what it would lose."""
    channels = BY_NAME[name].keeps.get(frame.kind, ())
    if frame.names.startswith(NAMELESS) or (NAMELESS in frame.names and name == "TIFF"):
        return frame
    if NAMELESS in frame.names:
        raise ImageError(
            f"{name} cannot keep a channel that is neither colour nor alpha; "
            "choose TIFF, .npy or .zarr with -o"
        )
    if frame.names in channels and (name != "GIF" or _is_binary(frame)):
        return frame.colour() if name == "PPM" else frame
    bare = frame.names.removesuffix("a")
    if bare in channels and name != "GIF" and _is_opaque(frame):
        return kept(_without_alpha(frame), name)
    if not channels:
        what = "16 bits" if frame.kind == "uint16" else "real samples"
        remedy = "--depth 8 cuts them to 8 bits"
        if frame.kind == "float32":
            remedy = "--levels stretch makes pixels of them"
        if frame.kind == "uint8":  # of PFM, which keeps nothing else
            what, remedy = "samples of 8 bits", "--levels none --channels gray makes them real"
    elif frame.names == "cmyk":
        what, remedy = "CMYK", "--channels rgb converts it"
    elif frame.names.endswith("a"):
        part = "partial transparency" if name == "GIF" else "transparency"
        what, remedy = part, "--background COLOUR fills it"
    else:
        what = "colour" if frame.kind == "uint8" else "colour of 16 bits"
        remedy = "--channels gray leaves it out"
    able = ", ".join(n for n in keeping(frame.names, frame.kind) if n not in (name, "GIF"))
    raise ImageError(f"{name} cannot keep {what}; {remedy}, or choose {able} with -o")


def depends_on_alpha(frame: Pixels, name: str) -> bool:
    """Whether it is for the alpha itself to tell if a format keeps a frame."""
    able = name != "GIF" and frame.names in BY_NAME[name].keeps.get(frame.kind, ())
    return frame.names.endswith("a") and not able


def _alpha(frame: Pixels) -> Pixels:
    return frame.channel(len(frame.names) - 1)


def _is_opaque(frame: Pixels) -> bool:
    if not frame.names.endswith("a"):
        return False
    alpha, top = _alpha(frame), MAXIMUM[frame.kind]
    if isinstance(alpha, ImagePixels):
        low, _ = alpha.image.getextrema()
        return bool(low == top)
    return bool((alpha.array() == top).all())


def _without_alpha(frame: Pixels) -> Pixels:
    if isinstance(frame, ImagePixels):
        return ImagePixels(frame.image.convert(frame.image.mode.removesuffix("A")))
    from imgconv.pictures.pixels import of_array

    return of_array(frame.array()[:, :, :-1], frame.names[:-1])


def _is_binary(frame: Pixels) -> bool:
    """Whether every pixel is seen or is not."""
    if not frame.names.endswith("a"):
        return True
    alpha = _alpha(frame)
    assert isinstance(alpha, ImagePixels)
    return not any(alpha.image.histogram()[1:-1])
