"""The program in a pseudo-terminal, and the colours that a terminal has."""

import io
import os
import pty
import struct
import subprocess
import sys
import termios
from fcntl import ioctl

CUBE = [0, 95, 135, 175, 215, 255]
# As xterm documents its 256 colours; the first 16 are the user's.
PALETTE = [None] * 16 + [(r, g, b) for r in CUBE for g in CUBE for b in CUBE]
PALETTE += [(v, v, v) for v in range(8, 239, 10)]


def in_terminal(folder, *arguments, columns=60, lines=20, **environment) -> tuple[int, str]:
    """Run the program in a pseudo-terminal; return its exit code and what it shows."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    variables = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "LINES")}
    variables |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", **environment}
    command = [sys.executable, "-m", "imgconv", *map(str, arguments)]
    with subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=variables
    ) as process:
        os.close(theirs)
        shown = io.BytesIO()
        while data := _read(ours):
            shown.write(data)
    os.close(ours)
    return process.returncode, shown.getvalue().decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # Linux says so when the other side has closed
        return b""
