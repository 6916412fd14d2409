"""What can go wrong: each message says what, the value and the remedy, on one line."""


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
