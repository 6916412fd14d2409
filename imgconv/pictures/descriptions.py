"""Descriptions of OME and ImageJ, made true of what is written; what cannot be is dropped."""

from __future__ import annotations

import re

from imgconv.light import NamedTuple

OME, IMAGEJ = "OME-XML", "ImageJ="
TYPES = {"uint8": "uint8", "uint16": "uint16", "float32": "float"}  # of samples, as OME says them
# No tag holds another's beginning, so that what is never closed is gone through once.
PIXELS = r"<(?:\w+:)?Pixels\b[^<>]*>"
CHANNEL = r"<(?:\w+:)?Channel\b[^<>]*>"
ROIS = r"<(?:\w+:)?ROI(?:Ref)?\b"
UUID = r"<(\w+:)?UUID\b[^<>]*>[^<]*</(\w+:)?UUID>"
ROOT = r"<(?:\w+:)?OME\b[^<>]*>"
COUNTS = ("images", "channels", "slices", "frames", "hyperstack")


class Written(NamedTuple):
    """What is written: a letter for each channel, the kind of samples, the size, how many."""

    names: str
    kind: str
    size: tuple[int, int]
    images: int


def is_ome(text: str) -> bool:
    """Return whether a description is OME-XML."""
    return text.rstrip().endswith("OME>") and bool(re.search(ROOT, text))


def in_ascii(text: str) -> str:
    """Return OME-XML of UTF-8, which Pillow takes for Latin-1 and would cut to ASCII."""
    text = text.encode("latin-1", "replace").decode("utf-8", "replace")
    return text.encode("ascii", "xmlcharrefreplace").decode()


def strided(text: str, down: int, across: int) -> str:
    """Return what is true of samples so many rows and columns apart; nothing if that is unknown."""
    if re.search(ROIS, text):  # in pixels
        return ""
    (pixels,) = found if len(found := re.findall(PIXELS, text)) == 1 else ("",)
    if not pixels:
        return ""
    changed = pixels
    for name, apart in (("PhysicalSizeX", across), ("PhysicalSizeY", down)):
        if size := _get(pixels, name):
            changed = _set(changed, name, repr(float(size) * apart))
    return text.replace(pixels, changed)


def sized(text: str, written: Written) -> str:
    """Return an OME-XML description of what is written, or nothing if it is of something else."""
    found, files = (
        re.findall(PIXELS, text),
        {_get(m[0], "FileName") for m in re.finditer(UUID, text)},
    )
    each = {
        int(_get(channel, "SamplesPerPixel") or 1) for channel in re.findall(CHANNEL, text)
    } or {1}
    if len(found) != 1 or len(each) > 1 or len(files) > 1 or written.kind not in TYPES:
        return ""
    pixels, samples = found[0], each.pop()
    channels, depth, times = (int(_get(pixels, f"Size{axis}") or 1) for axis in "CZT")
    if channels // samples * depth * times != written.images:
        return ""
    changed = _set(pixels, "SizeX", str(written.size[0]))
    changed = _set(changed, "SizeY", str(written.size[1]))
    changed = _set(changed, "SizeC", str(channels // samples * len(written.names)))
    changed = _set(changed, "Type", TYPES[written.kind])
    changed = _without(_without(changed, "SignificantBits"), "BigEndian")
    text = text.replace(pixels, changed)
    text = re.sub(CHANNEL, lambda m: _set(m[0], "SamplesPerPixel", str(len(written.names))), text)
    return re.sub(ROOT, lambda m: _without(m[0], "UUID"), re.sub(UUID, "", text))  # of another file


def counted(text: str, count: int) -> str:
    """Return an ImageJ description of so many images."""
    lines = text.splitlines()
    said = dict(line.partition("=")[::2] for line in lines)
    if said.get("images", "1") == str(count):
        return text
    lines = [line for line in lines if line.partition("=")[0] not in COUNTS]
    return "\n".join([*lines[:1], *[f"images={count}"] * (count > 1), *lines[1:], ""])


def _get(tag: str, name: str) -> str:
    found = re.search(rf"""\s{name}\s*=\s*(?:"([^"]*)"|'([^']*)')""", tag)
    return (found[1] or found[2] or "") if found else ""


def _without(tag: str, name: str) -> str:
    return re.sub(rf"""\s{name}\s*=\s*("[^"]*"|'[^']*')""", "", tag)


def _set(tag: str, name: str, value: str) -> str:
    end = "/>" if tag.endswith("/>") else ">"
    return f'{_without(tag, name).removesuffix(end).rstrip()} {name}="{value}"{end}'
