"""A process that compiles parts while this one compiles others: half of the first wait.

What it makes is handed over through the cache alone, so nothing depends on it: what is not found
there when it has ended is compiled here.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence

from imgconv.compiled.processor import core_count

# It ends when it is done, or when nobody holds the other end of its input any more.
PROGRAM = """\
import os, sys, _thread
sys.path[:] = {path!r}
_thread.start_new_thread(lambda: os._exit(len(os.read(0, 1))), ())
from imgconv.compiled import native
for name in {names!r}:
    native.part(name)
os._exit(0)
"""

_begun: list[tuple[int, int, Sequence[str]]] = []  # its number, its input, what it compiles


def begin(names: Sequence[str]) -> None:
    """Have parts compiled in a process of its own, one at a time, where there is a core for it."""
    if _begun or core_count() == 1 or not hasattr(os, "posix_spawn"):
        return
    command = [sys.executable, "-c", PROGRAM.format(path=sys.path, names=list(names))]
    with contextlib.suppress(OSError):  # for want of memory, processes or files
        theirs, ours = os.pipe()
        nowhere = [(os.POSIX_SPAWN_OPEN, n, os.devnull, os.O_WRONLY, 0) for n in (1, 2)]
        actions = [(os.POSIX_SPAWN_DUP2, theirs, 0), *nowhere]
        try:
            number = os.posix_spawn(sys.executable, command, os.environ, file_actions=actions)
            _begun.append((number, ours, names))
        except OSError:
            os.close(ours)
        finally:
            os.close(theirs)


def has(name: str) -> bool:
    """Return whether a part is compiled there."""
    return any(name in names for *_, names in _begun)


def end() -> None:
    """Wait until it has compiled what it was to."""
    while _begun:
        number, ours, _ = _begun.pop()
        with contextlib.suppress(ChildProcessError):  # this process was forked from who began it
            os.waitpid(number, 0)
        os.close(ours)
