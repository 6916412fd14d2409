"""The tags by which a TIFF lies on earth, moved and scaled with the grid of its samples."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, MutableMapping
from typing import Any

SCALE, TIEPOINTS, TRANSFORMATION, KEYS = 33550, 33922, 34264, 34735
RATIONAL, INTERGRAPH = 50844, 33920  # other ways to say it, which are not rewritten
PLACES = (SCALE, TIEPOINTS, TRANSFORMATION, RATIONAL, INTERGRAPH)
RASTER_TYPE, POINT = 1025, 2
LOST = "place on earth"

Line = tuple[int, int]  # how far apart samples are, and where the first is
Span = tuple[int, float]  # the same from corner to corner, as raster space has it


def place(tags: MutableMapping[int, Any], rows: Line, columns: Line) -> list[str]:
    """Make the tags true of samples on a grid; return the names of what was dropped.

    What stood at u stands at (u - first) / apart, counted from a sample's centre, which is at half
    a pixel where pixels are areas, and at whole numbers where they are points.
    """
    if (rows, columns) == ((1, 0), (1, 0)):
        return []
    try:
        half = 0.0 if _is_point(tags.get(KEYS, ())) else 0.5
        _move(tags, *((n, first + half * (1 - n)) for n, first in (columns, rows)))
    except (TypeError, ValueError):  # tags of other shapes than they have
        return [LOST] * drop(tags, *PLACES)
    return [LOST] * drop(tags, RATIONAL, INTERGRAPH)


def _move(tags: MutableMapping[int, Any], across: Span, down: Span) -> None:
    (wide, left), (high, top) = across, down
    if SCALE in tags:
        x, y, z = tags[SCALE]
        tags[SCALE] = x * wide, y * high, z
    if TIEPOINTS in tags:
        points = [
            ((i - left) / wide, (j - top) / high, *others)
            for i, j, *others in _groups(tags[TIEPOINTS], 6)
        ]
        tags[TIEPOINTS] = tuple(itertools.chain(*points))
    if TRANSFORMATION in tags:
        matrix = [
            (x * wide, y * high, z, shift + x * left + y * top)
            for x, y, z, shift in _groups(tags[TRANSFORMATION], 4)
        ]
        tags[TRANSFORMATION] = tuple(itertools.chain(*matrix))


def _groups(values: Any, count: int) -> Iterator[tuple[Any, ...]]:
    return zip(*[iter(values)] * count, strict=True)


def drop(tags: MutableMapping[int, Any], *places: int) -> bool:
    """Take tags away; return whether there were any."""
    return bool([tags.pop(tag) for tag in places if tag in tags])


def _is_point(keys: Any) -> bool:
    """Whether the directory of keys says that pixels are points."""
    return any(
        tuple(key[:2]) == (RASTER_TYPE, 0) and key[3] == POINT for key in _groups(keys[4:], 4)
    )
