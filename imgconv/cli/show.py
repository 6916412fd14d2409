"""`imgconv show`."""

from __future__ import annotations

import functools
import re
import shutil
import sys
from typing import TYPE_CHECKING

from imgconv.cli.specs import catalogue
from imgconv.cli.terminal import has_colours
from imgconv.errors import OptionError, shortened

if TYPE_CHECKING:
    from imgconv.cli import options


def show(
    specs: options.Specs,
    form: options.Form = None,
    on: options.On = None,
    padding: options.Padding = "same",
    stride: options.Stride = "1",
    dilation: options.Dilation = "1",
    catalog: options.Catalogs = None,
) -> int:
    """Show kernels: weights, sum, gain, structure, response range, source; several as a chain."""
    from imgconv.kernels.dialects import WRITERS
    from imgconv.kernels.spec import find
    from imgconv.pictures.stdout import to_terminal
    from imgconv.pipeline.layout import layout
    from imgconv.teach import show, weights

    if form is not None and form not in WRITERS:
        raise OptionError(f"no form {form!r} for --as; choose from {', '.join(WRITERS)}")
    known = catalogue(catalog)
    entries = [find(spec, known) for spec in specs]
    if on is not None:
        match = re.fullmatch(r"([1-9]\d{0,5})x([1-9]\d{0,5})", on)
        if not match:
            raise OptionError(f"--on {shortened(on)!r} is not WIDTHxHEIGHT, as 640x480")
        shape = int(match[2]), int(match[1])
        print(show.on(entries, shape, layout(padding, stride=stride, dilation=dilation)))
    elif form:
        print(("\n" if form == "json" else "\n\n").join(WRITERS[form](e.named) for e in entries))
    else:
        width = shutil.get_terminal_size().columns if to_terminal() else weights.WIDTH
        card = functools.partial(show.card, width=width, colours=has_colours(sys.stdout))
        print("\n\n".join(map(card, entries)))
    if len(entries) > 1 and not form:
        between = "\n" * (on is None)
        print(between + show.chain(entries, layout(stride=stride, dilation=dilation)))
    return 0
