"""From what a user names to inputs, and where each output goes, before the first is written."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from imgconv.errors import ImageError, OptionError, shortened
from imgconv.pictures import files
from imgconv.pictures.encode import ARRAYS, ENDINGS, format_of
from imgconv.pictures.files import PIPE

if TYPE_CHECKING:
    from imgconv.pictures.stores import Url

# The ending that a format is written with where the input's has to give way.
USUAL = {"JPEG": ".jpg", "TIFF": ".tif", "PNG": ".png"}


class Source(NamedTuple):
    """An input, and its path within the folder that was walked."""

    path: str
    within: str


class Job(NamedTuple):
    """An input and its output; `-` is stdin or stdout. `format` where the output does not tell.

    `marks` are what a journal says that an earlier run has read and left.
    """

    source: str
    target: str
    format: str = ""
    marks: bytes = b""

    @property
    def name(self) -> str:
        """What messages call the input."""
        return "stdin" if self.source == PIPE else self.source


def is_zarr(path: str) -> bool:
    """Return whether a folder of this name is a picture, or an array in such a folder."""
    name = path.rstrip("/").lower()
    if ".zarr/" in name:
        return any(os.path.isfile(os.path.join(path, mark)) for mark in ("zarr.json", ".zarray"))
    return name.endswith(".zarr")


def sources(
    inputs: Sequence[str],
    *,
    files_from: str | None = None,
    null: bool = False,
    recursive: bool = False,
    output: str | None = None,
) -> list[Source]:
    """Return the inputs, folders walked; what is in the output folder is no input.

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
    for path in named:
        if recursive and path != PIPE and not is_zarr(path) and files.is_folder(path):
            found.extend(_walk(path, _settled(output)))
        else:
            found.append(Source(path, _name(path)))
    return found


def _expanded(path: str) -> list[str]:
    """The files of a URL with a pattern; those of patterns here the shell has found."""
    if not files.is_url(path):
        return [path]
    from imgconv.pictures import stores

    return stores.expand(path)


def _here(path: str) -> str:
    """A file:// URL as a path, so that all that holds for files here holds for it."""
    if not files.is_url(path):
        return path
    from imgconv.pictures import stores

    return stores.local(path)


def _settled(output: str | None) -> str | None:
    """The output, with a / at the end where a store has such a folder."""
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
        if files_from == PIPE:
            if sys.stdin is None:
                raise OptionError("--files-from -: stdin is closed")
            data = sys.stdin.buffer.read()
        else:
            data = Path(files_from).read_bytes()
    except OSError as error:
        raise OptionError(f"--files-from {files_from}: {error.strerror or error}") from None
    if b"\0" in data and not null:
        raise OptionError(f"--files-from {files_from} has names that end in NUL; add -0")
    names = [name for name in data.split(b"\0" if null else b"\n") if name]
    if not null and all(name.endswith(b"\r") for name in names):  # as Windows ends its lines
        names = [name[:-1] for name in names]
    return [os.fsdecode(name) for name in names]


def _walk(folder: str, output: str | None) -> Iterator[Source]:
    """The images in a folder and below, by their endings, in the order of their names."""
    if files.is_url(folder):
        from imgconv.pictures import stores

        yield from (Source(*found) for found in stores.walk(stores.url(folder), output))
        return
    avoided = os.path.realpath(output) if output and "{" not in output else None
    closed: list[str] = []
    for place, folders, names in os.walk(folder, onerror=lambda e: closed.append(e.filename)):
        folders[:] = sorted(
            f for f in folders if os.path.realpath(os.path.join(place, f)) != avoided
        )
        pictures = [name for name in folders if is_zarr(name)]
        folders[:] = [name for name in folders if not is_zarr(name)]
        for name in sorted([*names, *pictures]):
            ending = os.path.splitext(name)[1].lower()
            if ENDINGS.get(ending, "CSV") not in ARRAYS:
                path = os.path.join(place, name)
                yield Source(path, os.path.relpath(path, folder))
    for path in closed:  # they fail when they are read
        yield Source(path, os.path.relpath(path, folder))


def shard(text: str | None, jobs: list[Job]) -> list[Job]:
    """Return every n-th of the jobs from the i-th on, sorted by their inputs, for a text `i/n`."""
    if text is None:
        return jobs
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
    i, n = (int(part) for part in match.groups()) if match else (0, 0)
    if not 1 <= i <= n:
        raise OptionError(f"--shard {shortened(text)!r} is not i/n with i from 1 to n, as 2/8")
    return sorted(jobs)[i - 1 :: n]


def jobs(
    inputs: Sequence[Source],
    output: str | None,
    label: str,
    format: str | None = None,
    *,
    force: bool = False,
) -> list[Job]:
    """Return where each input goes; label is the kernels' word in a file name.

    With force an existing output is overwritten, which must not be an input that is still to be
    read.

    Raises
    ------
    OptionError
        If two inputs would share an output, one would be overwritten before it is read, or an
        output cannot be named.
    """
    wanted = _format_named(format) if format else ""
    width = len(str(len(inputs)))
    output = _settled(output)
    found = []
    for i, source in enumerate(inputs, 1):
        path = files.path(source.path)
        suffix = _suffix(path, wanted)
        fields = {
            "stem": path.stem, "name": path.stem + suffix, "suffix": suffix, "kernel": label,
            "parent": str(path.parent), "index": f"{i:0{width}}",
        }  # fmt: skip
        target = _target(source, output, fields, wanted, len(inputs))
        found.append(Job(source.path, target, wanted))
    _refuse_collisions(found, force=force)
    return found


def _format_named(text: str) -> str:
    name = ENDINGS.get("." + text.lower().removeprefix("."))
    if not name:
        known = ", ".join(ending[1:] for ending in ENDINGS)
        raise OptionError(f"no format {text!r}; choose from {known}")
    return name


def _refuse_collisions(jobs: Sequence[Job], *, force: bool) -> None:
    taken: dict[object, Job] = {}
    read = {files.place(job.source): job for job in jobs if force and job.source != PIPE}
    for job in jobs:
        place = files.place(job.target) if job.target != PIPE else PIPE
        if place in taken:
            raise OptionError(
                f"{taken[place].name} and {job.name} would both be written to {job.target}; "
                "give them different names or folders"
            )
        taken[place] = job
        if place != PIPE and place in read and read[place].source != job.source:
            raise OptionError(
                f"{job.name} would be written to {job.target}, another input; "
                "give it another name or folder"
            )


def _target(
    source: Source, output: str | None, fields: dict[str, str], wanted: str, count: int
) -> str:
    if output == PIPE or (output is None and source.path == PIPE):
        return PIPE
    if output is None:
        path = files.path(source.path)
        if not path.name:  # a folder, as `.` or `/`: it fails when it is read
            return source.path
        return str(path.with_name("{stem}.{kernel}{suffix}".format(**fields)))
    if not output:
        raise OptionError("the output has an empty name; name a file, or a folder with a final /")
    templated = "{" in output or "}" in output
    filled = _filled(output, source, fields) if templated else output
    if output.endswith(("/", os.sep)) or (os.path.isdir(filled) and not is_zarr(filled)):
        if source.path == PIPE:
            raise OptionError(f"stdin has no name to keep in the folder {output}; name a file")
        path = files.path(filled) / source.within
        return str(path.with_suffix(_suffix(path, wanted))) if path.name else str(path)
    if count > 1 and not templated:
        raise OptionError(
            f"{count} inputs for one output {output}; name a folder, {output}/, or a template as "
            "{stem}-{kernel}{suffix}"
        )
    _check_format(output, filled, wanted)
    return filled


def _suffix(path: Path | Url, wanted: str) -> str:
    """The input's ending, or the usual one of the format that is wanted."""
    if not wanted or ENDINGS.get(path.suffix.lower()) == wanted:
        return path.suffix
    return USUAL.get(wanted, "." + wanted.lower())


def _check_format(output: str, filled: str, wanted: str) -> None:
    """Refuse an ending that no input can help."""
    if output.endswith(("{suffix}", "{name}")):
        return
    told = ENDINGS.get(files.path(filled).suffix.lower())
    if wanted and told and told != wanted:
        raise OptionError(
            f"output {output} is {told} by its ending, and --format {wanted}; drop one"
        )
    if not wanted:
        try:
            format_of(files.path(filled))
        except ImageError as error:
            raise OptionError(str(error)) from None


def _filled(template: str, source: Source, fields: dict[str, str]) -> str:
    """The template with its fields filled in; a name may itself have braces."""
    if source.path == PIPE and re.search(r"\{(stem|name|suffix|parent)\}", template):
        raise OptionError(f"stdin has no name for the template {template!r}; name a file")
    parts = re.split(r"\{([^{}]*)\}", template)
    literal, named = parts[::2], parts[1::2]
    wrong = [part for part in literal if "{" in part or "}" in part]
    unknown = [name for name in named if name not in fields]
    if wrong or unknown:
        what = f"{{{unknown[0]}}}" if unknown else "a brace alone"
        choices = " ".join(f"{{{field}}}" for field in fields)
        raise OptionError(f"output {template!r} has {shortened(what)}; choose from {choices}")
    filled = literal[0]
    for name, text in zip(named, literal[1:], strict=True):
        value = fields[name]
        if filled and name == "parent" and files.is_url(value):  # no store within a name
            from imgconv.pictures import stores

            value = stores.url(value).path
            text = text if value else text.removeprefix("/")
        filled += value + text
    return filled
