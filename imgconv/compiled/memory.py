"""How much memory there is, for what is as large as it says, and for libraries to be loaded.

OpenBLAS, which NumPy loads, leaves by `exit` where memory is short, and LLVM by `abort`. What a
limit on the process leaves (`ulimit -v` and `-d`) is known on Linux.
"""

from __future__ import annotations

import math
import os
import sys

from imgconv.errors import ImageError, StarvedError

# MB of addresses, and of data, that are taken until a library is loaded; by LLVM for all parts.
NEEDS = {"numpy": (96, 48), "llvmlite": (448, 208)}
GROUP = "/sys/fs/cgroup"
SMALL = 1 << 26  # bytes, which are not worth a look
MORE = 48  # MB that a part takes at most, once LLVM is loaded


def room() -> tuple[float, float]:
    """Return how many bytes of addresses and of data the limits leave; infinite without limits."""
    try:
        import resource
    except ImportError:  # another system
        return math.inf, math.inf
    limits = [resource.getrlimit(n)[0] for n in (resource.RLIMIT_AS, resource.RLIMIT_DATA)]
    if limits == [resource.RLIM_INFINITY] * 2:
        return math.inf, math.inf
    try:
        with open("/proc/self/statm", "rb") as file:
            pages = file.read().split()
    except OSError:
        return math.inf, math.inf
    taken = [int(pages[n]) * resource.getpagesize() for n in (0, 5)]
    size, data = (
        math.inf if limit == resource.RLIM_INFINITY else limit - each
        for limit, each in zip(limits, taken, strict=True)
    )
    return size, data


def refuse_beyond(need: float, remedy: str = "--tile does TIFF and .zarr piece by piece") -> None:
    """Raise an error for what takes clearly more bytes than there are."""
    if need > SMALL and need > (left := free()):
        raise ImageError(
            f"needs {need / 1e9:.1f} GB of memory, and {left / 1e9:.1f} GB are free; {remedy}"
        )


def free() -> float:
    """Return how many bytes this process may still take; infinite where nothing tells."""
    found = list(room())
    try:
        fields = _numbers("/proc/meminfo")
        found.append(1024.0 * fields["MemAvailable:"])
        limit = _read(f"{GROUP}/memory.max").strip()
        if limit != "max":
            cached = _numbers(f"{GROUP}/memory.stat")  # which goes when it is in the way
            kept = int(_read(f"{GROUP}/memory.current"))
            kept -= cached["inactive_file"] + cached["active_file"]
            found.append(float(limit) - kept)
    except (OSError, KeyError, ValueError):
        pass
    if len(found) == 2 and hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        found.append(float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")))
    return min(found)


def _read(path: str) -> str:
    with open(path) as file:
        return file.read()


def _numbers(path: str) -> dict[str, int]:
    """The numbers of a file of the kernel's, by the words before them."""
    lines = [line.split() for line in _read(path).splitlines()]
    return {words[0]: int(words[1]) for words in lines if len(words) > 1}


def ask_for(library: str) -> None:
    """Raise an error if there is no room for a library, or for what it makes once it is loaded."""
    wanted = (MORE, MORE) if library in sys.modules else NEEDS[library]
    for left, needed in zip(room(), wanted, strict=True):
        if left < needed << 20:
            raise StarvedError(
                f"not enough memory: {library} wants {needed} MB, and a limit leaves "
                f"{max(0, int(left)) >> 20}; raise it (ulimit -v or -d)"
            )
