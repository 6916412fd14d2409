"""The commands as Typer takes them, which words whatever a person sees of the command line."""

import functools
import inspect
from collections.abc import Callable

import typer
from typer.main import get_command

from imgconv.cli import apply, cache, explain, learn, listing, options, sheet, show
from imgconv.cli.short import tell_version
from imgconv.runs.report import say

app = typer.Typer(
    name="imgconv",
    help="Run convolution kernels over images, exactly and fast.",
    rich_markup_mode=None,  # Rich would cost every start 65 ms
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
caches = typer.Typer(help="Manage the code that was compiled for this machine.")


@app.callback(invoke_without_command=True)
def start(version: options.Version = False) -> None:
    """Run convolution kernels over images, exactly and fast."""
    if version:
        raise typer.Exit(tell_version())


def _join(to: typer.Typer, name: str, command: Callable[..., int]) -> None:
    """Have a command; what its parameters are is evaluated here alone, where Typer is at hand."""
    command.__annotations__ = inspect.get_annotations(
        command, locals={"options": options}, eval_str=True
    )
    to.command(name)(command)


# In the order of the help.
_join(app, "apply", apply.apply)
_join(app, "list", listing.list_)
_join(app, "show", show.show)
_join(app, "sheet", sheet.sheet)
_join(app, "explain", explain.explain)
_join(app, "learn", learn.learn)
_join(caches, "info", cache.info)
_join(caches, "warm", cache.warm)
_join(caches, "clear", cache.clear)
app.add_typer(caches, name="cache")

_command = functools.cache(functools.partial(get_command, app))  # which takes 15 ms


def run(words: list[str]) -> int:
    """Do what the words of a command line say; return the exit code, 2 for misuse."""
    try:
        return int(_command()(words or ["--help"], prog_name="imgconv", standalone_mode=False) or 0)
    except typer.TyperException as error:
        say(f"{error.format_message()} (imgconv --help)")
        return 2
