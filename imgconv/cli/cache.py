"""`imgconv cache`."""

import typer

from imgconv.cli.app import app
from imgconv.cli.terminal import show_compiling
from imgconv.runs.report import say

cache = typer.Typer(help="Manage the code that was compiled for this machine.")
app.add_typer(cache, name="cache")


@cache.command("info")
def cache_info() -> None:
    """Say where compiled code is kept, and how much."""
    from imgconv.engine import native

    native.hint = say
    folder, files = native.cache_folder(), list(native.entries())
    if folder is None:
        raise typer.Exit(1)
    size = sum(path.stat().st_size for path in files) // 1024
    print(f"{folder}: {len(native.kept())} of {len(native.parts())} parts, {size} kB")


@cache.command("warm")
def cache_warm() -> None:
    """Compile now all parts, of which every kernel takes some."""
    from imgconv.engine import native

    native.hint, native.compiling = say, show_compiling
    if native.cache_folder() is None:
        raise typer.Exit(1)
    for name in native.parts():
        native.part(name)
    cache_info()


@cache.command("clear")
def cache_clear() -> None:
    """Remove all compiled code."""
    from imgconv.engine import native

    native.hint = say
    for path in native.entries():
        path.unlink(missing_ok=True)
