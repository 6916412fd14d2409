"""The application that the commands join, and how they fail."""

from typing import Annotated

import typer

from imgconv import __version__
from imgconv.errors import ImgconvError, shortage
from imgconv.runs.report import say

app = typer.Typer(
    name="imgconv",
    help="Run convolution kernels over images, exactly and fast.",
    rich_markup_mode=None,  # Rich would cost every start 65 ms
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def start(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Run convolution kernels over images, exactly and fast."""
    if version:
        print(f"imgconv {__version__}")
        raise typer.Exit


def failed(error: Exception, subject: str = "") -> typer.Exit:
    """Say what is wrong with a file, and return what ends the command; raise a fault of ours."""
    found = shortage(error) or error
    if not isinstance(found, ImgconvError):
        raise error
    say(f"{subject}: {found}" if subject else str(found))
    return typer.Exit(1)
