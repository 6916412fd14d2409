"""What libtiff has to say of the files that it decodes for Pillow, which else goes to stderr."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import threading
from collections.abc import Iterator

from PIL import Image

# Who speaks of samples: the codecs; others speak of tags, without which a picture is one too.
CODECS = b"Decode", b"JPEGLib"

_Handler = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)
_heard = threading.local()


@contextlib.contextmanager
def listening() -> Iterator[list[bytes]]:
    """Collect the codecs' errors of this thread: some of them go on behind what is damaged."""
    hush()
    found: list[bytes] = []
    _heard.faults = found
    try:
        yield found
    finally:
        del _heard.faults


@functools.cache
def hush() -> object:
    """Have libtiff tell its errors to us, where Pillow's can be reached; kept, as it is called."""

    def heard(module: bytes | None, said: bytes | None, _: object) -> None:
        if module and any(codec in module for codec in CODECS) and hasattr(_heard, "faults"):
            _heard.faults.append(said or b"")

    handler = _Handler(heard)
    with contextlib.suppress(AttributeError, OSError):  # linked in another way
        own: str | None = Image.core.__file__  # type: ignore[attr-defined]
        ctypes.CDLL(own).TIFFSetErrorHandler(handler)
    return handler
