"""Write imgconv/cli/table.py again, from what Typer knows of the commands.

``python docs/commands.py``, after a change of a command or an option.
"""

from __future__ import annotations

from pathlib import Path
from pprint import pformat
from typing import Any

from typer.main import get_command

from imgconv.cli.app import app

TABLE = Path(__file__).parents[1] / "imgconv" / "cli" / "table.py"
HEAD = '''"""The commands that `short` reads: docs/commands.py writes this from what Typer knows.

Of each: the module and the name of its function, its options by every spelling and its arguments in
their order, each with the parameter and its kind, and which parameters must be given. A kind is
"flag", "text", "texts" where several may be given, or the least and the greatest whole number.
"""

from __future__ import annotations

Kind = str | tuple[int, int | None]
Parameter = tuple[str, Kind]

# fmt: off
COMMANDS: dict[str, tuple[tuple[str, str], dict[str, Parameter], list[Parameter], list[str]]] = \\
'''


def table() -> str:
    """Return the text of the module."""
    known: dict[str, Any] = vars(get_command(app))["commands"]
    # What has no function is a group of commands, which is left to Typer.
    found = {name: _plain(each) for name, each in known.items() if each.callback}
    return HEAD + pformat(found, width=100, sort_dicts=False) + "\n"


def _plain(command: Any) -> tuple[object, ...]:
    """A command without the options that are left to Typer."""
    options, arguments = (
        [p for p in command.params if p.param_type_name == which]
        for which in ("option", "argument")
    )
    plain = {word: (p.name, kind) for p in options if (kind := _kind(p)) for word in p.opts}
    taken = [(p.name, _kind(p)) for p in arguments]
    required = [p.name for p in command.params if p.required]
    assert all(kind == "text" for _, kind in taken[:-1]), "only the last can be several"
    assert set(required) <= {name for name, _ in (*plain.values(), *taken)}, (
        "required, but not plain"
    )
    return (command.callback.__module__, command.callback.__name__), plain, taken, required


def _kind(parameter: Any) -> str | tuple[int, int | None] | None:
    """The kind of a parameter that `short` reads, else None."""
    if parameter.envvar or parameter.callback or parameter.is_eager or parameter.secondary_opts:
        return None
    match parameter.type.name, parameter.nargs:
        case "boolean", 1 if parameter.is_flag:
            return "flag"
        case "str", 1 | -1:
            return "texts" if parameter.multiple or parameter.nargs == -1 else "text"
        case "int range", 1 if parameter.type.min is not None and not parameter.multiple:
            return parameter.type.min, parameter.type.max
    return None


if __name__ == "__main__":
    TABLE.write_text(table())
