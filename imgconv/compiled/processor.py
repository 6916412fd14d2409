"""For which processor code is compiled, and what it can do.

IMGCONV_CPU names a lesser one than this: x86-64-v3 has AVX2 alone. IMGCONV_PLAIN=1 leaves out loops
that are written for vectors. Neither changes what whole weights give.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Set

from imgconv.errors import OptionError

# What a processor of a level can do that decides on loops; LLVM knows the levels by these names.
LEVELS = {"x86-64-v2": set[str](), "x86-64-v3": {"avx2", "fma"}}
LEVELS["x86-64-v4"] = LEVELS["x86-64-v3"] | {"avx512f", "avx512bw", "avx512dq", "avx512vl"}


def level() -> str:
    """Return the level that is asked for, or "" for this processor itself.

    Raises
    ------
    OptionError
        If IMGCONV_CPU is none, or more than this processor can do.
    """
    asked = os.environ.get("IMGCONV_CPU", "")
    if asked and (asked not in LEVELS or not LEVELS[asked] <= _flags()):
        able = [name for name, needed in LEVELS.items() if needed <= _flags()]
        raise OptionError(
            f"IMGCONV_CPU is {asked!r}, which this processor cannot run; "
            f"choose from {', '.join(able)}, or leave it out"
        )
    return asked


def has_vectors() -> bool:
    """Return whether loops written for vectors are used, with AVX2's instructions at least.

    Numba, told to compile for another processor than this, ends the process at an instruction that
    the other does not have.
    """
    told = any(os.environ.get(name) for name in ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES"))
    return "avx2" in _able() and not told and os.environ.get("IMGCONV_PLAIN", "") in ("", "0")


def width() -> int:
    """Return how many bytes the widest vectors have."""
    return 64 if "avx512bw" in _able() else 32


def _able() -> Set[str]:
    """What the processor can do for which code is compiled."""
    asked = level()
    return LEVELS[asked] if asked else _flags()


@functools.cache
def core_count() -> int:
    """Return how many cores this process may use, as it is when this is asked first."""
    affinity = getattr(os, "sched_getaffinity", None)  # absent on some systems
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def described() -> str:
    """Return everything of the processor that decides code, as it is told and as it is."""
    return repr((os.environ.get("IMGCONV_PLAIN", ""), level(), _lines()))


@functools.cache
def _flags() -> frozenset[str]:
    """What this processor can do, by the names of Linux or LLVM: others than x86 have no AVX."""
    return frozenset(_lines().replace("+", " ").replace(",", " ").split())


@functools.cache
def _lines() -> str:
    """The name and the features of the processor, without LLVM where the system tells them."""
    try:
        with open("/proc/cpuinfo") as file:
            text = file.read()
        wanted = ("model name", "flags", "Features", "CPU implementer", "CPU part")
        lines = text.split("\n\n")[0].splitlines()
        return "\n".join(line for line in lines if line.startswith(wanted))
    except OSError:
        import llvmlite.binding as llvm

        return f"{llvm.get_host_cpu_name()} {llvm.get_host_cpu_features().flatten()}"
