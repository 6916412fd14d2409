"""The directories of a TIFF file, one for each page: found by no library, the same for all."""

from __future__ import annotations

import io
import struct
from typing import IO, NamedTuple

from imgconv.errors import ImageError
from imgconv.pictures.picture import NO_SAMPLES, Reading, choose

WIDTH, LENGTH, SAMPLES, ROWS, PLANES, TILE = 256, 257, 277, 278, 284, (322, 323)
STRIPS, TILES = (273, 279), (324, 325)  # where they are, and how long
WANTED = {WIDTH, LENGTH, SAMPLES, ROWS, PLANES, *TILE, *STRIPS, *TILES}
FORMS = {3: "H", 4: "I", 16: "Q"}  # of whole numbers, by what a directory calls their type

Tags = dict[int, tuple[int, ...]]


class Widths(NamedTuple):
    """How a TIFF file's directories are laid out: byte order, and the widths of their numbers."""

    order: str
    entries: str  # how many there are
    entry: int
    link: str

    @property
    def first(self) -> int:
        """Where the offset of the first directory stands."""
        return struct.calcsize(self.order + self.link)


def widths(file: IO[bytes]) -> Widths:
    """Return how the directories of a file are laid out, by its first bytes."""
    file.seek(0)
    head = file.read(4)
    order, big = "<" if head[:2] == b"II" else ">", 43 in head[2:]
    return Widths(order, "Q", 20, "Q") if big else Widths(order, "H", 12, "I")


def numbers(file: IO[bytes], place: int, form: str) -> tuple[int, ...]:
    """Return the numbers of such a form that stand somewhere in a file."""
    length = struct.calcsize(form)
    if place + length > file.seek(0, io.SEEK_END):
        raise EOFError
    file.seek(place)
    return struct.unpack(form, file.read(length))


def directory(file: IO[bytes], start: int, how: Widths) -> tuple[dict[int, bytes], bytes]:
    """Return the entries of a TIFF directory by their tags, and the link to the next."""
    (count,) = numbers(file, start, how.order + how.entries)
    if count * how.entry > file.seek(0, io.SEEK_END) - start:
        raise EOFError
    file.seek(start + struct.calcsize(how.order + how.entries))
    entries = [file.read(how.entry) for _ in range(count)]
    following = file.read(struct.calcsize(how.order + how.link))
    return {struct.unpack(how.order + "H", e[:2])[0]: e for e in entries}, following


def pages(file: IO[bytes], how: Reading) -> tuple[list[int], int]:
    """Return the numbers of the pages that are asked for, and how many there are.

    Where one page alone is asked for, nothing but that and the first has to be whole.

    Raises
    ------
    ImageError
        If one is not there, is broken, or has no samples.
    """
    found, fault = _found(file)
    if fault and (how.frame is None or how.frame >= len(found)):
        raise ImageError(f"broken image: {fault}")
    chosen = list(range(len(found))) if how.frame is None else [choose(len(found), how)]
    size = file.seek(0, io.SEEK_END)
    for i in {0, *chosen}:
        _refuse_lacking(found[i], size)
    return chosen, len(found)


def _refuse_lacking(page: Tags, size: int) -> None:
    """Raise an error for a page without samples, or with fewer than it should have."""
    places, lengths = STRIPS if STRIPS[0] in page else TILES
    starts = page.get(places, ())
    if not any(starts) or not all(page.get(tag) for tag in (WIDTH, LENGTH)):
        raise ImageError(NO_SAMPLES)
    width, length = page[WIDTH][0], page[LENGTH][0]
    if not width or not length:
        raise ImageError(f"broken image: it is {width}x{length}")
    counts = page.get(lengths) or (1,) * len(starts)
    if any(start + count > size for start, count in zip(starts, counts, strict=False)):
        raise ImageError("broken image: it is cut off")  # some would fill it with zeros
    pairs = list(zip(starts, counts, strict=False))
    if any(bool(start) != bool(count) for start, count in pairs):  # both: it is left out
        raise ImageError("broken image: a strip or tile has no place, or no length")
    if len(pairs) < (all_of := _parts(page)):
        raise ImageError(f"broken image: it has {len(pairs)} of its {all_of} strips or tiles")


def _parts(page: Tags) -> int:
    """How many strips or tiles a page should have."""
    width, length = page[WIDTH][0], page[LENGTH][0]
    sides = [page.get(tag, (0,))[0] for tag in TILE]
    wide, high = sides if all(sides) else (width, page.get(ROWS, (0,))[0] or length)
    planes = page.get(SAMPLES, (1,))[0] if page.get(PLANES, (1,))[0] == 2 else 1
    return -(-width // wide) * -(-length // high) * planes


def _values(file: IO[bytes], entry: bytes, how: Widths) -> tuple[int, ...]:
    """The whole numbers that an entry of a directory holds, or says where they are."""
    head = f"{how.order}HH{how.link}"
    _, kind, count = struct.unpack_from(head, entry)
    form, start = f"{how.order}{count}{FORMS.get(kind, 'B')}", struct.calcsize(head)
    if struct.calcsize(form) <= len(entry) - start:
        return struct.unpack_from(form, entry, start)
    (place,) = struct.unpack_from(how.order + how.link, entry, start)
    return numbers(file, place, form)


def _found(file: IO[bytes]) -> tuple[list[Tags], str]:
    """The tags of each page, as far as they can be followed; and why no further, if so."""
    found: list[Tags] = []
    seen = {0}
    try:
        how = widths(file)
        (offset,) = numbers(file, how.first, how.order + how.link)
        while offset not in seen:
            seen.add(offset)
            entries, following = directory(file, offset, how)
            (offset,) = struct.unpack(how.order + how.link, following)
            wanted = entries.keys() & WANTED
            found.append({tag: _values(file, entries[tag], how) for tag in wanted})
    except (struct.error, EOFError, OverflowError):
        return found, f"it ends before all of frame {len(found)} is there"
    if offset:
        return found, "its frames go round in a circle"
    return found, "" if found else "it has no page"
