"""`imgconv cache`."""

from imgconv.cli.terminal import tell_of_compiling
from imgconv.errors import printable
from imgconv.runs.report import say


def info() -> int:
    """Say where compiled code is kept, and how much; and where journals of runs are, if any."""
    from imgconv.runs import journal

    _print_what_is_kept()
    if journals := journal.left():
        print(f"{printable(str(journals[0].parent))}: {len(journals)} journals for --resume")
    return 0


def warm() -> int:
    """Compile now all parts, of which every kernel takes some."""
    from imgconv.compiled import cache, native

    tell_of_compiling(say, verbose=True)
    cache.sizes()  # fails before the work where nothing can be kept
    native.compile_all()
    return 0 if _print_what_is_kept() else 1


def clear() -> int:
    """Remove all compiled code, and what runs that have ended have left for --resume."""
    from imgconv.compiled import cache
    from imgconv.runs import journal

    journal.clear()
    failed = cache.clear()
    for text in failed:
        say(text)
    return 1 if failed else 0


def _print_what_is_kept() -> bool:
    """Print what is in the cache; return whether that is all that this processor takes."""
    from imgconv.compiled import cache, native

    tell_of_compiling(say, verbose=True)
    size = sum(cache.sizes().values()) // 1024
    kept, parts = native.kept(), native.parts()
    files = sum(name in native.OF_FILES for name in parts)
    counted = f"{len(kept)} of {len(parts)} parts ({files} of them for files)"
    print(f"{printable(str(cache.place()))}: {counted}, {size} kB")
    return kept == parts
