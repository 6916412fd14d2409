"""Where each output goes: named, and refused, before the first is written."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from imgconv.errors import ImageError, OptionError, shortened
from imgconv.light import NamedTuple, Path
from imgconv.pictures import files
from imgconv.pictures.files import PIPE
from imgconv.pictures.formats import BY_NAME, ENDINGS, ending_format, format_of
from imgconv.runs.inputs import Source, settled
from imgconv.runs.job import Job

if TYPE_CHECKING:
    from imgconv.pictures.stores import Url

USUAL = "PNG"  # where the input's own ending cannot be written


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
    output = settled(output)
    found = []
    for i, source in enumerate(inputs, 1):
        named = _Named(source, label, f"{i:0{width}}", wanted)
        target = _target(named, output, len(inputs))
        found.append(Job(source.path, target, wanted))
    _refuse_collisions(found, force=force)
    return found


class _Named(NamedTuple):
    """An input, and what names its output: the kernels' word, its number, the format wanted."""

    source: Source
    label: str
    number: str
    wanted: str

    def fields(self) -> dict[str, str]:
        """Return what a template's fields stand for."""
        path = files.path(self.source.path)
        stem, suffix = path.stem, _suffix(path, self.wanted)
        return {
            "stem": stem, "name": stem + suffix, "suffix": suffix, "kernel": self.label,
            "parent": str(path.parent), "index": self.number,
        }  # fmt: skip


def _format_named(text: str) -> str:
    name = ENDINGS.get("." + text.lower().removeprefix("."))
    if not name:
        known = ", ".join(ending[1:] for ending in ENDINGS)
        raise OptionError(f"no format {text!r}; choose from {known}")
    return name


def _refuse_collisions(jobs: Sequence[Job], *, force: bool) -> None:
    taken: dict[object, Job] = {}
    sources = [job for job in jobs if force]
    read = dict(zip(_places(job.source for job in sources), sources, strict=True))
    for job, place in zip(jobs, _places(job.target for job in jobs), strict=True):
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


def _places(names: Iterable[str]) -> list[object]:
    """Where files are, as `files.place` says, but each of their folders is looked at once."""
    folders: dict[str, str] = {}
    found: list[object] = []
    for name in names:
        folder, last = os.path.split(name)
        if name == PIPE:
            found.append(PIPE)
        elif files.is_url(name) or last in ("", ".", "..") or os.path.islink(name):
            found.append(files.place(name))
        else:
            if folder not in folders:
                folders[folder] = os.path.realpath(folder)
            found.append(os.path.join(folders[folder], last))
    return found


def _target(named: _Named, output: str | None, count: int) -> str:
    source, wanted = named.source, named.wanted
    if output == PIPE or (output is None and source.path == PIPE):
        return PIPE
    if output is None:
        path = files.path(source.path)
        if not path.name:  # a folder, as `.` or `/`: it fails when it is read
            return source.path
        return str(path.with_name("{stem}.{kernel}{suffix}".format(**named.fields())))
    if not output:
        raise OptionError("the output has an empty name; name a file, or a folder with a final /")
    templated = "{" in output or "}" in output
    filled = _filled(output, source, named.fields()) if templated else output
    if output.endswith(("/", os.sep)) or (os.path.isdir(filled) and not files.is_zarr(filled)):
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
    """The input's ending where it can be written, or the usual one of the format that is wanted."""
    known = ending_format(path)
    if known and wanted in ("", known):
        return path.suffix
    return BY_NAME[wanted or USUAL].endings[0]


def _check_format(output: str, filled: str, wanted: str) -> None:
    """Refuse an ending that no input can help."""
    if output.endswith(("{suffix}", "{name}")):
        return
    told = ending_format(files.path(filled))
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


def shard(text: str | None, jobs: list[Job]) -> list[Job]:
    """Return every n-th of the jobs from the i-th on, sorted by their inputs, for a text `i/n`."""
    if text is None:
        return jobs
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
    i, n = (int(part) for part in match.groups()) if match else (0, 0)
    if not 1 <= i <= n:
        raise OptionError(f"--shard {shortened(text)!r} is not i/n with i from 1 to n, as 2/8")
    return sorted(jobs)[i - 1 :: n]
