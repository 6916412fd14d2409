"""`imgconv cache`."""

import typer

from imgconv.cli.common import app, show_compiling
from imgconv.report import say

cache = typer.Typer(help="Manage the code that was compiled for this machine.")
app.add_typer(cache, name="cache")


@cache.command("info")
def cache_info() -> None:
    """Say where compiled code is kept, and how much."""
    from imgconv import native

    native.hint = say
    folder, kept = native.cache_folder(), list(native.entries())
    if folder is None:
        raise typer.Exit(1)
    print(f"{folder}: {len(kept)} functions, {sum(p.stat().st_size for p in kept) // 1024} kB")


@cache.command("warm")
def cache_warm() -> None:
    """Compile now what the catalogue's kernels need on every kind of image."""
    from imgconv import native, steps
    from imgconv.catalog import open_catalog
    from imgconv.recipes import Combined
    from imgconv.spec import find_step

    native.hint, native.compiling = say, show_compiling
    if native.cache_folder() is None:
        raise typer.Exit(1)
    known = open_catalog()
    for entry in known.values():
        steps.warm(entry.kernel)
    for name in known.recipes:
        step = find_step(name, known).work
        for kernel in step.kernels if isinstance(step, Combined) else ():
            steps.warm_combined(kernel)
    cache_info()


@cache.command("clear")
def cache_clear() -> None:
    """Remove all compiled code."""
    from imgconv import native

    native.hint = say
    for path in native.entries():
        path.unlink(missing_ok=True)
