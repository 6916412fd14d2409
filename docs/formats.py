"""Write the README's table of formats again, from that of the code: ``python docs/formats.py``."""

from __future__ import annotations

import re
from pathlib import Path

from imgconv.pictures.formats import FORMATS, ZARR, Format

README = Path(__file__).parents[1] / "README.md"
HEAD = (
    "| | endings | channels | bits a channel | several | besides | read and written by |\n"
    "|---|---|---|---|---|---|---|\n"
)
BITS = {"uint8": "8", "uint16": "16", "float32": "32 (real)"}
WORDS = {
    "exif": "EXIF", "icc": "profile", "xmp": "XMP", "resolution": "resolution",
    "comment": "comment", "text": "text",
}  # fmt: skip


def table() -> str:
    """Return the table as Markdown: a row a format."""
    return HEAD + "".join(f"| {' | '.join(_cells(each))} |\n" for each in FORMATS)


def _cells(of: Format) -> list[str]:
    kinds = {kind: _channels(names) for kind, names in of.keeps.items()}
    widest = max(kinds.values(), key=len, default="one" if of.name == "CSV" else "any number")
    bits = [
        BITS[kind] + (f" ({names})" if names != widest else "") for kind, names in kinds.items()
    ]
    by = [name for name in dict.fromkeys((of.reader, of.writer, of.deep)) if name]
    extras = {of.deep: " (extra `deep`)", ZARR: " (extra `tiles`)"}
    return [
        of.name,
        " ".join(of.endings) + f" (only read: {' '.join(of.others)})" * bool(of.others),
        widest,
        ", ".join(bits) or "any",
        of.several,
        ", ".join(WORDS[field] for field in of.metadata),
        ", ".join(name + extras.get(name, "") for name in by),
    ]


def _channels(names: tuple[str, ...]) -> str:
    """Channels in words: of what there are, and whether alpha may be with them."""
    words = {"l": "gray", "rgb": "colour", "cmyk": "CMYK"}
    found = ", ".join(word for letters, word in words.items() if letters in names)
    return found + ", alpha" * any(letters.endswith("a") for letters in names)


def write() -> None:
    """Put the table in the place of the one in the README."""
    text = README.read_text()
    old = re.compile(re.escape(HEAD.split("\n")[0]) + r"\n(?:\|.*\n)+")
    README.write_text(old.sub(lambda _: table(), text))


if __name__ == "__main__":
    write()
