"""Object code to an image that any process maps and calls: what a linker does, for our few needs.

llvmlite can link an object too, but importing it takes a third of a short command's time. This
knows ELF objects for x86-64 as LLVM writes them, and refuses everything else (see `native`).
Source: System V Application Binary Interface, AMD64 Architecture Processor Supplement, 4.4.
"""

from __future__ import annotations

import ctypes
import mmap
import struct
from collections.abc import Callable

from imgconv.light import NamedTuple

ALLOCATED, NOBITS, RELA, SYMBOLS = 2, 8, 4, 2  # flags and types of sections
ABSOLUTE, NEAR, THROUGH_SLOT = (1,), (2, 4), (9, 41, 42)  # types of relocation
COMMON = 0xFFF2
READ, EXECUTE = 1, 4
JUMP = b"\xff\x25"  # to the address in a slot


class UnknownObjectError(Exception):
    """The object holds something that this linker does not know."""


class _Section(NamedTuple):
    kind: int
    flags: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int


class _Symbol(NamedTuple):
    name: str
    section: int
    value: int
    size: int


def flatten(elf: bytes, entry: str) -> bytes:
    """Return an image of an object: its code and data, and what is left to fill in when mapped.

    Raises
    ------
    UnknownObjectError
        If the object is of another format or machine, or needs more than this knows.
    """
    if elf[:6] != b"\x7fELF\x02\x01" or struct.unpack_from("<H", elf, 18)[0] != 62:
        raise UnknownObjectError("not an ELF object for x86-64")
    sections = _sections(elf)
    image, bases = bytearray(), {}
    for i, section in enumerate(sections):
        if section.flags & ALLOCATED and section.kind in (1, NOBITS):
            _align(image, section.alignment)
            bases[i] = len(image)
            data = elf[section.offset : section.offset + section.size]
            image += bytes(section.size) if section.kind == NOBITS else data
    symbols = _symbols(elf, sections)
    slots: dict[str, int] = {}
    commons: dict[str, int] = {}
    absolute: list[tuple[int, int]] = []

    def place(symbol: _Symbol) -> int:
        """Where a symbol of the object is in the image; a common one gets room there."""
        if symbol.section == COMMON:
            if symbol.name not in commons:
                _align(image, 8)
                commons[symbol.name] = len(image)
                image.extend(bytes(symbol.size))
            return commons[symbol.name]
        if symbol.section not in bases:
            raise UnknownObjectError(f"symbol {symbol.name!r} is in no section")
        return bases[symbol.section] + symbol.value

    def slot(symbol: _Symbol) -> int:
        """Where the image holds the address of a symbol, with a jump to it 8 bytes before."""
        if symbol.name not in slots:
            _align(image, 8)
            image.extend(JUMP + struct.pack("<i", 2) + bytes(2) + bytes(8))
            slots[symbol.name] = len(image) - 8
            if symbol.section:
                absolute.append((slots[symbol.name], place(symbol)))
        return slots[symbol.name]

    for section in sections:
        if section.kind != RELA or section.info not in bases:
            continue
        for at in range(section.offset, section.offset + section.size, 24):
            offset, info, addend = struct.unpack_from("<QQq", elf, at)
            where, kind = bases[section.info] + offset, info & 0xFFFFFFFF
            symbol = symbols[info >> 32]
            if kind in ABSOLUTE and symbol.section:
                absolute.append((where, place(symbol) + addend))
            elif kind in NEAR:
                target = place(symbol) if symbol.section else slot(symbol) - 8
                struct.pack_into("<i", image, where, target + addend - where)
            elif kind in THROUGH_SLOT:
                struct.pack_into("<i", image, where, slot(symbol) + addend - where)
            else:
                raise UnknownObjectError(f"relocation of type {kind} for {symbol.name!r}")
    (start,) = (place(s) for s in symbols if s.name == entry)
    outside = [f"{n}:{at}" for n, at in slots.items() if not _known(n, symbols)]
    inside = [f"{at}:{to}" for at, to in absolute]
    return f"{start} {','.join(outside)} {','.join(inside)}\n".encode() + image


def load(image: bytes, address_of: Callable[[str], int]) -> tuple[int, object]:
    """Map an image; return the address of its entry, and what must live as long as it is called.

    Raises
    ------
    OSError
        If the system does not allow it.
    """
    head, _, body = image.partition(b"\n")
    start, outside, inside = head.decode().split(" ")
    memory = mmap.mmap(-1, len(body), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.write(body)
    base = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for name, at in (item.rsplit(":", 1) for item in outside.split(",") if item):
        struct.pack_into("<Q", memory, int(at), address_of(name))
    for at, to in (item.split(":") for item in inside.split(",") if item):
        struct.pack_into("<Q", memory, int(at), base + int(to))
    process = ctypes.CDLL(None, use_errno=True)
    if process.mprotect(ctypes.c_void_p(base), ctypes.c_size_t(len(body)), READ | EXECUTE):
        raise OSError(ctypes.get_errno(), "memory cannot be made executable")
    return base + int(start), memory


def _align(image: bytearray, alignment: int) -> None:
    image.extend(bytes(-len(image) % max(alignment, 1)))


def _sections(elf: bytes) -> list[_Section]:
    (at,), (size, count) = struct.unpack_from("<Q", elf, 40), struct.unpack_from("<HH", elf, 58)
    headers = (struct.unpack_from("<IIQQQQIIQQ", elf, at + i * size) for i in range(count))
    return [_Section(h[1], h[2], h[4], h[5], h[6], h[7], h[8]) for h in headers]


def _symbols(elf: bytes, sections: list[_Section]) -> list[_Symbol]:
    (table,) = (s for s in sections if s.kind == SYMBOLS)
    names = sections[table.link].offset
    found = []
    for at in range(table.offset, table.offset + table.size, 24):
        name, _, _, section, value, size = struct.unpack_from("<IBBHQQ", elf, at)
        text = elf[names + name : elf.index(b"\0", names + name)].decode()
        found.append(_Symbol(text, section, value, size))
    return found


def _known(name: str, symbols: list[_Symbol]) -> bool:
    return any(s.name == name and s.section for s in symbols)
