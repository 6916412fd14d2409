"""Write imgconv/kernels/shipped.py again: what stands in kernels/*.toml, as it is read.

``python docs/shipped.py``, after a change of a kernel or of what `imgconv list` tells of a family.
Until then a kernel is only slower: a file that is not as it was is read as TOML.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from imgconv.kernels.catalog import digest, shipped_folder
from imgconv.kernels.families import FAMILIES
from imgconv.kernels.formula import usage

MODULE = Path(__file__).parents[1] / "imgconv" / "kernels" / "shipped.py"
HEAD = '''"""The shipped catalogue as it is read: docs/shipped.py writes this from kernels/*.toml.

By the digest of a file, its name and tables: to read them as TOML takes a tenth of a start. Of each
family how it is written, its summary and its source.
"""

from __future__ import annotations

from typing import Any

# ruff: noqa: E501
# fmt: off
TABLES: dict[str, tuple[str, dict[str, Any]]] = {
'''


def module() -> str:
    """Return the text of the module."""
    lines = []
    for file in sorted(Path(shipped_folder()).glob("*.toml")):
        data = file.read_bytes()
        lines.append(f'"{digest(data)}": ("{file.name}", {{')
        tables = tomllib.loads(data.decode())
        lines += [f"    {name!r}: {fields!r}," for name, fields in tables.items()]
        lines.append("}),")
    lines.append("}\nFAMILIES = {")
    for name, family in FAMILIES.items():
        lines.append(f"    {name!r}: {(usage(name), family.summary, family.source)!r},")
    return "\n".join([HEAD + lines[0], *lines[1:], "}"]) + "\n"


if __name__ == "__main__":
    MODULE.write_text(module())
