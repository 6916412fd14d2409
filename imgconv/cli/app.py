"""The application that the commands join."""

from typing import Annotated

import typer

from imgconv import __version__

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
