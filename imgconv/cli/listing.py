"""`imgconv list`."""

from typing import Annotated

import typer

from imgconv.cli import options
from imgconv.cli.app import app
from imgconv.cli.specs import catalogue
from imgconv.runs.report import say


@app.command("list")
def list_(
    pattern: Annotated[
        str, typer.Argument(help="Only names or families with this in them; * and ? work.")
    ] = "",
    names: Annotated[bool, typer.Option("--names", help="Names only, one a line.")] = False,
    as_json: options.JsonArray = False,
    catalog: options.Catalogs = None,
) -> None:
    """List the kernels of the catalogues."""
    from imgconv.teach import listing

    known = catalogue(catalog)
    entries = listing.matching(known.values(), pattern)
    recipes = listing.matching_recipes(known.recipes.values(), pattern)
    families = listing.matching_families(pattern)
    if not entries and not recipes and not families:
        say(f"no kernel has {pattern!r} in its name or family; imgconv list shows all")
        raise typer.Exit(1)
    if as_json:
        print(listing.as_json(entries, recipes, families))
    elif names:
        for name in [*(e.kernel.name for e in entries), *(r.name for r in recipes)]:
            print(name)
    else:
        print(listing.table(entries, recipes, families))
