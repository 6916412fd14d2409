"""What decoders raise, in our words: what is wrong with a file, and what helps."""

from __future__ import annotations

import contextlib
import re
import struct
from collections.abc import Iterator

from imgconv.errors import ImageError, heed_cause, one_line, shortened
from imgconv.pictures.formats import of_head, pillows

START = 4096  # bytes by which a kind of file is known
SOUND = "get a sound copy"
EMPTY = "the file is empty; name another"
WHOLE = "get the whole file"
CUT_OFF = f"broken image: it is cut off; {WHOLE}"
TAGS = f"broken image: its tags are damaged or cut off; {SOUND}"
UNTOLD = "its data are damaged"
# What Python itself raises: its words are about a decoder, and not about the file.
_PYTHONS = (
    ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError,
    UnicodeError, struct.error,
)  # fmt: skip
# Patterns, which are compiled when a file is broken and not at every start.
_RAISED = r"<[\w.]+> raised \w+\((['\"])(.*)\1\)"  # tifffile of its own error
_PLACE = r"<tifffile\.Tiff(\w+) ?(\d*) @\d+>"
# Decoders' words for a file that ends too early, for broken tags, and those that say nothing.
_ENDS = (
    r"(?i)truncated|end of (file|data|stream)|unexpected eof|not enough (image )?data|Read error on"
    r"|buffer is (too small|smaller)|incomplete|zero length|\bEOF\b"
)
_STRUCTURE = r"IFD|Missing dimensions|not a TIFF"
_EMPTY = (
    r"decoder error|reshape|truth value|broadcast|literal|operand|raw mode"
    r"|^(broken data stream|could not create decoder|failed to (decode|read) next|cannot identify"
    r"|\w+ returned)"
)
# How files begin that people take for pictures, or that are pictures of kinds not read.
_KINDS = (
    (rb".{4}ftyp(heic|heix|hevc|heim|heis|hevm|hevs|mif1|msf1)", "HEIC"),
    (rb".{4}ftypavi[fs]", "AVIF"),
    (rb".{4}ftyp", "a video"),
    (rb"\xff\x0a|\0\0\0\x0cJXL ", "JPEG XL"),
    (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", "JPEG 2000"),
    (rb"v/1\x01", "OpenEXR"),
    (rb"8BP[SB]", "a Photoshop file"),
    (rb"qoif", "QOI"),
    (rb"\x00\x00\x01\x00[\x01-\x20]\x00", "an icon"),
    (rb"%PDF", "PDF"),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "PostScript"),
    (rb"PK\x03\x04", "a ZIP archive"),
    (rb"\x1f\x8b|BZh|\xfd7zXZ|\x28\xb5\x2f\xfd", "compressed"),
    (rb"\x89HDF", "HDF5"),
    (rb"SIMPLE  =", "FITS"),
    (rb"version https://git-lfs", "a pointer of Git LFS"),
    (rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)?(<!DOCTYPE svg[^>]*>\s*)?<svg", "SVG"),
    (rb"[ -~]*[,;\t][ -~]*\r?\n[-+.\d]", "a table under a heading"),
    (rb"(?i)\s*<(!doctype html|html|head|body)", "a web page"),
)
_REMEDIES = {
    "a ZIP archive": "unpack it first",
    "compressed": "unpack it first",
    "a table under a heading": "take its first line away",
    "a pointer of Git LFS": "git lfs pull gets the file itself",
    "a web page": "look at what was downloaded",
}
_NO_IMAGE = "not an image of a kind that is read"


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Tell what decoders raise, a dozen kinds, as a broken image; of a disk, as not to be read."""
    try:
        yield
    except ImageError:
        raise
    except Exception as error:
        heed_cause(error)
        if isinstance(error, OSError) and error.errno:
            raise ImageError(f"cannot be read: {error.strerror or error}") from None
        raise broken(error) from None


def broken(error: object = "") -> ImageError:
    """Return the error for a file that a decoder failed on, with its words if they say anything."""
    said = re.sub(_RAISED, r"\2", one_line(error))
    said = re.sub(_PLACE, lambda found: f"{found[1]} {found[2]}".strip().lower() + ":", said)
    if not said or isinstance(error, _PYTHONS) or re.search(_EMPTY, said):
        said = UNTOLD
    elif re.search(_ENDS, said):
        return ImageError(CUT_OFF)
    elif re.search(_STRUCTURE, said):
        return ImageError(TAGS)
    return ImageError(f"broken image: {shortened(said, 160)}; {SOUND}")


def of_unknown(start: bytes, formats: tuple[str, ...] = ()) -> ImageError:
    """Return the error for a file that begins so and is opened by nobody, of the formats if any."""
    if of_head(start):
        return ImageError("broken image: its head is cut off or damaged; get a sound copy")
    for pattern, kind in _KINDS:
        if re.match(pattern, start, re.DOTALL):
            remedy = _REMEDIES.get(kind, "convert it to PNG or TIFF first")
            return ImageError(f"{_NO_IMAGE}, but {kind}; {remedy}")
    return ImageError(f"{_NO_IMAGE} ({', '.join(pillows(formats))}); convert it to one first")
