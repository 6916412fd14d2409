"""`imgconv list` and `imgconv show`."""

import functools
import re
import shutil
import sys
from typing import Annotated

import typer

from imgconv.cli.common import Catalogs, app, catalogue, complete_kernel, has_colours
from imgconv.errors import OptionError, shortened
from imgconv.runs.report import Report, say


@app.command("list")
def list_(
    pattern: Annotated[
        str, typer.Argument(help="Only names or families with this in them; * and ? work.")
    ] = "",
    names: Annotated[bool, typer.Option("--names", help="Names only, one a line.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON array.")] = False,
    catalog: Catalogs = None,
) -> None:
    """List the kernels of the catalogues."""
    from imgconv.teach import show

    known = catalogue(catalog, Report(quiet=False))
    entries = show.matching(known.values(), pattern)
    recipes = show.matching_recipes(known.recipes.values(), pattern)
    families = show.matching_families(pattern)
    if not entries and not recipes and not families:
        say(f"no kernel has {pattern!r} in its name or family; imgconv list shows all")
        raise typer.Exit(1)
    if as_json:
        print(show.json_list(entries, recipes, families))
    elif names:
        for name in [*(e.kernel.name for e in entries), *(r.name for r in recipes)]:
            print(name)
    else:
        print(show.table(entries, recipes, families))


@app.command("show")
def show_(
    specs: Annotated[
        list[str],
        typer.Argument(
            metavar="SPEC...", autocompletion=complete_kernel, help="Kernels, as for apply."
        ),
    ],
    form: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="toml|json|numpy|torch|opencv|imagemagick|vips|ffmpeg|gmic|csv",
            help="As a file, as code or as another tool takes it.",
        ),
    ] = None,
    on: Annotated[
        str | None, typer.Option(metavar="WxH", help="What becomes of a picture, and its cost.")
    ] = None,
    padding: Annotated[
        str, typer.Option(metavar="same|valid|N|Y,X|T,R,B,L", help="As for apply, under --on.")
    ] = "same",
    stride: Annotated[str, typer.Option(metavar="N|Y,X", help="As for apply.")] = "1",
    dilation: Annotated[str, typer.Option(metavar="N|Y,X", help="As for apply.")] = "1",
    catalog: Catalogs = None,
) -> None:
    """Show kernels: weights, sum, gain, structure, response range, source; several as a chain."""
    from imgconv.engine.geometry import layout
    from imgconv.kernels.spec import find
    from imgconv.teach import grid, show

    if form is not None and form not in show.FORMS:
        raise OptionError(f"no form {form!r} for --as; choose from {', '.join(show.FORMS)}")
    known = catalogue(catalog, Report(quiet=False))
    width = shutil.get_terminal_size().columns if sys.stdout and sys.stdout.isatty() else grid.WIDTH
    card = functools.partial(show.card, width=width, colours=has_colours(sys.stdout))
    render = show.FORMS[form] if form else card
    entries = [find(spec, known) for spec in specs]
    if on is not None:
        match = re.fullmatch(r"([1-9]\d{0,5})x([1-9]\d{0,5})", on)
        if not match:
            raise OptionError(f"--on {shortened(on)!r} is not WIDTHxHEIGHT, as 640x480")
        shape = int(match[2]), int(match[1])
        print(show.on(entries, shape, layout(padding, stride=stride, dilation=dilation)))
    else:
        print(("\n" if form == "json" else "\n\n").join(map(render, entries)))
    if len(entries) > 1 and not form:
        between = "\n" * (on is None)
        print(between + show.chain(entries, layout(stride=stride, dilation=dilation)))
