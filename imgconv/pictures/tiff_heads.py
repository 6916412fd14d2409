"""The directories of a TIFF file, one for each page: found by no library, the same for all."""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Iterator
from typing import IO

from imgconv.errors import ImageError
from imgconv.light import NamedTuple
from imgconv.pictures.extras import SAMPLES
from imgconv.pictures.faults import CUT_OFF, SOUND, WHOLE
from imgconv.pictures.limits import DEFLATED, JPEG, LZW, refuse_claim
from imgconv.pictures.picture import NO_SAMPLES, YCBCR, Reading, choose

WIDTH, LENGTH, CHANNELS, ROWS, PLANES, TILE = 256, 257, 277, 278, 284, (322, 323)
STRIPS, TILES = (273, 279), (324, 325)  # where they are, and how long
BITS, PACKED, COLOURS, PREDICTOR = 258, 259, 262, 317
# Tags of one number.
SINGLE = {PACKED, COLOURS, PREDICTOR, WIDTH, LENGTH, CHANNELS, ROWS, PLANES, *TILE}
WANTED = {BITS, *SINGLE, *STRIPS, *TILES}
# The forms of whole numbers, by what a directory calls their type.
FORMS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}

ALL_ROWS = (1 << 32) - 1  # in a strip
# Bytes that a byte makes at most, by what packs them: none, LZW, deflate, PackBits; others; faxes,
# of which a row takes a bit; JPEG. Sparse files leave tiles out, but hardly so many of each.
MOST = {1: 1, 5: LZW, 8: DEFLATED, 32946: DEFLATED, 32773: 64}
OTHERS, FAX, JPEGS, SPARSE = 1 << 15, (2, 3, 4), 7, 100
WITHIN, MOST_WITHIN = {34665, 34853, 40965}, 4  # directories in that of EXIF
FEW = 16  # numbers, which pages may share
UNPREDICTED = (1, 32773)  # what packs samples without their differences: not at all, PackBits
# Bytes of any kind of value, by the same.
BYTES = {
    1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8,
    18: 8,
}  # fmt: skip
SHARED = 1 << 26  # bytes of values that pages may share, in a file that is smaller
CIRCLE = "what follows its last frame (it leads back to one before)"
BROKEN = "EXIF (broken)"  # what is said where entries that are not of the samples point nowhere

Tags = dict[int, tuple[int, ...]]
Places = list[tuple[int, bytes]]


class Pages(NamedTuple):
    """The numbers of the pages that are asked for, how many there are, and what is wrong with them.

    Broken entries are told by where their directory begins, and their bytes.
    """

    chosen: list[int]
    total: int
    broken: Places
    lost: tuple[str, ...]


class Head(NamedTuple):
    """What is wanted of a directory, its broken entries, and the bytes that its other values take.

    Those are no values of samples, and not within the directory itself.
    """

    tags: Tags
    broken: Places
    beside: int


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
    head = file.read(8)
    order, big = "<" if head[:2] == b"II" else ">", 43 in head[2:4]
    if big and struct.unpack(f"{order}HH", head[4:]) != (8, 0):
        raise ImageError(f"broken image: it has offsets of no known size; {SOUND}")
    return Widths(order, "Q", 20, "Q") if big else Widths(order, "H", 12, "I")


def numbers(file: IO[bytes], place: int, form: str) -> tuple[int, ...]:
    """Return the numbers of such a form that stand somewhere in a file."""
    length = struct.calcsize(form)
    if place + length > file.seek(0, io.SEEK_END):
        raise EOFError
    file.seek(place)
    return struct.unpack(form, file.read(length))


def directory(file: IO[bytes], start: int, how: Widths) -> tuple[dict[int, bytes], bytes]:
    """Return the entries of a TIFF directory by their tags, and the link to the next.

    Of two with one tag it is the first, as to all libraries.
    """
    (count,) = numbers(file, start, how.order + how.entries)
    if count * how.entry > file.seek(0, io.SEEK_END) - start:
        raise EOFError
    file.seek(start + struct.calcsize(how.order + how.entries))
    found: dict[int, bytes] = {}
    for _ in range(count):
        entry = file.read(how.entry)
        found.setdefault(struct.unpack(how.order + "H", entry[:2])[0], entry)
    return found, file.read(struct.calcsize(how.order + how.link))


def repaired(data: bytes, broken: Places) -> bytes:
    """Return a file's bytes with broken entries emptied."""
    if not broken:
        return data
    copy = bytearray(data)
    begun = at = -1
    for start, entry in broken:  # those of a directory follow each other
        at = data.find(entry, at if start == begun else start)
        copy[at : at + len(entry)] = _emptied(entry)
        begun = start
    return bytes(copy)


def _emptied(entry: bytes) -> bytes:
    """A broken entry with no values, so that no library stops at it and drops those that follow."""
    width = len(entry) // 2 - 2
    return entry[:4] + bytes(width) + entry[4 + width :]


class Repaired:
    """A file whose directories are read entry by entry, broken ones emptied.

    (A map of it in memory would end the process where the file is cut meanwhile.)
    """

    def __init__(self, file: IO[bytes], broken: Places) -> None:
        self._file, self._broken = file, {entry for _, entry in broken}
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        """Return the bytes that follow."""
        data = self._file.read(size)
        return _emptied(data) if data in self._broken else data


def pages(file: IO[bytes], how: Reading) -> Pages:
    """Return which pages are asked for, and what is wrong with them that can be left out.

    Where one page alone is asked for, nothing but that and the first has to be whole.

    Raises
    ------
    ImageError
        If one is not there, is broken, or has no samples.
    """
    size, faults, broken = file.seek(0, io.SEEK_END), list[str](), list[tuple[int, bytes]]()
    count, refused = 0, None
    for count, head in enumerate(_walked(file, faults), 1):
        if how.frame is None or count - 1 in (0, how.frame):
            broken += head.broken
            try:
                _refuse_odd(head.tags)
                _refuse_lacking(head.tags, size)
                _refuse_hollow(head.tags, how)
            except ImageError as error:  # unless the walk ends at a worse one
                refused = refused or error
    circular = faults == [CIRCLE]
    if faults and not circular and (how.frame is None or how.frame >= count):
        raise ImageError(*faults)
    chosen = list(range(count)) if how.frame is None else [choose(count, how)]
    if refused:
        raise refused
    lost = (BROKEN,) * bool(broken) + (CIRCLE,) * (circular and how.frame is None)
    return Pages(chosen, count, broken, lost)


def _refuse_odd(page: Tags) -> None:
    """Raise an error for a page whose tags contradict each other, or the standard."""
    if not page.keys() >= {WIDTH, LENGTH} or not page.keys() & {STRIPS[0], TILES[0]}:
        raise ImageError(NO_SAMPLES)
    if not page[WIDTH][0] or not page[LENGTH][0]:
        raise ImageError(f"broken image: it is {page[WIDTH][0]}x{page[LENGTH][0]}; {SOUND}")
    tiled = _is_tiled(page)
    sides = [_one(page, tag, 0) for tag in TILE] if tiled else [_one(page, ROWS, ALL_ROWS)]
    if (
        page.keys() >= {STRIPS[0], TILES[0]}
        or not all(sides)
        or _one(page, PLANES, 1) not in (1, 2)
    ):
        raise ImageError(f"broken image: its tags do not say how its samples lie; {SOUND}")
    if _one(page, PREDICTOR, 1) != 1 and _one(page, PACKED, 1) in UNPREDICTED:
        raise ImageError(
            "has a predictor without compression, which programs take in two ways; save it anew"
        )


def _refuse_lacking(page: Tags, size: int) -> None:
    """Raise an error for a page with fewer samples than it should have."""
    places, lengths = TILES if TILES[0] in page else STRIPS
    starts, counts = page[places], page.get(lengths, ())
    if not any(starts):
        raise ImageError(NO_SAMPLES)
    if not counts:
        raise ImageError(f"broken image: it does not say how long its strips or tiles are; {SOUND}")
    pairs = [(s, min(c, _most(page))) for s, c in zip(starts, counts, strict=False)]
    if any(start + count > size for start, count in pairs):
        raise ImageError(CUT_OFF)  # some would fill it with zeros
    if any(bool(start) != bool(count) for start, count in pairs):  # both: it is left out
        raise ImageError(f"broken image: a strip or tile has no place, or no length; {SOUND}")
    if {len(starts), len(counts)} != {all_of := _parts(page)}:
        told = f"{len(starts)} strips or tiles, with {len(counts)} lengths"
        raise ImageError(f"broken image: it has {told}, and needs {all_of}; {SOUND}")


def _refuse_hollow(page: Tags, how: Reading) -> None:
    """Raise an error for a page of more pixels than the bytes of its strips or tiles can hold."""
    wide, high = _sides(page)
    counts = page[(TILES if TILES[0] in page else STRIPS)[1]]
    part, held = (wide, min(high, page[LENGTH][0])), 0.0
    for count in counts:
        most = _holds(page, wide, count)
        if count:
            refuse_claim(part, most, count, how)
        held += min(most, math.prod(part))
    refuse_claim((page[WIDTH][0], page[LENGTH][0]), SPARSE * held, sum(counts), how)


def _holds(page: Tags, wide: int, count: int) -> float:
    """How many pixels at most so many bytes of a strip or tile can hold."""
    packed = _one(page, PACKED, 1)
    if packed in FAX:
        return 8.0 * wide * count
    if packed == JPEGS:
        return JPEG * count
    together = _one(page, PLANES, 1) == 1 and _one(page, COLOURS, 1) != YCBCR  # which may share
    bits = max(page.get(BITS, (1,))) * (_one(page, CHANNELS, 1) if together else 1)
    return 8.0 * count * MOST.get(packed, OTHERS) / max(bits, 1)


def _is_tiled(page: Tags) -> bool:
    """Whether a page has tiles, which some writers put in the tags of strips."""
    return not page.keys().isdisjoint({TILES[0], *TILE})


def _most(page: Tags) -> float:
    """How many bytes of a strip are wanted, whatever it says; any, where it is compressed."""
    if _one(page, PACKED, 1) != 1 or _is_tiled(page):
        return math.inf
    bits = max(page.get(BITS, (1,))) * _one(page, CHANNELS, 1)
    return (page[WIDTH][0] * bits + 7) // 8 * min(page[LENGTH][0], _one(page, ROWS, ALL_ROWS))


def _parts(page: Tags) -> int:
    """How many strips or tiles a page should have."""
    wide, high = _sides(page)
    planes = _one(page, CHANNELS, 1) if _one(page, PLANES, 1) == 2 else 1
    return -(-page[WIDTH][0] // wide) * -(-page[LENGTH][0] // high) * planes


def _sides(page: Tags) -> tuple[int, int]:
    """Width and height of a strip or a tile."""
    if _is_tiled(page):
        return page[TILE[0]][0], page[TILE[1]][0]
    return page[WIDTH][0], _one(page, ROWS, ALL_ROWS)


def _one(page: Tags, tag: int, usual: int) -> int:
    """The number of a tag of one number, or what it is where it is not said."""
    return page.get(tag, (usual,))[0]


def values(file: IO[bytes], entry: bytes, how: Widths) -> tuple[int, ...]:
    """Return the whole numbers that an entry of a directory holds, or says where they are."""
    head = f"{how.order}HH{how.link}"
    tag, kind, count = struct.unpack_from(head, entry)
    if kind not in FORMS or (tag in SINGLE and count != 1):
        raise ImageError(f"broken image: its tag {tag} is not a whole number; {SOUND}")
    form, start = f"{how.order}{count}{FORMS[kind]}", struct.calcsize(head)
    if struct.calcsize(form) <= len(entry) - start:
        return struct.unpack_from(form, entry, start)
    (place,) = struct.unpack_from(how.order + how.link, entry, start)
    return numbers(file, place, form)


def _elsewhere(entry: bytes, how: Widths) -> tuple[int, int]:
    """Where the value of an entry ends, and how many bytes it takes; none within the entry."""
    _, kind, count, place = struct.unpack(f"{how.order}HH{how.link}{how.link}", entry)
    length = BYTES.get(kind, 0) * count
    return (place + length, length) if length > struct.calcsize(how.link) else (0, 0)


def is_repeated(exif: bytes) -> bool:
    """Return whether the entries of EXIF data claim more bytes than there are, one upon another.

    Pillow before 13 reads the same bytes for each of them.
    """
    data = exif.removeprefix(b"Exif\0\0")
    file, taken = io.BytesIO(data), 0
    try:
        how = widths(file)
        starts = list(numbers(file, how.first, how.order + how.link))
        for start in starts:
            entries, _ = directory(file, start, how)
            reached = [_elsewhere(entry, how) for entry in entries.values()]
            taken += sum(length for end, length in reached if end <= len(data))
            within = [entries[tag][-struct.calcsize(how.link) :] for tag in WITHIN & entries.keys()]
            for place in within[: MOST_WITHIN - len(starts)]:  # which follow in the same loop
                starts += struct.unpack(how.order + how.link, place)
    except (ImageError, EOFError, struct.error, OverflowError):
        return False  # which is told where it is read
    return taken > len(data)


def _head(file: IO[bytes], start: int, entries: dict[int, bytes], how: Widths, spare: int) -> Head:
    """The head of a page, whose values beside those of its samples may take so many bytes."""
    size = file.seek(0, io.SEEK_END)
    broken, beside = [], 0
    for tag, entry in entries.items():
        end, length = _elsewhere(entry, how)
        others = 0 if tag in SAMPLES else length
        if end > size and tag in SAMPLES:
            raise EOFError
        if end > size or beside + others > spare:
            broken.append((start, entry))
        else:
            beside += others
    wanted = entries.keys() & WANTED
    return Head({tag: values(file, entries[tag], how) for tag in wanted}, broken, beside)


def _walked(file: IO[bytes], faults: list[str]) -> Iterator[Head]:
    """Yield the heads of all pages, as far as they can be followed; then why no further, if so."""
    seen, taken, size, count = {0}, 0, file.seek(0, io.SEEK_END), 0
    try:
        how = widths(file)
        (offset,) = numbers(file, how.first, how.order + how.link)
        spare = max(size, SHARED)
        while offset not in seen:
            seen.add(offset)
            entries, following = directory(file, offset, how)
            taken += file.tell() - offset
            head = _head(file, offset, entries, how, spare)
            spare -= head.beside
            taken += sum(len(n) for n in head.tags.values() if len(n) > FEW)
            if taken > size:  # small files would say anything at length
                raise ImageError(f"broken image: its pages share what each should have; {SOUND}")
            yield head
            count += 1
            (offset,) = struct.unpack(how.order + how.link, following)
        if offset:
            faults.append(CIRCLE)
        elif not count:
            faults.append(f"broken image: it has no page; {SOUND}")
    except ImageError as error:
        faults.append(str(error))
    except (struct.error, EOFError, OverflowError):
        faults.append(f"broken image: it ends before all of frame {count} is there; {WHOLE}")
