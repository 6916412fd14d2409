"""Many runs of the program, each in a process of its own, in the time that a few take to start.

They are forked from one that has imported what they take, and instead of compiling a part they get
what a whole cache holds of it. Standard input is JSON: that cache, and for each run its arguments,
its environment, whether stderr is a terminal, and how many bytes a file may have. Standard output
is JSON: an exit code (a signal: its number, below 0) and stderr, for each.
"""

import contextlib
import io
import json
import os
import pty
import resource
import signal
import sys
import traceback

from imgconv.cli.main import main
from imgconv.compiled import cache, native

PATIENCE = 20  # seconds


def parts(whole):
    """Return what a cache holds, by the names of parts."""
    os.environ["IMGCONV_CACHE_DIR"] = whole
    found = {name: cache.load(native._key(name)) for name in native.parts()}
    return {name: entry for name, entry in found.items() if entry}


def run(arguments, environment, stderr, most):
    """Be a run of the program; never come back."""
    code = 99
    try:
        signal.alarm(PATIENCE)  # which ends the process
        os.dup2(stderr, 2)
        sys.stderr = io.TextIOWrapper(io.FileIO(2, "w"), write_through=True)
        for name, value in environment.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        if most:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        code = main(arguments)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def outcome(arguments, environment, terminal, most):
    """Return how a run ends and what it tells."""
    ours, theirs = pty.openpty() if terminal else os.pipe()
    child = os.fork()
    if not child:
        run(arguments, environment, theirs, most)
    os.close(theirs)
    told = b""
    while data := read(ours):
        told += data
    os.close(ours)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), told.decode()


def read(stderr):
    """Return what more is told; of a terminal that nobody writes to, Linux says it is broken."""
    try:
        return os.read(stderr, 1 << 16)
    except OSError:
        return b""


def serve():
    """Do what standard input asks for."""
    asked = json.load(sys.stdin)
    kept, compiled = parts(asked["whole"]), native._compile
    native._compile = lambda name: kept[name] if name in kept else compiled(name)
    with contextlib.redirect_stdout(io.StringIO()):  # import what they take
        assert main([*asked["runs"][0][0], "--dry-run", "-q"]) == 0
    json.dump([outcome(*one) for one in asked["runs"]], sys.stdout)


if __name__ == "__main__":
    serve()
