"""Commands as they stand on a page, each in a shell of its own where it needs one."""

import contextlib
import io
import re
import shlex
import subprocess
from collections.abc import Callable

QUOTED = re.compile(r"""'[^']*'|"[^"$]*\"""")
# What has a shell or processes of its own; others are run in this one, in a fifth of the time.
APART = re.compile(r"[|<>*$;&~]|\.venv|--scheduler|--install-completion|imgconv cache")


def done(command: str, run: Callable) -> subprocess.CompletedProcess[str]:
    """Return what became of a command, given the fixture that runs imgconv in this process."""
    if APART.search(QUOTED.sub("", command)):
        return subprocess.run(  # as in a shell that stays, whose completion can be installed
            ["bash", "-c", f"{command}\nexit $?"], capture_output=True, text=True, check=False
        )
    program, *arguments = shlex.split(command)
    if program == "imgconv":
        result = run(*arguments)
        return subprocess.CompletedProcess(command, result.code, result.text, result.err)
    assert (program, arguments[0]) == ("python", "-c")
    with contextlib.redirect_stdout(io.StringIO()) as told:
        exec(arguments[1], {})
    return subprocess.CompletedProcess(command, 0, told.getvalue(), "")
