"""The application that the commands join, and the options and helpers that they share."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from imgconv import __version__
from imgconv.runs.report import Report

if TYPE_CHECKING:
    from imgconv.kernels.catalog import Catalog

app = typer.Typer(
    name="imgconv",
    help="Run convolution kernels over images, exactly and fast.",
    rich_markup_mode=None,  # Rich would cost every start 65 ms
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Catalogs = Annotated[
    list[Path] | None,
    typer.Option("--catalog", metavar="FILE|DIR", help="Further kernels, from TOML; repeatable."),
]


@app.callback(invoke_without_command=True)
def start(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Run convolution kernels over images, exactly and fast."""
    if version:
        print(f"imgconv {__version__}")
        raise typer.Exit


def complete_kernel(incomplete: str) -> list[str]:
    """The names of the catalogues that begin so."""
    from imgconv.kernels.catalog import open_catalog

    known = open_catalog()
    return [name for name in sorted([*known, *known.recipes]) if name.startswith(incomplete)]


def complete_border(incomplete: str) -> list[str]:
    """The borders that begin so."""
    from imgconv.engine.geometry import ALIASES

    return [name for name in ALIASES if name.startswith(incomplete)]


def catalogue(extra: list[Path] | None, report: Report) -> "Catalog":
    """The shipped catalogue, the user's own and those of --catalog."""
    from imgconv.kernels.catalog import open_catalog

    return open_catalog(extra or (), report.note)


def has_colours(stream: TextIO | None) -> bool:
    """Whether what is printed to a stream is seen on a terminal in colours, and they are wanted."""
    if stream is None or not stream.isatty():
        return False
    return os.environ.get("TERM") != "dumb" and not os.environ.get("NO_COLOR")


def show_compiling(done: bool) -> None:
    """Say on a terminal why this once takes longer, and wipe it out again."""
    if sys.stderr.isatty():
        text = "\r\x1b[K" if done else "compiling for this machine, once ..."
        print(text, end="", file=sys.stderr, flush=True)
