"""How much memory there is, for what is as large as it says."""

from __future__ import annotations

import math
import os
from pathlib import Path

from imgconv.errors import ImageError

SMALL = 1 << 26  # bytes, which are not worth a look


def refuse_beyond(need: float, remedy: str = "--tile does TIFF and .zarr piece by piece") -> None:
    """Raise an error for what takes clearly more bytes than there are."""
    if need > SMALL and need > (free := memory()):
        raise ImageError(
            f"needs {need / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free; {remedy}"
        )


def memory() -> float:
    """Return how many bytes this process may still take; infinite where nothing tells."""
    found: list[float] = []
    try:
        fields = _numbers(Path("/proc/meminfo"))
        found.append(1024.0 * fields["MemAvailable:"])
        group = Path("/sys/fs/cgroup")
        limit = (group / "memory.max").read_text().strip()
        if limit != "max":
            cached = _numbers(group / "memory.stat")  # which goes when it is in the way
            kept = int((group / "memory.current").read_text())
            kept -= cached["inactive_file"] + cached["active_file"]
            found.append(float(limit) - kept)
    except (OSError, KeyError, ValueError):
        pass
    if not found and hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        found.append(float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")))
    return min(found, default=math.inf)


def _numbers(path: Path) -> dict[str, int]:
    """The numbers of a file of the kernel's, by the words before them."""
    lines = [line.split() for line in path.read_text().splitlines()]
    return {words[0]: int(words[1]) for words in lines if len(words) > 1}
