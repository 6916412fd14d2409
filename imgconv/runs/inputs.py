"""From what a user names to inputs: files, folders that are walked, lists, patterns of stores."""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from imgconv.errors import ImageError, OptionError
from imgconv.light import NamedTuple
from imgconv.pictures import files, replacing
from imgconv.pictures.files import PIPE
from imgconv.pictures.formats import is_taken

SHELLS_EXPAND = os.name != "nt"  # those of Windows leave patterns to programs
MANY = 8  # endings that a note names
CIRCLE = "circular link"
UNREAD = (*files.SPECIAL.values(), CIRCLE)


class Source(NamedTuple):
    """An input, and its path within the folder that was walked, unless it was named itself."""

    path: str
    within: str
    named: bool = False


def sources(
    inputs: Sequence[str],
    *,
    files_from: str | None = None,
    null: bool = False,
    recursive: bool = False,
    output: str | None = None,
    note: Callable[[str], None] = lambda _: None,
) -> list[Source]:
    """Return the inputs: of folders the pictures in them, of those below where it is `recursive`.

    What is in the output folder is no input. A `note` counts what in folders was left alone.

    Raises
    ------
    OptionError
        If stdin is named twice, or the list of files cannot be read.
    """
    if null and files_from is None:
        raise OptionError("-0 says how --files-from separates names; give that too")
    if [*inputs, files_from].count(PIPE) > 1:
        raise OptionError("stdin ('-') stands twice among the inputs; name it once")
    listed = _listed(files_from, null) if files_from is not None else []
    named = [*(name for path in inputs for name in _expanded(path)), *map(_here, listed)]
    if not named and files_from is None:
        raise OptionError("no input; name image files, - for stdin, or --files-from")
    found: list[Source] = []
    left: Counter[str] = Counter()
    for path in named:
        if path != PIPE and not files.is_zarr(path) and files.is_folder(path):
            taken = list(_walk(path, settled(output), left, recursive=recursive))
            found.extend(taken)
            if not taken:
                deeper = "" if recursive else "; --recursive looks into its folders"
                note(f"{path} has no pictures in it{deeper}")
        else:
            found.append(Source(path, _name(path), named=True))
    if left:
        kinds = [
            f"{count} {kind}{'s' * (count > 1 and kind in UNREAD)}"
            for kind, count in sorted(left.items())
        ]
        more = [f"{len(kinds) - MANY} other kinds"] * (len(kinds) > MANY)
        note(f"left alone: {', '.join([*kinds[:MANY], *more])}")
    return found


def _ending(path: str) -> str:
    """What a file that is left alone is counted as."""
    name = os.path.basename(path)
    return "hidden" if name[0] == "." else os.path.splitext(name)[1].lower() or "without ending"


def _unread(path: str) -> str:
    """What is no file in spite of its name; nothing for files, and for what fails when read."""
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        return CIRCLE if error.errno == errno.ELOOP else ""
    return files.SPECIAL.get(stat.S_IFMT(mode), "")


def _expanded(path: str) -> list[str]:
    """The files of a pattern, unless a shell has found them already."""
    if not files.is_url(path) and SHELLS_EXPAND:
        return [path]
    from imgconv.pictures import stores

    return stores.expand(path) if files.is_url(path) else stores.expand_here(path)


def _here(path: str) -> str:
    """A file:// URL as a path, so that all that holds for files here holds for it."""
    if not files.is_url(path):
        return path
    from imgconv.pictures import stores

    return stores.local(path)


def settled(output: str | None) -> str | None:
    """Return the output, with a / at the end where a store has such a folder."""
    if output is None or not files.is_url(output):
        return output
    output = _here(output)
    templated = "{" in output or "}" in output
    is_store = files.is_url(output) and not templated
    return f"{output}/" if is_store and output[-1] != "/" and files.is_folder(output) else output


def _name(path: str) -> str:
    """The name that an input keeps in a folder."""
    return files.path(path).name if files.is_url(path) else os.path.basename(path.rstrip("/"))


def _listed(files_from: str, null: bool) -> list[str]:
    """The names in a file or on stdin, of any bytes."""
    try:
        data = files.read(files_from, picture=False)
    except ImageError as error:
        raise OptionError(f"--files-from {files_from}: {error}") from None
    if b"\0" in data and not null:
        raise OptionError(f"--files-from {files_from} has names that end in NUL; add -0")
    names = [name for name in data.split(b"\0" if null else b"\n") if name]
    if not null and all(name.endswith(b"\r") for name in names):  # as Windows ends its lines
        names = [name[:-1] for name in names]
    return [os.fsdecode(name) for name in names]


def _taken(sources: Iterable[Source], left: Counter[str]) -> Iterator[Source]:
    """The pictures among files, by their names; the others are counted, and never opened."""
    for source in sources:
        kind = _unread(source.path) if is_taken(source.path) else _ending(source.path)
        if kind:
            left[kind] += 1
        else:
            yield source


def _walk(
    folder: str, output: str | None, left: Counter[str], *, recursive: bool
) -> Iterator[Source]:
    """The pictures in a folder, or also below, in the order of their names."""
    if files.is_url(folder):
        from imgconv.pictures import stores

        walked = stores.walk(stores.url(folder), output, recursive=recursive)
        yield from _taken((Source(*found) for found in walked), left)
        return
    avoided = os.path.realpath(output) if output and "{" not in output else None
    closed: list[str] = []
    for place, folders, names in os.walk(folder, onerror=lambda e: closed.append(e.filename)):
        folders[:] = sorted(
            f
            for f in folders
            if os.path.realpath(os.path.join(place, f)) != avoided and not replacing.is_ours(f)
        )
        pictures = [name for name in folders if files.is_zarr(name)]
        folders[:] = [name for name in folders if not files.is_zarr(name)] if recursive else []
        paths = (os.path.join(place, name) for name in sorted([*names, *pictures]))
        yield from _taken((Source(p, os.path.relpath(p, folder)) for p in paths), left)
    for path in closed:  # they fail when they are read
        yield Source(path, os.path.relpath(path, folder))
