"""What the standard library has, made lighter, since every command pays for it at its start.

Named tuples are as `typing` makes them, in a third of the time: nobody reads their annotations, and
a plain command has some fifty. Hashes are those of `hashlib`, which loads OpenSSL first. Paths are
those of `pathlib`, which loads what URLs and IP addresses are made of first, as far as names go.
"""

from __future__ import annotations

import os
import sys
from collections import namedtuple

__all__ = ["NamedTuple", "Path", "blake2b", "sha256"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hashlib import blake2b, sha256
    from typing import Any, NamedTuple
else:
    try:
        from _blake2 import blake2b

        if sys.version_info >= (3, 12):
            from _sha2 import sha256
        else:
            from _sha256 import sha256
    except ImportError:  # a Python that is built otherwise
        from hashlib import blake2b, sha256

    class _Making(type):
        """Makes what is derived from `NamedTuple` a tuple, and gives it all that stands there."""

        def __new__(cls, name: str, _: tuple[type, ...], space: dict[str, Any]) -> type:
            fields = space.pop("__annotations__", {})
            defaults = [space.pop(field) for field in fields if field in space]
            made = namedtuple(name, fields, defaults=defaults, module=space.pop("__module__"))
            made.__annotations__ = fields
            for key, value in space.items():
                setattr(made, key, value)
            return made

    NamedTuple = type.__new__(_Making, "NamedTuple", (), {})


class Path(str):
    """The path of a file and its parts, as `pathlib` calls them; `os` takes it as it is."""

    __slots__ = ()

    def __new__(cls, *parts: str | os.PathLike[str]) -> Path:
        """Join parts, without what says nothing in them."""
        drive, rest = os.path.splitdrive(os.path.join("", *parts))
        rest = rest.replace(os.altsep, os.sep) if os.altsep else rest
        bare = rest.lstrip(os.sep)
        slashes = len(rest) - len(bare)
        root = os.sep * (slashes if slashes == 2 and not drive else min(slashes, 1))
        inner = os.sep.join(part for part in bare.split(os.sep) if part not in ("", os.curdir))
        return super().__new__(cls, drive + root + inner or os.curdir)

    @classmethod
    def home(cls) -> Path:
        """Return the user's folder.

        Raises
        ------
        RuntimeError
            If there is none.
        """
        if (found := os.path.expanduser("~")) == "~":
            raise RuntimeError("Could not determine home directory.")
        return cls(found)

    @property
    def name(self) -> str:
        """The last part; nothing of a folder that is none, as `/` or `.`."""
        name = os.path.basename(self)
        return "" if name == os.curdir else name

    @property
    def parent(self) -> Path:
        """The folder that it is in."""
        return str.__new__(Path, os.path.dirname(self) or os.curdir) if self.name else self

    @property
    def suffix(self) -> str:
        """The ending of the name, with its dot."""
        name = self.name
        at = name.rfind(".")
        return name[at:] if 0 < at < len(name) - 1 else ""

    @property
    def stem(self) -> str:
        """The name without its ending."""
        return self.name.removesuffix(self.suffix)

    def with_name(self, name: str) -> Path:
        """Return another file in the same folder."""
        return str.__new__(Path, os.path.join(os.path.dirname(self), name))

    def with_stem(self, stem: str) -> Path:
        """Return a file in the same folder, of the same ending."""
        return self.with_name(stem + self.suffix)

    def with_suffix(self, suffix: str) -> Path:
        """Return a file of the same name but for its ending."""
        return self.with_name(self.stem + suffix)

    def __truediv__(self, inner: str | os.PathLike[str]) -> Path:
        """Return what is in this folder."""
        return Path(self, inner)
