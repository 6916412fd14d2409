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
    folder, kept = native.cache_folder(), list(native.entries())
    if folder is None:
        raise typer.Exit(1)
    print(f"{folder}: {len(kept)} functions, {sum(p.stat().st_size for p in kept) // 1024} kB")


@cache.command("warm")
def cache_warm() -> None:
    """Compile now what the catalogue's kernels need on every kind of image."""
    from imgconv.engine import native, steps
    from imgconv.kernels.catalog import open_catalog
    from imgconv.kernels.spec import find_step

    native.hint, native.compiling = say, show_compiling
    if native.cache_folder() is None:
        raise typer.Exit(1)
    known = open_catalog()
    for name in [*known, *known.recipes]:
        steps.warm(find_step(name, known).work)
    cache_info()


@cache.command("clear")
def cache_clear() -> None:
    """Remove all compiled code."""
    from imgconv.engine import native

    native.hint = say
    for path in native.entries():
        path.unlink(missing_ok=True)
