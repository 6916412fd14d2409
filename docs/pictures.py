"""Make the pictures of the README again, by our own commands: ``python docs/pictures.py``.

The page's screenshot needs Chromium; the plot of speeds is made by ``python -m benchmarks --save``.
"""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

HERE = Path(__file__).parent
SAMPLES = HERE.parent / "samples"
IMGCONV = [sys.executable, "-m", "imgconv"]
EIGHT = (
    "sobel-bottom", "sobel-left", "sobel-right", "sobel-top",
    "sharpen", "blur", "emboss", "outline",
)  # fmt: skip


def sheet() -> None:
    """Draw the course's eight kernels on one gray picture."""
    kernels = [word for name in EIGHT for word in ("-k", name)]
    target = HERE / "sheet.png"
    command = [*IMGCONV, "sheet", str(SAMPLES / "scene-gray.png"), *kernels]
    subprocess.run([*command, "--columns", "3", "-fo", str(target)], check=True)


def explanation() -> None:
    """Draw what a terminal shows of one pixel's arithmetic."""
    arguments = ["explain", "samples/scene-gray.png", "-k", "blur", "--at", "0,237"]
    shown = Console(record=True, width=72, file=open(os.devnull, "w"))  # noqa: SIM115
    shown.print(Text(f"$ imgconv {' '.join(arguments)}", style="bold"))
    shown.print(Text.from_ansi(_on_a_terminal([*IMGCONV, *arguments])))
    svg = shown.export_svg(title="", theme=MONOKAI)
    # Fonts from elsewhere would be asked for by whoever looks at the picture.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    (HERE / "explain.svg").write_text(svg.replace("Fira Code", "ui-monospace"))


def _on_a_terminal(command: list[str]) -> str:
    """What a command prints on a terminal of 72 columns, with its colours."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "72", "LINES": "40", "TERM": "xterm-256color"}
    environment.pop("NO_COLOR", None)
    subprocess.run(command, stdout=theirs, cwd=HERE.parent, env=environment, check=True)
    os.close(theirs)
    return os.read(ours, 1 << 16).decode().replace("\r\n", "\n")


def page() -> None:
    """Take a screenshot of a page to play with."""
    with tempfile.TemporaryDirectory() as folder:
        html = Path(folder) / "page.html"
        command = [*IMGCONV, "explain", str(SAMPLES / "scene.jpg"), "-k", "sobel-left"]
        subprocess.run([*command, "--levels", "offset", "--html", str(html)], check=True)
        subprocess.run(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             "--window-size=1280,800", "--virtual-time-budget=3000",
             f"--screenshot={HERE / 'page.png'}", html.as_uri()],
            check=True, stderr=subprocess.DEVNULL,
        )  # fmt: skip


if __name__ == "__main__":
    sheet()
    explanation()
    page()
