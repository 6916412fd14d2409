"""From what a user writes to a kernel: JSON, weights in place, a file, a name, another's text."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from imgconv.errors import KernelError, shortened
from imgconv.kernels.catalog import CUSTOM, NAME, Catalog, Entry, open_catalog, read
from imgconv.kernels.kernel import Kernel
from imgconv.kernels.recipes import Combined, combined
from imgconv.light import NamedTuple, Path

if TYPE_CHECKING:
    import numpy.typing as npt

FILE = r"(?P<path>.+\.toml)(?::(?P<name>[^:/\\]*))?"


def load_kernel(
    spec: str | Kernel | Mapping[str, Any] | Iterable[Any] | npt.NDArray[Any],
) -> Kernel:
    """Return the kernel that a specification means.

    Parameters
    ----------
    spec : str, Kernel, nested list, array or mapping
        A text as on the command line: JSON, weights in place (``"1,2,1;2,4,2;1,2,1/16"``), a TOML
        file (``"my.toml"``, ``"my.toml:name"``), a name of the catalogues, or a kernel as
        ImageMagick (``"3x3: 1,2,1 2,4,2 1,2,1"``), ffmpeg (``"convolution=0m=..."``) or G'MIC
        (``"(1,2,1;2,4,2;1,2,1)"``) takes it. Else the weights, or a mapping of Kernel's fields.

    Raises
    ------
    KernelError
        If the specification is malformed or names no kernel.
    """
    if isinstance(spec, Kernel):
        return spec
    if isinstance(spec, str):
        return find(spec).kernel
    if isinstance(spec, Mapping):
        return Kernel.from_fields(spec)
    return Kernel(spec)


def list_kernels() -> list[str]:
    """Return the names of the catalogues that load as one kernel, sorted."""
    return sorted(open_catalog())


def find(spec: str, catalog: Catalog | None = None) -> Entry:
    """Return the catalogue's entry for a text, or one made up for weights written in place.

    Raises
    ------
    KernelError
        If the text is malformed or names no kernel.
    """
    text = spec.strip()
    packed = re.sub(r"\s+", "", text)
    if text[:1] in ("[", "{", "+", "-", ".") or text[:1].isdecimal():  # no name, but for a digit
        from imgconv.kernels.notation import from_json, in_place

        if text[0] in "[{":
            return _made_up(from_json(text))
        if kernel := in_place(packed):
            return _made_up(kernel)
    if "(" in text:
        from imgconv.kernels.formula import of_family

        if made := of_family(text):
            if made.note:
                (catalog.warn if catalog is not None else warnings.warn)(made.note)
            return Entry(made.kernel, CUSTOM, made.label)
    if "." in text:
        if file := re.fullmatch(FILE, text, re.DOTALL):
            return _from_file(Path(file["path"]), file["name"])
        from imgconv.kernels import dialects

        path = Path(text)
        if path.suffix.lower() in dialects.FILES and text.endswith(path.suffix):
            return Entry(dialects.read(path), CUSTOM, path.stem)
    if NAME.fullmatch(text):
        known = catalog if catalog is not None else open_catalog()
        if text not in known and text in known.recipes:
            raise KernelError(
                f"{text} is a recipe of several kernels; it works with apply and sheet"
            )
        if text not in known:
            from imgconv.kernels.families import FAMILIES
            from imgconv.kernels.formula import usage

            if text in FAMILIES:
                how = f"write it as '{usage(text)}', quoted"
                raise KernelError(f"{text} is a family of kernels; {how}")
        return known.entry(text)
    from imgconv.kernels import dialects

    if found := dialects.of_text(text):
        return _made_up(found)
    raise KernelError(_what_is_wrong(text, packed))


class Meaning(NamedTuple):
    """What a specification means on the command line: a kernel or several, and its word."""

    work: Kernel | Combined
    label: str


def find_step(spec: str, catalog: Catalog) -> Meaning:
    """Return the kernel or the recipe for a text.

    Raises
    ------
    KernelError
        If the text is malformed or names neither.
    """
    name = spec.strip()
    if NAME.fullmatch(name) and name not in catalog and name in catalog.recipes:
        recipe = catalog.recipes[name]
        kernels = []
        for each in recipe.kernels:
            if each in catalog.recipes and each not in catalog:
                raise KernelError(f"recipe {name}: {each} is a recipe itself; name kernels")
            try:
                kernels.append(find(each, catalog).kernel)
            except KernelError as error:
                raise KernelError(f"recipe {name}: {error}") from None
        return Meaning(combined(recipe.combine, tuple(kernels)), name)
    entry = find(spec, catalog)
    return Meaning(entry.kernel, entry.label)


def _made_up(kernel: Kernel) -> Entry:
    named = NAME.fullmatch(kernel.name)
    return Entry(kernel, CUSTOM, kernel.name if named else CUSTOM)


def _from_file(path: Path, name: str | None) -> Entry:
    if os.path.isdir(path):
        raise KernelError(f"{path}: is a folder; --catalog takes one, -k a file or a name")
    entries = read(path)
    if not entries:
        raise KernelError(f"{path}: holds no kernel; write a name above the weights, as [name]")
    if name is None and len(entries) == 1:
        return next(iter(entries.values()))._replace(label=path.stem)
    if name is None:
        first = next(iter(entries))
        raise KernelError(f"{path}: holds {len(entries)} kernels; choose one, as {path}:{first}")
    return Catalog(entries).entry(name, where=f" in {path}")


def _what_is_wrong(text: str, packed: str) -> str:
    shown = f"kernel {shortened(text)!r}"
    if "(" in text or ")" in text:
        from imgconv.kernels.families import FAMILIES

        return (
            f"{shown} is no family as 'gaussian(sigma=2)', in quotes for the shell; "
            f"the families are {', '.join(FAMILIES)}"
        )
    if not re.fullmatch(r"[-+.,;/\deE]+", packed):
        return (
            f"{shown} is no name, weights ('1,0,-1'), JSON or .toml file; "
            "imgconv list shows the names"
        )
    if packed.count("/") > 1:
        return f"{shown}: the divisor is for all weights and stands once, at the end, as 1,1/9"
    return (
        f"{shown} is not ROW;ROW/DIVISOR+BIAS; write it as '1,2,1;2,4,2;1,2,1/16', a negative "
        "bias as +-128, in quotes for the shell"
    )
