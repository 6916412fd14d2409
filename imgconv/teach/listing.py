"""The catalogue as text: what `imgconv list` prints."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from typing import Any

from imgconv.errors import printable
from imgconv.kernels.catalog import Entry
from imgconv.kernels.recipes import Recipe
from imgconv.kernels.shipped import FAMILIES
from imgconv.light import Path

RECIPES, FORMULAS = "recipes", "families"
WIDE = 74  # columns of a line


def matching(entries: Iterable[Entry], pattern: str) -> list[Entry]:
    """Return the entries whose name or family has the pattern in it, or matches its wildcards."""
    return [e for e in entries if _matches(e.label, e.family, pattern)]


def matching_recipes(recipes: Iterable[Recipe], pattern: str) -> list[Recipe]:
    """Return the recipes that match likewise."""
    return [r for r in recipes if _matches(r.name, r.family, pattern)]


def matching_families(pattern: str) -> list[str]:
    """Return the families of kernels by formula that match likewise."""
    return [name for name in FAMILIES if _matches(name, FORMULAS, pattern)]


def _matches(name: str, family: str, pattern: str) -> bool:
    glob = pattern if any(c in pattern for c in "*?[") else f"*{pattern}*"
    return fnmatch.fnmatchcase(name, glob) or fnmatch.fnmatchcase(family, glob)


def table(entries: list[Entry], recipes: list[Recipe], families: list[str]) -> str:
    """Return aligned columns of name, size and summary under headings, then the formulas."""
    sizes = {e.label: "x".join(map(str, e.shape)) for e in entries}
    wide = max(map(len, sizes), default=0)
    deep = max(map(len, sizes.values()), default=0)
    headings: dict[tuple[str, Path | None], list[Entry]] = {}
    for entry in entries:
        headings.setdefault((entry.family, entry.path), []).append(entry)
    lines = []
    for (family, path), members in headings.items():
        lines.append(printable(f"{family}  ({path})" if path else family))
        for entry in members:
            name = entry.label
            line = f"  {name:{wide}} {sizes[name]:>{deep}}  {entry.summary}"
            lines.append(line.rstrip())
    lines += [f"{RECIPES}  (several kernels, combined)"] * bool(recipes)
    for recipe in recipes:
        lines.append(f"  {recipe.name}: {recipe.combine} of {len(recipe.kernels)}")
        lines += [" " * 6 + line for line in _wrapped(recipe.summary, WIDE - 6)]
    lines += [f"{FORMULAS}  (by formula, in quotes)"] * bool(families)
    for name in families:
        usage, summary, _ = FAMILIES[name]
        lines += [f"  {usage}", f"      {summary}"]
    return "\n".join(lines)


def _wrapped(text: str, width: int) -> list[str]:
    if len(text) <= width:
        return [text] * bool(text)
    from textwrap import wrap

    return wrap(text, width)


def as_json(entries: list[Entry], recipes: list[Recipe], families: list[str]) -> str:
    """Return a JSON array of name, family, summary, size and source."""
    import json

    rows: list[dict[str, Any]] = [
        {
            "name": e.label,
            "family": e.family,
            "summary": e.summary,
            "size": e.shape,
            "source": e.source,
        }
        for e in entries
    ]
    rows += [
        {
            "name": r.name,
            "family": RECIPES,
            "summary": r.summary,
            "size": None,
            "source": r.source,
        }
        for r in recipes
    ]
    rows += [
        {"name": usage, "family": FORMULAS, "summary": summary, "size": None, "source": source}
        for usage, summary, source in map(FAMILIES.__getitem__, families)
    ]
    return "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]"
