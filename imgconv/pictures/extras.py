"""Packages of the extras: found, or an error that names what to install."""

from __future__ import annotations

import importlib
import logging
import re
from types import ModuleType

from imgconv.errors import ImageError
from imgconv.pictures.faults import broken

# The tags of a TIFF by which its samples are read; what others say can be left out.
SAMPLES = {
    256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 317, 320, 322, 323, 324, 325, 338, 339,
    347, 529, 530, 532, 32997,
}  # fmt: skip


class _Faults(logging.Handler):
    """What tifffile logs as an error and reads on from is a broken image to us."""

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        tag = re.search(r"TiffTag (\d+) ", message)
        if not tag or int(tag[1]) in SAMPLES:
            raise broken(message)


_FAULTS = _Faults(logging.ERROR)


def library(name: str, fault: str, *, cuttable: bool = True, extra: str = "deep") -> ModuleType:
    """Return a package of an extra; `fault` is what is said where it is missing."""
    try:
        found = importlib.import_module(name)
        logging.getLogger(name).addHandler(_FAULTS)  # once, however often it is said
        return found
    except ImportError:
        remedy = " keeps them, --depth 8 cuts them to 8 bits" if cuttable else " reads it"
        if extra != "deep":
            remedy = " does that"
        raise ImageError(f"{fault}; pip install 'imgconv[{extra}]'{remedy}") from None
