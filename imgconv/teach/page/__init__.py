"""One self-contained page on which a kernel runs over a picture, to be played with."""

from __future__ import annotations

import html
import json
from base64 import b64encode
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from imgconv.engine import samples
from imgconv.engine.step import Step
from imgconv.errors import ImageError, KernelError
from imgconv.kernels.catalog import Entry
from imgconv.kernels.kernel import Kernel
from imgconv.light import NamedTuple
from imgconv.pictures.picture import cut
from imgconv.pictures.pixels import NAMELESS, Pixels, coloured
from imgconv.teach.arithmetic import no_such_pixel

if TYPE_CHECKING:
    import numpy.typing as npt

    from imgconv.pipeline.work import Work

SIDE = 160  # of the working copy: its pixels are large enough to be seen one by one
MAX_KERNEL = 31  # beyond this its numbers would not be legible
YOURS = "yours"


class Copy(NamedTuple):
    """The picture as the page has it, of shape (H, W, 1 or 3) in 8 bits, and what was changed."""

    samples: npt.NDArray[np.uint8]
    notes: tuple[str, ...]


def check(kernel: Kernel) -> None:
    """Refuse a kernel that a page cannot show.

    Raises
    ------
    KernelError
        If it is too large, or adds up channels.
    """
    if len(kernel.shape) > 2:
        raise KernelError(
            "a page shows kernels for each channel by itself; --at explains one over channels"
        )
    if max(kernel.size) > MAX_KERNEL:
        rows, columns = kernel.size
        raise KernelError(
            f"kernel of {rows}x{columns} is too large for a page, which shows {MAX_KERNEL} a side; "
            "--at explains one pixel"
        )


def build(
    frame: Pixels,
    work: Work,
    entry: Entry,
    catalogue: Iterable[Entry],
    source: str,
    at: tuple[int, int] | None = None,
    spec: str = "",
) -> bytes:
    """Return the page for a picture, with one kernel chosen among those of the catalogue.

    `spec` is what the command line calls the kernel, if it can.

    Raises
    ------
    ImageError, GeometryError
        If the picture cannot be shown, or has no output pixel, or not the one that is asked for.
    """
    copy = working_copy(frame, work.channels)
    name = "stdin" if source == "-" else Path(source).name
    kernels, chosen = _kernels(entry, catalogue, spec)
    data = {
        "file": name,
        "notes": copy.notes,
        "width": copy.samples.shape[1],
        "height": copy.samples.shape[0],
        "channels": "rgb" if copy.samples.shape[2] == 3 else "l",
        "samples": b64encode(copy.samples.tobytes()).decode(),
        "kernels": kernels,
        "chosen": chosen,
        "at": _start(frame, copy, work, entry.kernel, at),
        "padding": _padding(work),
        "border": work.layout.border,
        "fill": _fill(work, "rgb" if copy.samples.shape[2] == 3 else "l"),
        "stride": work.layout.stride,
        "dilation": work.layout.dilation,
        "levels": work.levels,
        "gray": work.channels == "gray" and not frame.names.startswith("l"),
        "largest": MAX_KERNEL,
    }
    folder = files(__package__)
    parts = {part: (folder / part).read_text("utf-8") for part in
             ("page.html", "page.css", "core.js", "page.js")}  # fmt: skip
    return (
        Template(parts["page.html"])
        .substitute(
            title=html.escape(f"{entry.label} on {name}: imgconv explains"),
            style=parts["page.css"],
            core=parts["core.js"],
            page=parts["page.js"],
            data=json.dumps(data).replace("<", "\\u003c"),  # no name may end the script
        )
        .encode()
    )


def _fill(work: Work, names: str) -> float:
    """The number that the border is filled with, in 8 bits as the page's picture."""
    fill = work.laid(names, "uint8").fill
    if isinstance(fill, tuple):
        raise ImageError("has a border of a colour, which a page does not show; --fill a number")
    return fill


def working_copy(frame: Pixels, channels: str = "auto") -> Copy:
    """Return a picture small enough for its pixels to be seen, in the channels of a page.

    Raises
    ------
    ImageError
        If it has other channels than gray or colours.
    """
    notes = []
    picture = {"gray": frame.gray, "rgb": frame.colour}.get(channels, lambda: frame)()
    if picture.names.startswith("cmyk"):
        picture = picture.colour()
        notes.append("its inks made red, green and blue")
    array = picture.array()
    if picture.names.endswith("a"):
        array = array[:, :, :-1]
        notes.append("without its alpha")
    elif NAMELESS in picture.names.lstrip(NAMELESS):
        array = array[:, :, : len(coloured(picture.names))]
        notes.append("without what is beside its colours")
    if array.shape[2] not in (1, 3):
        raise ImageError(f"has {array.shape[2]} channels; a page shows 1 or 3")
    if picture.kind != "uint8":
        if not _are_levels(array, picture.names):
            notes.append("cut to 8 bits")
            array = cut(array)
        array = array.astype(np.uint8)
    height, width = array.shape[:2]
    if max(height, width) > SIDE:
        notes.insert(0, f"a working copy, scaled down from {width}x{height}")
        array = _scaled(array, SIDE / max(height, width))
    return Copy(np.ascontiguousarray(array), tuple(notes))


def _are_levels(array: npt.NDArray[Any], names: str) -> bool:
    """Whether the numbers of an array are whole, and stand for themselves on a page."""
    return names.startswith(NAMELESS) and bool(np.isin(array, np.arange(256)).all())


def _scaled(array: npt.NDArray[Any], factor: float) -> npt.NDArray[np.uint8]:
    size = tuple(max(1, round(side * factor)) for side in array.shape[1::-1])
    image = Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)
    small = np.asarray(image.resize((size[0], size[1]), Image.Resampling.LANCZOS))
    return small if small.ndim == 3 else small[:, :, None]


def _kernels(
    entry: Entry, catalogue: Iterable[Entry], spec: str
) -> tuple[list[dict[str, Any]], int]:
    """The kernels to choose from, and which one is chosen, at the top where it is no other."""
    known = [e for e in catalogue if _fits(e.kernel)]
    rows = [_fields(e, f"{e.path}:{e.label}" if e.path else e.label) for e in known]
    for i, other in enumerate(known):
        if other.kernel == entry.kernel:
            return rows, i
    return [_fields(entry._replace(family=YOURS), spec), *rows], 0


def _fits(kernel: Kernel) -> bool:
    return max(kernel.size) <= MAX_KERNEL and len(kernel.shape) == 2


def _fields(entry: Entry, spec: str) -> dict[str, Any]:
    kernel = entry.kernel
    return {
        "name": entry.label,
        "spec": spec,
        "family": entry.family,
        "summary": kernel.summary,
        "weights": kernel.weights,
        "divisor": kernel.divisor,
        "bias": kernel.bias,
    }


def _padding(work: Work) -> str:
    """Padding as the command line has it."""
    amounts = work.layout.padding
    if amounts is None:
        return "same"
    top, right, bottom, left = amounts
    if (top, right) != (bottom, left):
        return ",".join(map(str, amounts))
    return f"{top},{right}" if top != right else str(top) if top else "valid"


def _start(
    frame: Pixels, copy: Copy, work: Work, kernel: Kernel, at: tuple[int, int] | None
) -> tuple[int, int]:
    """Where the window begins: at the same place of the copy's output, else in its middle."""
    rows, columns, _ = Step(kernel, work.layout).shape(samples.of_array(copy.samples))
    if at is None:
        return columns // 2, rows // 2
    height, width = work.layout.on(frame.size[::-1], kernel.size).shape
    if at[0] >= width or at[1] >= height:
        raise no_such_pixel(at, (width, height))
    return at[0] * columns // width, at[1] * rows // height
