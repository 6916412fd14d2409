"""PNG as chunks: split, put together, and looked over before anybody believes them."""

from __future__ import annotations

import io
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import IO

from imgconv.errors import ImageError, heed_cause
from imgconv.light import NamedTuple
from imgconv.pictures.faults import CUT_OFF

SIGNATURE = b"\x89PNG\r\n\x1a\n"
ANIMATION = (b"acTL", b"fcTL", b"fdAT")  # ancillary by their names, but without them other pixels
PACKED = (b"IDAT", b"fdAT")
TEXTS = (b"tEXt", b"zTXt", b"iTXt")
SAMPLES = {2: 3, 4: 2, 6: 4}  # of a pixel, by the kind of its colours
NUMBER = 4  # bytes of a frame's data that tell its place
ANCILLARY = 0x20  # the bit of a name's first letter
COLOUR_TYPE, PALETTE = slice(25, 26), b"\3"  # where a head says so


class Chunk(NamedTuple):
    """A chunk's name, its data, and where in the file it is."""

    kind: bytes
    data: memoryview
    place: slice


def put_together(*chunks: tuple[bytes, bytes | memoryview]) -> bytes:
    """Return a PNG of such chunks."""
    return b"".join((SIGNATURE, *(part for each in chunks for part in chunk(*each))))


def chunk(kind: bytes, data: bytes | memoryview) -> tuple[bytes | memoryview, ...]:
    """Return what a chunk is put together of."""
    check = zlib.crc32(data, zlib.crc32(kind))
    return len(data).to_bytes(4, "big"), kind, data, check.to_bytes(4, "big")


def split(data: bytes) -> Iterator[Chunk]:
    """Yield the chunks of a PNG as far as they are whole."""
    view, at = memoryview(data), len(SIGNATURE)
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(view[at : at + 4], "big")
        if end > len(data):
            return
        kind = data[at + 4 : at + 8]
        yield Chunk(kind, view[at + 8 : end - 4], slice(at, end))
        if kind == b"IEND":
            return
        at = end


def skeleton(file: IO[bytes]) -> bytes:
    """Return a PNG without what its pixels are packed in, as far as it goes."""
    parts = [file.read(len(SIGNATURE))]
    while len(head := file.read(8)) == 8:
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        if kind not in PACKED:
            parts += [head, file.read(length + 4)]
        else:
            number = file.read(NUMBER) if kind == b"fdAT" else b""
            file.seek(length - len(number), io.SEEK_CUR)
            whole = len(file.read(4)) == 4
            parts.append(put_together((kind, number))[len(SIGNATURE) :] if whole else head)
        if kind == b"IEND":
            break
    return b"".join(parts)


def of_one_pixel(data: bytes) -> bytes:
    """Return a PNG of one pixel that says all else that another one does."""
    first, *rest = split(data)
    depth, colour = first.data[8:10]
    pixel = zlib.compress(bytes(1 + (depth * SAMPLES.get(colour, 1) + 7) // 8))
    kept = [(c.kind, c.data) for c in rest if c.kind not in (*PACKED, *ANIMATION, b"IEND")]
    size = (1).to_bytes(4, "big") * 2
    head = (b"IHDR", size + bytes(first.data[8:]))
    return put_together(head, *kept, (b"IDAT", pixel), (b"IEND", b""))


def sound(data: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Return a PNG without what in it is broken beside the pixels, and the names of that.

    Raises
    ------
    ImageError
        If what the pixels are made of is broken, or frames are missing.
    """
    from PIL.PngImagePlugin import MAX_TEXT_MEMORY, PngStream

    stream = PngStream(io.BytesIO(data))
    bad: list[Chunk] = []
    kinds: Counter[bytes] = Counter()
    kind, end, promised, colours = b"", len(SIGNATURE), 0, 0
    for each in split(data):
        kind, end = each.kind, each.place.stop
        kinds[kind] += 1
        if kind == b"acTL" and not kinds[b"IDAT"]:
            promised = int.from_bytes(each.data[:4], "big")
        whole = zlib.crc32(each.data, zlib.crc32(kind)) == int.from_bytes(data[end - 4 : end])
        if kind == b"PLTE":
            colours = len(each.data) // 3
        elif kind == b"tRNS" and data[COLOUR_TYPE] == PALETTE:  # of colours that are there
            whole &= len(each.data) <= colours
        if kind[0] & ANCILLARY and kind not in ANIMATION:
            told = kind in TEXTS and stream.text_memory > MAX_TEXT_MEMORY
            told |= kind == b"eXIf" and _is_repeated(each.data)
            if told or not whole or not _is_read(stream, each):
                bad.append(each)
        elif not whole:
            raise ImageError(
                f"broken image: the CRC of its {_shown(kind)} chunk is wrong; get a sound copy"
            )
        elif kind == b"IHDR":  # by which Pillow reads other chunks
            _is_read(stream, each)
            if any(each.data[10:12]):
                raise ImageError("broken image: its packing is not PNG's; get a sound copy")
    lost = [f"{name} (broken)" for name in dict.fromkeys(_shown(each.kind) for each in bad)]
    if kind != b"IEND":
        cut = data[end + 4 : end + 8]
        if not kinds[b"IDAT"] or cut in (b"IDAT", *ANIMATION):
            raise ImageError(CUT_OFF)
        lost.append("what follows its pixels (the file is cut off)")
        data = data[:end] + put_together((b"IEND", b""))[len(SIGNATURE) :]
    if data[COLOUR_TYPE] == PALETTE and not (colours and kinds[b"PLTE"] == 1):
        raise ImageError("broken image: it has no palette, or more than one; get a sound copy")
    if (frames := kinds[b"fcTL"]) < promised:
        raise ImageError(f"broken image: it has {frames} of {promised} frames; get the whole file")
    return _without(data, [each.place for each in bad]), tuple(lost)


def _without(data: bytes, places: list[slice]) -> bytes:
    """What is left of a file without what is in some places, which follow each other."""
    if not places:
        return data
    view, starts = memoryview(data), [0, *(place.stop for place in places)]
    ends = [*(place.start for place in places), len(data)]
    return b"".join(view[start:end] for start, end in zip(starts, ends, strict=True))


def _is_read(stream: object, chunk: Chunk) -> bool:
    """Whether Pillow makes sense of a chunk, which else would be no picture to it."""
    from PIL.PngImagePlugin import PngStream

    assert isinstance(stream, PngStream)
    read = getattr(stream, f"chunk_{chunk.kind.decode('latin-1')}", None)
    if read is None or stream.fp is None:
        return True
    stream.fp.seek(chunk.place.start + 8)
    try:
        read(chunk.place.start + 8, len(chunk.data))
    except Exception as error:  # several kinds
        heed_cause(error)
        return False
    return chunk.kind != b"iCCP" or stream.im_info.get("icc_profile") is not None


def _is_repeated(exif: memoryview) -> bool:
    from imgconv.pictures import tiff_heads

    return tiff_heads.is_repeated(bytes(exif))


def _shown(kind: bytes) -> str:
    return kind.decode("ascii", "replace") if kind.isalpha() else "unknown"
