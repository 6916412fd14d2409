"""Image files to pictures and back: what is read, what a format can keep, writes whole or not."""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from pathlib import Path
from typing import IO, Any, NamedTuple

from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from imgconv import samples
from imgconv.errors import ImageError

# Formats by the ending of a name. GIF is read only: it keeps 256 colours at the most.
ENDINGS = {
    ".bmp": "BMP", ".gif": "GIF", ".jpeg": "JPEG", ".jpg": "JPEG", ".pgm": "PPM", ".png": "PNG",
    ".pnm": "PPM", ".ppm": "PPM", ".tif": "TIFF", ".tiff": "TIFF", ".webp": "WEBP",
}  # fmt: skip
# An allow-list: some formats that Pillow reads run other programs.
READ = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
# What each format keeps, as Pillow's modes: gray, gray and alpha, colour, 16-bit gray.
KEEPS = {
    "BMP": ("L", "RGB"),
    "JPEG": ("L", "RGB"),
    "PNG": ("L", "LA", "RGB", "RGBA", "I;16"),
    "PPM": ("L", "RGB"),
    "TIFF": ("L", "LA", "RGB", "RGBA", "I;16"),
    "WEBP": ("L", "LA", "RGB", "RGBA"),
}
QUALITY = 90  # of lossy formats
# How a lossless format is packed. For PNG, zlib's run-length strategy takes a quarter of the
# default's time for files 6 % larger.
COMPRESS: dict[str, dict[str, dict[str, Any]]] = {
    "fast": {"PNG": {"compress_level": 1, "compress_type": 3}, "TIFF": {"compression": "tiff_lzw"}},
    "small": {"PNG": {"compress_level": 9}, "TIFF": {"compression": "tiff_adobe_deflate"}},
    "none": {"PNG": {"compress_level": 0}, "TIFF": {}},
}
TIFF_TEXTS = (269, 270, 271, 272, 285, 305, 306, 315, 316, 33432)
PLAIN = ("L", "LA", "RGB", "RGBA", "I;16")
MAX_PIXELS = 500_000_000
METADATA = {
    "exif": "EXIF", "icc_profile": "colour profile", "xmp": "XMP", "dpi": "resolution",
    "comment": "comment",
}  # fmt: skip


class Picture(NamedTuple):
    """An upright image of a plain mode, the format it came in, and what of the file was left."""

    image: Image.Image
    format: str
    lost: tuple[str, ...] = ()


def read(data: bytes) -> Picture:
    """Decode an image file's bytes.

    Raises
    ------
    ImageError
        If they are no image, a broken one, or one that would lose something by being read.
    """
    Image.MAX_IMAGE_PIXELS = None  # the limit is ours, see below
    samples.in_one_block()
    if not data:
        raise ImageError("the file is empty")
    try:
        with warnings.catch_warnings():  # what Pillow says of broken tags is no line of ours
            warnings.simplefilter("ignore")
            return _decoded(data)
    except ImageError:
        raise
    except UnidentifiedImageError:
        if data[:4] in (b"II*\0", b"MM\0*"):
            fault = "a TIFF of samples that are not read; make them 8 bits a channel, or gray of 16"
        else:
            fault = f"not an image of a kind that is read ({', '.join(READ)})"
        raise ImageError(fault) from None
    except Exception as error:  # decoders raise a dozen kinds on broken files
        fault = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"broken image: {fault}") from None


def _decoded(data: bytes) -> Picture:
    with Image.open(io.BytesIO(data), formats=READ) as image:
        _refuse_what_would_be_lost(image)
        lost = _metadata(image)
        if image.format in ("JPEG", "MPO"):  # other plugins prepare in ways of their own
            samples.prepare(image)
        ImageOps.exif_transpose(image, in_place=True)
        return Picture(_plain(image), _format(image), lost)


def _format(image: Image.Image) -> str:
    return "JPEG" if image.format == "MPO" else image.format or ""


def _refuse_what_would_be_lost(image: Image.Image) -> None:
    """Raise an error for what would be cut in silence; looks at the header only."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ImageError(f"{width}x{height} is more than {MAX_PIXELS // 10**6} million pixels")
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":
        raise ImageError(f"has {frames} frames, of which only one would be kept; extract one first")
    if image.mode in ("I;16", "I;16B"):
        return
    if _bits(image) > 8:
        raise ImageError("has 16 bits a channel, which would be cut to 8; convert it to 8 first")
    if image.mode not in (*PLAIN, "1", "P", "PA", "RGBX"):
        raise ImageError(f"has samples of mode {image.mode}; convert it to gray or RGB first")


def _bits(image: Image.Image) -> int:
    """How many bits a sample has in the file, where Pillow would not tell."""
    if image.format == "TIFF":
        tags = image.tag_v2  # type: ignore[attr-defined]
        if any(kind != 1 for kind in tags.get(339, (1,))):
            raise ImageError("has signed or real samples; convert it to 8-bit or 16-bit first")
        return int(max(tags.get(258, (1,))))
    tiles = image.tile if isinstance(image, ImageFile.ImageFile) else ()
    arguments = tiles[0].args if tiles else ()
    if image.format == "PNG":
        return 16 if ";16" in str(arguments) else 8
    if image.format == "PPM" and isinstance(arguments, tuple) and len(arguments) > 1:
        return 16 if isinstance(arguments[1], int) and arguments[1] > 255 else 8
    return 8


def _metadata(image: Image.Image) -> tuple[str, ...]:
    """Name the metadata that will not be kept."""
    found = [word for key, word in METADATA.items() if image.info.get(key)]
    if image.format == "TIFF":
        tags = image.tag_v2  # type: ignore[attr-defined]
        if 282 not in tags and "resolution" in found:
            found.remove("resolution")  # Pillow's default
        if 34665 in tags and "EXIF" not in found:
            found.append("EXIF")
        if any(tag in tags for tag in TIFF_TEXTS):
            found.append("text")
    elif "exif" not in image.info and image.getexif():
        found.append("EXIF")
    if image.format == "BMP" and "resolution" in found:
        found.remove("resolution")  # every BMP has one, nobody means it
    if getattr(image, "text", None):
        found.append("text")
    if image.format == "MPO":
        found.append("further pictures")
    return tuple(found)


def _plain(image: Image.Image) -> Image.Image:
    """The image in one of the plain modes: palettes expanded, transparency as alpha."""
    if image.mode == "I;16B":
        return image.convert("I").convert("I;16")  # straight to I;16 would clip at 255
    if image.has_transparency_data and image.mode not in ("LA", "RGBA"):
        if image.mode == "I;16":
            raise ImageError("has 16 bits and a transparent value; remove one of them first")
        return image.convert("LA" if image.mode in ("1", "L") else "RGBA")
    target = {"1": "L", "P": "RGB", "PA": "RGBA", "RGBX": "RGB"}.get(image.mode, image.mode)
    # convert() to the same mode copies, load() does not
    image.load()
    return image if target == image.mode else image.convert(target)


def format_of(path: Path) -> str:
    """Return the format that a name's ending asks for.

    Raises
    ------
    ImageError
        If there is none that can be written.
    """
    name = ENDINGS.get(path.suffix.lower(), "")
    if name not in KEEPS:
        endings = ", ".join(e for e, f in ENDINGS.items() if f in KEEPS)
        raise ImageError(
            f"{path}: cannot write {path.suffix or 'a file without ending'!r}; use {endings}"
        )
    return name


def encode(
    image: Image.Image, name: str, *, quality: int = QUALITY, compress: str = "fast"
) -> bytes:
    """Return the bytes of an image file.

    `quality` from 1 to 100 is that of JPEG and WebP; `compress` is a key of COMPRESS.

    Raises
    ------
    ImageError
        If the format cannot keep what the image has.
    """
    if name not in KEEPS:
        raise ImageError(f"{name} is read only; choose {', '.join(KEEPS)} with -o")
    if image.mode not in KEEPS[name]:
        what = "16 bits" if image.mode == "I;16" else "transparency"
        able = ", ".join(f for f, modes in KEEPS.items() if image.mode in modes)
        raise ImageError(f"{name} cannot keep {what}; choose {able} with -o")
    lossy = {"quality": quality} if name in ("JPEG", "WEBP") else {}
    try:
        with _memory(name) as out:
            image.save(out, name, **lossy, **COMPRESS[compress].get(name, {}))
            out.seek(0)
            return out.read()
    except Exception as error:  # a side over a format's limit, no memory, ...
        raise ImageError(f"cannot be written as {name}: {error}") from None


def _memory(name: str) -> IO[bytes]:
    """A file in memory: with a descriptor Pillow encodes a JPEG without Python's lock."""
    if name == "JPEG":
        with contextlib.suppress(AttributeError, OSError):  # another system, or one that refuses
            return os.fdopen(os.memfd_create("imgconv"), "w+b")
    return io.BytesIO()


def refuse_existing(path: Path) -> None:
    """Raise an error for a file that is already there, or a link in its place."""
    if os.path.lexists(path):
        raise ImageError(f"{path} exists; --force overwrites it")


def write(data: bytes, path: Path, *, force: bool) -> None:
    """Write a file whole or not at all: under another name first, then renamed; make its folder.

    Raises
    ------
    ImageError
        If the file exists and `force` is not given, or cannot be written.
    """
    if not force:
        refuse_existing(path)
    target = Path(os.path.realpath(path))  # a link is written through, not replaced
    temporary = target.with_name(f".imgconv-{os.urandom(6).hex()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            _write_through(file, data)
        if target.exists():
            temporary.chmod(target.stat().st_mode & 0o7777)
        temporary.replace(target)
    except OSError as error:
        raise ImageError(f"{path} cannot be written: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _write_through(file: IO[bytes], data: bytes) -> None:
    file.write(data)
    file.flush()
    os.fsync(file.fileno())
