"""What can go wrong: each message says what, the value and the remedy, on one line."""

from __future__ import annotations

import errno
import re


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


class StarvedError(ImgconvError):
    """The system gives this process no more memory, threads or open files."""


# What a process can be short of: numbers of errors, words of errors that tell of it in passing (the
# loader of libraries, C++, Python itself), and what is said.
_SHORTAGES = (
    (
        (errno.EMFILE, errno.ENFILE), "Too many open files",
        "too many open files; raise the limit (ulimit -n)",
    ),
    (
        (), "start new thread|pthread_create",
        "no thread can be started; raise the limit (ulimit -u, or ulimit -v for their memory)",
    ),
    (
        (errno.ENOMEM,), "failed to map segment|(?i:(cannot|unable to) allocate|out of memory)"
        "|bad_alloc|additional memory protection|without (exception set|setting an exception)",
        "not enough memory; raise the limit (ulimit -v) or free some",
    ),
)  # fmt: skip


def shortage(error: BaseException | None) -> StarvedError | None:
    """Return what is said where an error, or one that led to it, comes of a shortage."""
    while error:
        if isinstance(error, StarvedError):
            return error
        number = getattr(error, "errno", None)
        # Ours quote what users wrote, and those with a number names of files.
        told = "" if number or isinstance(error, ImgconvError) else str(error)
        for numbers, words, said in _SHORTAGES:
            if number in numbers or re.search(words, told):
                return StarvedError(said)
        if isinstance(error, MemoryError):
            return StarvedError(_SHORTAGES[-1][-1])
        error = error.__cause__ or error.__context__
    return None


def heed_cause(error: BaseException) -> None:
    """Raise what comes of a shortage on, where other errors mean something else.

    So with an interrupt, of which Python before 3.12 makes an error where a class is being made.
    """
    if isinstance(error, MemoryError):
        raise error
    cause: BaseException | None = error
    while cause:
        if isinstance(cause, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        cause = cause.__cause__ or cause.__context__
    if found := shortage(error):
        raise found from None
