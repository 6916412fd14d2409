"""What the standard library has, made lighter, since every command pays for it at its start.

Named tuples are as `typing` makes them, in a third of the time: nobody reads their annotations, and
a plain command has some fifty. Hashes are those of `hashlib`, which loads OpenSSL first.
"""

from __future__ import annotations

import sys
from collections import namedtuple

__all__ = ["NamedTuple", "blake2b", "sha256"]

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
