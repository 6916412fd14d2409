"""From the words of a command line to an exit code."""

from __future__ import annotations

import io
import sys
import warnings

from imgconv.cli import short


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code.

    Misuse is one line on stderr and exits 2, like everything wrong before the first file is read.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    warnings.simplefilter("ignore")  # libraries' words on broken files; the errors are ours
    if sys.stdout is None:
        from imgconv.pictures.stdout import ClosedStdout

        sys.stdout = ClosedStdout()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names may hold bytes that are no text
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _do(arguments)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return 130
    except SystemExit as error:  # the shell's completion ends so
        sys.stdout.flush()
        return error.code if isinstance(error.code, int) else 1
    except Exception as error:
        return _told(error)


def _do(words: list[str]) -> int:
    """Do what the words say: on the short way where it knows them, else through Typer."""
    if call := short.read(words):
        function, given = call
        return function(**given)
    from imgconv.cli import app

    return app.run(words)


def _told(error: Exception) -> int:
    """Tell what ended a command, and return the exit code; raise a fault of ours."""
    from imgconv.errors import ClusterError, ImgconvError, shortage
    from imgconv.pictures.stdout import discard_stdout
    from imgconv.runs.report import say

    if isinstance(error, BrokenPipeError):  # the reader has gone
        discard_stdout()
        return 1
    if isinstance(error, ClusterError):  # after some inputs were done
        say(str(error))
        return 1
    if found := shortage(error):
        say(str(found))
        return 2
    if isinstance(error, ImgconvError):
        say(str(error))
        return 2
    if not isinstance(error, OSError):
        raise error
    what = f"{error.filename} cannot be read" if error.filename else "stdout cannot be written"
    say(f"{what}: {error.strerror or error}")  # as a part of the program on a disk that fails
    discard_stdout()
    return 1
