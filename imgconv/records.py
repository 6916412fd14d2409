"""Named tuples as `typing` has them, made in a third of the time: their annotations are not read.

A plain command makes some fifty of them before it does anything.
"""

from __future__ import annotations

from collections import namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
    from typing import NamedTuple as NamedTuple
else:

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
