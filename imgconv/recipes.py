"""Kernels that work together under one name: `sobel` is the magnitude of two gradients."""

from __future__ import annotations

from typing import Any, NamedTuple

from imgconv.errors import KernelError, shortened
from imgconv.kernel import Kernel

COMBINE = ("magnitude", "max", "min", "mean", "sum")
KEYS = ("combine", "kernels", "summary", "source")


class Combined(NamedTuple):
    """Kernels whose responses to the same picture are put together."""

    how: str
    kernels: tuple[Kernel, ...]

    def flipped(self) -> Combined:
        """Return it with each kernel turned by 180 degrees."""
        return self._replace(kernels=tuple(k.flipped() for k in self.kernels))


class Recipe(NamedTuple):
    """The specifications of kernels, and how they are combined, as a catalogue holds them."""

    name: str
    combine: str
    kernels: tuple[str, ...]
    summary: str
    source: str
    family: str


def is_recipe(fields: Any) -> bool:
    """Whether a table of a catalogue is a recipe rather than a kernel."""
    return isinstance(fields, dict) and "combine" in fields


def recipe_of(name: str, fields: dict[str, Any], family: str) -> Recipe:
    """Return the recipe of a table.

    Raises
    ------
    KernelError
        If a field is unknown, missing or of a wrong kind.
    """
    for key in fields:
        if key not in KEYS:
            raise KernelError(f"unknown key {shortened(key)!r}; a recipe has {', '.join(KEYS)}")
    how, kernels = fields["combine"], fields.get("kernels")
    if how not in COMBINE:
        raise KernelError(f"combine is {shortened(repr(how))}; choose from {', '.join(COMBINE)}")
    if not isinstance(kernels, list) or not kernels or not all(isinstance(k, str) for k in kernels):
        raise KernelError('kernels is no list of names, as kernels = ["sobel-right", "sobel-top"]')
    summary, source = fields.get("summary", ""), fields.get("source", "")
    if not all(isinstance(text, str) and text.isprintable() for text in (summary, source)):
        raise KernelError("summary and source are lines of plain text")
    return Recipe(name, how, tuple(kernels), summary, source, family)
