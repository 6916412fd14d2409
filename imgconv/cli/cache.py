"""`imgconv cache`."""

import typer

from imgconv.cli.app import app
from imgconv.cli.terminal import tell_of_compiling
from imgconv.errors import printable
from imgconv.runs.report import say

cache = typer.Typer(help="Manage the code that was compiled for this machine.")
app.add_typer(cache, name="cache")


@cache.command("info")
def cache_info() -> None:
    """Say where compiled code is kept, and how much; and where journals of runs are, if any."""
    from imgconv.runs import journal

    _info()
    if journals := journal.left():
        print(f"{printable(str(journals[0].parent))}: {len(journals)} journals for --resume")


@cache.command("warm")
def cache_warm() -> None:
    """Compile now all parts, of which every kernel takes some."""
    from imgconv.engine import cache, native

    tell_of_compiling(say, verbose=True)
    cache.sizes()  # fails before the work where nothing can be kept
    for name in native.parts():
        native.part(name)
    if not _info():
        raise typer.Exit(1)


@cache.command("clear")
def cache_clear() -> None:
    """Remove all compiled code, and what runs that have ended have left for --resume."""
    from imgconv.engine import cache
    from imgconv.runs import journal

    journal.clear()
    failed = cache.clear()
    for text in failed:
        say(text)
    if failed:
        raise typer.Exit(1)


def _info() -> bool:
    """Print what is in the cache; return whether that is all that this processor takes."""
    from imgconv.engine import cache, native

    tell_of_compiling(say, verbose=True)
    size = sum(cache.sizes().values()) // 1024
    kept, parts = len(native.kept()), len(native.parts())
    print(f"{printable(str(cache.place()))}: {kept} of {parts} parts, {size} kB")
    return kept == parts
