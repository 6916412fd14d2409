"""Kernels as other tools write them: a file a tool, with what reads it and what writes it."""

from __future__ import annotations

import re
from collections.abc import Callable

from imgconv.errors import KernelError, one_line, shortened
from imgconv.kernels.catalog import contents
from imgconv.kernels.dialects import (
    csv,
    ffmpeg,
    gmic,
    imagemagick,
    numpy,
    opencv,
    toml_json,
    torch,
    vips,
)
from imgconv.kernels.dialects.shared import of_one_channel
from imgconv.kernels.kernel import Kernel
from imgconv.kernels.notation import from_json
from imgconv.light import Path

MAX_BYTES = 10_000_000
# What reads a text that was pasted, in the order in which they are asked.
PASTED = (ffmpeg.of_text, imagemagick.of_text, gmic.of_text)
# What reads a file, by its ending.
TEXTS = {".mat": vips.read, ".csv": csv.read, ".json": from_json}
FILES = (*TEXTS, ".npy")
# What writes a kernel, by the word for it.
WRITERS: dict[str, Callable[[Kernel], str]] = {
    "toml": toml_json.toml,
    "json": toml_json.to_json,
    "numpy": numpy.write,
    "torch": torch.write,
    **{
        name: of_one_channel(name, write)
        for name, write in (
            ("opencv", opencv.write), ("imagemagick", imagemagick.write), ("vips", vips.write),
            ("ffmpeg", ffmpeg.write), ("gmic", gmic.write), ("csv", csv.write),
        )
    },
}  # fmt: skip


def of_text(text: str) -> Kernel | None:
    """Return the kernel of a text as another tool takes it; None for other texts.

    Raises
    ------
    KernelError
        If the text looks like such a tool's and is wrong, or means more than one kernel.
    """
    unquoted = re.sub("['\"]", "", text).strip()
    try:
        return next((found for ask in PASTED if (found := ask(unquoted))), None)
    except KernelError as error:
        raise KernelError(f"kernel {shortened(text)!r}: {error}") from None


def read(path: Path) -> Kernel:
    """Return the kernel of a file: a matrix of vips (.mat), rows of numbers, an array or JSON.

    Raises
    ------
    KernelError
        If the file cannot be read or is no kernel.
    """
    data = contents(path, MAX_BYTES, "a kernel")
    ending = path.suffix.lower()
    try:
        return TEXTS[ending](data.decode("utf-8-sig")) if ending in TEXTS else numpy.read(data)
    except KernelError as error:
        raise KernelError(f"{path}: {error}") from None
    except UnicodeDecodeError:
        raise KernelError(f"{path}: is no text; save it as UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise KernelError(f"{path}: {one_line(error)[:120]}") from None
