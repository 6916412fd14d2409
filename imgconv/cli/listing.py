"""`imgconv list`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgconv.cli.specs import catalogue

if TYPE_CHECKING:
    from imgconv.cli import options


def list_(
    pattern: options.Pattern = "",
    names: options.Names = False,
    as_json: options.JsonArray = False,
    catalog: options.Catalogs = None,
) -> int:
    """List the kernels of the catalogues."""
    from imgconv.teach import listing

    known = catalogue(catalog)
    entries = listing.matching(known.values(), pattern)
    recipes = listing.matching_recipes(known.recipes.values(), pattern)
    families = listing.matching_families(pattern)
    if not entries and not recipes and not families:
        from imgconv.runs.report import say

        say(f"no kernel has {pattern!r} in its name or family; imgconv list shows all")
        return 1
    if as_json:
        print(listing.as_json(entries, recipes, families))
    elif names:
        for name in [*(e.label for e in entries), *(r.name for r in recipes)]:
            print(name)
    else:
        print(listing.table(entries, recipes, families))
    return 0
