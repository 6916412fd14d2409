"""The short way from a plain command line to its function: without Typer, which takes long to load.

It takes what it surely reads as Typer does, and leaves everything else to Typer.
"""

from __future__ import annotations

import os
from importlib import import_module

from imgconv import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from imgconv.cli.table import Kind, Parameter

COMPLETING = "_IMGCONV_COMPLETE"  # what a shell sets to ask what could be typed


def read(words: list[str]) -> tuple[Callable[..., int], dict[str, Any]] | None:
    """Return the function and the parameters that a plain command line gives; None for others."""
    if os.environ.get(COMPLETING) or not words:
        return None
    if words == ["--version"]:
        return tell_version, {}

    from imgconv.cli.table import COMMANDS

    try:
        (module, name), options, arguments, required = COMMANDS[words[0]]
        given = _given(words[1:], options, arguments)
    except (LookupError, StopIteration, ValueError):
        return None
    if any(parameter not in given for parameter in required):
        return None
    return getattr(import_module(module), name), given


def tell_version() -> int:
    """Print the version."""
    print(f"imgconv {__version__}")
    return 0


def _given(
    words: list[str], options: dict[str, Parameter], arguments: list[Parameter]
) -> dict[str, Any]:
    """The parameters that words give.

    LookupError, StopIteration and ValueError tell that a word is unknown, missing or not plain.
    """
    given: dict[str, Any] = {}
    others: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--":
            others.extend(rest)
            break
        if word == "-" or not word.startswith("-"):
            others.append(word)
            continue
        value: str | None
        if word.startswith("--"):
            option, equals, value = word.partition("=")
            value = value if equals else None
        else:  # letters of flags, and perhaps of an option with its value
            option, value = word[:2], word[2:] or None
            while value and options[option][1] == "flag":
                given[options[option][0]] = True
                option, value = f"-{value[0]}", value[1:] or None
        name, kind = options[option]
        if kind != "flag":
            _keep(given, name, kind, next(rest) if value is None else value)
        elif value is None:
            given[name] = True
        else:
            raise ValueError
    for name, kind in arguments:
        taken = others if kind == "texts" else others[:1]
        for word in taken:
            _keep(given, name, kind, word)
        others = others[len(taken) :]
    if others:
        raise LookupError
    return given


def _keep(given: dict[str, Any], name: str, kind: Kind, value: str) -> None:
    """Give a parameter a value: one of several, or the last."""
    if kind == "texts":
        given.setdefault(name, []).append(value)
    elif isinstance(kind, str):
        given[name] = value
    else:
        low, high = kind
        plain = value.isascii() and value.isdigit()
        if not plain or int(value) < low or (high is not None and int(value) > high):
            raise ValueError
        given[name] = int(value)
