"""A process that compiles parts while this one compiles others: half of the first wait.

What it makes is handed over through the cache alone, so nothing depends on it: what is not found
there when it has told of it, or has ended, is compiled here.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections import deque
from collections.abc import Iterable

from imgconv.compiled.processor import core_count

# It ends when it is done, or when nobody holds the other end of its input any more.
PROGRAM = """\
import os, sys, _thread
sys.path[:] = {path!r}
_thread.start_new_thread(lambda: os._exit(len(os.read(0, 1))), ())
from imgconv.compiled import native
for name in {names!r}:
    native.part(name)
    os.write(1, b".")
os._exit(0)
"""

_awaited: deque[str] = deque()  # what it has not told of yet
_ends: list[int] = []  # of its input, which it reads as long as this process lives, and its output


def begin(names: Iterable[str]) -> None:
    """Have parts compiled in a process of its own, one at a time, where there is a core for it."""
    if _awaited or core_count() == 1 or not hasattr(os, "posix_spawn"):
        return
    names = list(names)
    command = [sys.executable, "-c", PROGRAM.format(path=sys.path, names=names)]
    with contextlib.suppress(OSError), contextlib.ExitStack() as stack:  # no process, no files
        given, ours, told, theirs = *os.pipe(), *os.pipe()
        for end in (given, theirs):
            stack.callback(os.close, end)
        actions = [
            (os.POSIX_SPAWN_DUP2, given, 0),
            (os.POSIX_SPAWN_DUP2, theirs, 1),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        ]
        try:
            os.posix_spawn(sys.executable, command, os.environ, file_actions=actions)
        except OSError:
            for end in (ours, told):
                os.close(end)
            raise
        _awaited.extend(names)
        _ends[:] = ours, told


def has(name: str) -> bool:
    """Return whether a part is being compiled there."""
    return name in _awaited


def wait_for(name: str) -> None:
    """Wait until a part has been compiled there, or nothing will."""
    while name in _awaited:
        if os.read(_ends[1], 1):
            _awaited.popleft()
        else:
            _awaited.clear()
    if not _awaited:
        for end in _ends:
            os.close(end)
        _ends.clear()
