"""What can go wrong: each message says what, the value and the remedy, on one line."""

import re
import struct

# What Python itself raises: its words are about a decoder, and not about the file.
_PYTHONS = (
    ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError,
    UnicodeError, struct.error,
)  # fmt: skip
_OTHERS = re.compile(r"decoder error|reshape|truth value|broadcast|literal|operand|raw mode")
_RAISED = re.compile(r"<[\w.]+> raised \w+\((['\"])(.*)\1\)")  # tifffile of its own error
_PLACE = re.compile(r"<tifffile\.Tiff(\w+) ?(\d*) @\d+>")


def shortened(text: str, limit: int = 60) -> str:
    """Return a text as a message quotes it: cut where it is longer than the limit."""
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def printable(text: str) -> str:
    """Return a text in which control characters and broken bytes are spelled out."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def one_line(text: object) -> str:
    """Return what an error or another's words say, on one line."""
    return " ".join(str(text).split())


class ImgconvError(Exception):
    """The base of every error that imgconv raises on purpose."""


class KernelError(ImgconvError):
    """A kernel, or the text that should name one, is not usable."""


class OptionError(ImgconvError):
    """An option has a value that it cannot take."""


class GeometryError(ImgconvError):
    """Image, kernel, padding, stride and dilation do not fit together."""


class ClusterError(ImgconvError):
    """The work cannot go on, since the workers or their scheduler cannot."""


class ImageError(ImgconvError):
    """An image cannot be read, kept or written."""


def broken(error: object) -> ImageError:
    """Return the error for a file that a decoder failed on, with its words if they say anything."""
    said = _RAISED.sub(r"\2", one_line(error))
    said = _PLACE.sub(lambda found: f"{found[1]} {found[2]}".strip().lower() + ":", said)
    if not said or isinstance(error, _PYTHONS) or _OTHERS.search(said):
        said = "it cannot be decoded"
    return ImageError(f"broken image: {shortened(said, 160)}")
