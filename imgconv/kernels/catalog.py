"""TOML files to kernels by name: where they are looked for, and how a wrong one is reported."""

from __future__ import annotations

import functools
import os
import re
import stat
import sys
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from imgconv.errors import KernelError, shortened
from imgconv.kernels.recipes import Recipe, is_recipe, recipe_of
from imgconv.kernels.shipped import TABLES
from imgconv.light import NamedTuple, Path, blake2b

if TYPE_CHECKING:
    from imgconv.kernels.kernel import Kernel

MAX_BYTES = 1_000_000
NAME = re.compile(r"(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*")
# A key of many names, as a.b.c: none of ours has more than one.
DEEP = rb"""(?<![\w"'-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){64}"""
CUSTOM = "custom"  # the name of weights that have none


class Entry:
    """A kernel, where it comes from (no path: shipped) and its word in a file name.

    Instead of the kernel it takes the fields of one that has no faults, which is made when it is
    asked for: a list of all the shipped kernels needs none of them.
    """

    def __init__(
        self, kernel: Kernel | dict[str, Any], family: str, label: str, path: Path | None = None
    ) -> None:
        self._given = kernel
        self.family, self.label, self.path = family, label, path

    @functools.cached_property
    def kernel(self) -> Kernel:
        """The kernel itself."""
        if not isinstance(self._given, dict):
            return self._given
        from imgconv.kernels.kernel import Kernel

        return Kernel.from_fields(self._given, self.label)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the kernel's weights."""
        if not isinstance(self._given, dict):
            return self._given.shape
        sides: tuple[int, ...] = ()
        part = self._given["weights"]
        while isinstance(part, list):
            sides, part = (*sides, len(part)), part[0]
        return sides

    @property
    def summary(self) -> str:
        """What the kernel does."""
        return self._text("summary")

    @property
    def source(self) -> str:
        """Where its numbers come from."""
        return self._text("source")

    def _text(self, field: str) -> str:
        given = self._given
        text: str = given.get(field, "") if isinstance(given, dict) else getattr(given, field)
        return text

    @property
    def name(self) -> str:
        """The kernel's own name, which a catalogue could have, or one for weights without."""
        return next((n for n in (self.kernel.name, self.label) if NAME.fullmatch(n)), CUSTOM)

    @property
    def named(self) -> Kernel:
        """The kernel under that name."""
        return self.kernel._replace(name=self.name)

    def _replace(self, **fields: Any) -> Entry:
        """Return the entry with other fields."""
        own = {"kernel": self._given, "family": self.family, "label": self.label, "path": self.path}
        return Entry(**{**own, **fields})


class Catalog(Mapping[str, Entry]):
    """Kernels by name, in the order of their files; of two with one name the later one."""

    def __init__(
        self,
        *layers: Mapping[str, Entry],
        recipes: Callable[[], dict[str, Recipe]] = dict,
        warn: Callable[[str], None] = warnings.warn,
    ) -> None:
        self.warn = warn  # tells what a user should know of a kernel
        self._layers = layers
        self._find_recipes = recipes

    @functools.cached_property
    def recipes(self) -> dict[str, Recipe]:
        """The recipes by name, which are looked for only when one is asked for."""
        return self._find_recipes()

    def __getitem__(self, name: str) -> Entry:
        for layer in reversed(self._layers):
            if found := layer.get(name):
                return found
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for layer in self._layers for name in layer))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def entry(self, name: str, where: str = "") -> Entry:
        """Return a kernel's entry.

        Raises
        ------
        KernelError
            If there is none; the message suggests the nearest name.
        """
        if name in self:
            return self[name]
        import difflib

        close = difflib.get_close_matches(name[:60], [*self, *self.recipes], 1, cutoff=0.5)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        remedy = f"; it holds {', '.join(self)}" if where else " (imgconv list)"
        raise KernelError(f"no kernel named {shortened(name)!r}{where}{hint}{remedy}")


class _Shipped(Mapping[str, Entry]):
    """The shipped kernels: for one of them only the file in which its name stands is looked at.

    Hidden are those whose names are recipes by now.
    """

    def __init__(self, hidden: Collection[str] = ()) -> None:
        self._hidden = hidden
        self._found: dict[str, Entry] = {}

    def __getitem__(self, name: str) -> Entry:
        if name in self._hidden:
            raise KeyError(name)
        if "_all" in vars(self):
            return self._all[name]
        if name not in self._found:
            self._found[name] = self._one(name)
        return self._found[name]

    def _one(self, name: str) -> Entry:
        header = f"[{name}]".encode()
        usual = next((file for file, tables in TABLES.values() if name in tables), "")
        for file in sorted(_files(shipped_folder()), key=lambda file: file.name != usual):
            data = _contents(file)
            if header in data and (entry := _kernels([_read(file, data)]).get(name)):
                return entry._replace(path=None)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    @functools.cached_property
    def files(self) -> list[_File]:
        """All the files, as read."""
        return _open(shipped_folder())

    @functools.cached_property
    def _all(self) -> dict[str, Entry]:
        found = _kernels(self.files)
        return {n: e._replace(path=None) for n, e in found.items() if n not in self._hidden}


def shipped_folder() -> Path:
    """Return the folder of the shipped catalogue: beside this code, or at the top of a checkout."""
    here = Path(__file__).parent
    beside = any(name.endswith(".toml") for name in os.listdir(here))
    return here if beside else here.parent.parent / "kernels"


def own_folder() -> Path:
    """Return the folder where the user's own catalogue files are looked for."""
    if sys.platform == "win32":
        base = Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return base / "imgconv" / "kernels"


def open_catalog(
    extra: Iterable[Path] = (), warn: Callable[[str], None] = warnings.warn
) -> Catalog:
    """Return the shipped kernels, then the user's own, then those of each extra; later names win.

    Raises
    ------
    KernelError
        If an extra catalogue is broken. A broken one in the user's own folder is a warning.
    """
    entries: dict[str, Entry] = {}
    recipes: dict[str, Recipe] = {}

    def add(path: Path) -> bool:
        files = _open(path)
        kernels, combined = _kernels(files), _recipes(files)
        for name in kernels:
            if name in combined:
                raise KernelError(f"{path}: {name} is a kernel and a recipe; rename one")
            recipes.pop(name, None)
        for name in combined:
            entries.pop(name, None)
        entries.update(kernels)
        recipes.update(combined)
        return bool(kernels or combined)

    for file in _own_files(warn):
        try:
            add(file)
        except KernelError as error:
            warn(f"your own kernels are left out: {error}")
    for path in extra:
        if not add(path):
            raise KernelError(f"{path}: holds no kernel; name a .toml file or a folder of them")

    shipped = _Shipped(hidden=recipes.keys())

    def all_recipes() -> dict[str, Recipe]:
        found = _recipes(shipped.files)
        return {name: r for name, r in found.items() if name not in entries} | recipes

    return Catalog(shipped, entries, recipes=all_recipes, warn=warn)


def _own_files(warn: Callable[[str], None]) -> list[Path]:
    try:
        folder = own_folder()
        return _files(folder) if os.path.isdir(folder) else []
    except (OSError, RuntimeError) as error:  # RuntimeError: the user has no home folder
        warn(f"your own kernels cannot be looked for: {error}")
        return []


def _files(folder: Path) -> list[Path]:
    """The TOML files of a folder, in order; none where it cannot be listed."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    return [folder / name for name in names if os.path.normcase(name).endswith(".toml")]


def read(path: Path) -> dict[str, Entry]:
    """Return the kernels of a TOML file, or of all TOML files of a folder.

    Raises
    ------
    KernelError
        If a file cannot be read or is wrong, or two files of the folder hold the same name.
    """
    return _kernels(_open(path))


class _File(NamedTuple):
    """The tables of a TOML file, which have no faults where they are kept."""

    path: Path
    tables: dict[str, Any]
    kept: bool


def _open(path: Path) -> list[_File]:
    """A TOML file, or all TOML files of a folder."""
    path = Path(path)
    files = _files(path) if os.path.isdir(path) else [path]
    return [_read(file, _contents(file)) for file in files]


def digest(data: bytes) -> str:
    """Return what a file of the shipped catalogue is known by."""
    return blake2b(data, digest_size=12).hexdigest()


def _contents(path: Path) -> bytes:
    return contents(path, MAX_BYTES, "a catalogue; split it")


def _read(path: Path, data: bytes) -> _File:
    """A file's tables, which are known or parsed."""
    if known := TABLES.get(digest(data)):
        return _File(path, known[1], kept=True)
    return _File(path, _parsed(path, data), kept=False)


def _kernels(files: Iterable[_File]) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    for file in files:
        for name, fields in file.tables.items():
            if is_recipe(fields):
                continue
            kernel = fields if file.kept else _kernel(name, fields, file.path)
            if name in entries:
                raise KernelError(
                    f"{file.path}: kernel {name!r} stands in {entries[name].path} too; rename one"
                )
            entries[name] = Entry(kernel, file.path.stem, name, file.path)
    return entries


def _recipes(files: Iterable[_File]) -> dict[str, Recipe]:
    found: dict[str, Recipe] = {}
    for path, tables, _ in files:
        for name, fields in tables.items():
            if is_recipe(fields):
                _check_name(name, path)
                if name in found:
                    raise KernelError(f"{path}: recipe {name!r} stands in another file too")
                try:
                    found[name] = recipe_of(name, fields, path.stem)
                except KernelError as error:
                    raise KernelError(f"{path}: recipe {name!r}: {error}") from None
    return found


def _kernel(name: str, fields: Any, path: Path) -> Kernel:
    from imgconv.kernels.kernel import Kernel

    _check_name(name, path)
    if not isinstance(fields, dict):
        raise KernelError(f"{path}: {name!r} is not a kernel; write its name above it, [name]")
    try:
        if "name" in fields:
            raise KernelError("unknown key 'name'; the name stands above it, as [name]")
        return Kernel.from_fields(fields, name)
    except KernelError as error:
        raise KernelError(f"{path}: kernel {name!r}: {error}") from None


def _check_name(name: str, path: Path) -> None:
    if not NAME.fullmatch(name):
        raise KernelError(
            f"{path}: kernel {name[:40]!r}: a name has small letters, digits and single hyphens"
        )


def contents(path: Path, most: int, what: str) -> bytes:
    """Return the bytes of a file of kernels, of so many at most.

    What is no file, as a pipe, may keep waiting who opens it, and can be read only once.

    Raises
    ------
    KernelError
        If it cannot be read, or is more than `what` has.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode) and not os.path.isdir(path):
            raise KernelError(f"{path}: is no file but a pipe or a device; name a file")
        with open(path, "rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise KernelError(f"{path}: cannot be read: {error.strerror or error}") from None
    if len(data) > most:
        raise KernelError(f"{path}: over {most // 1_000_000} MB, too large for {what}")
    return data


def _parsed(path: Path, data: bytes) -> dict[str, Any]:
    """The tables in a TOML file's bytes; every way in which they can be broken ends in one line."""
    import tomllib

    if data.startswith(b"\xef\xbb\xbf"):
        raise KernelError(f"{path}: begins with a byte-order mark; save it as UTF-8 without one")
    try:
        if re.search(DEEP, data):  # for each of its names all before it are looked through
            raise RecursionError
        return tomllib.loads(data.decode())
    except UnicodeDecodeError as error:
        raise KernelError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    except RecursionError:
        raise KernelError(f"{path}: nested too deeply; weights are rows of numbers") from None
    except ValueError as error:  # TOMLDecodeError, or a number of more digits than Python converts
        raise KernelError(f"{path}: not TOML: {str(error).partition(';')[0]}") from None
