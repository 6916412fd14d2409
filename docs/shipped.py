"""Write imgconv/kernels/shipped.py again: what stands in kernels/*.toml, as it is read.

``python docs/shipped.py``, after a change of a kernel. Until then it is only slower: a file that
is not as it was when this was written is read as TOML.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from imgconv.kernels.catalog import digest, shipped_folder

MODULE = Path(__file__).parents[1] / "imgconv" / "kernels" / "shipped.py"
HEAD = '''"""The shipped catalogue as it is read: docs/shipped.py writes this from kernels/*.toml.

By the digest of a file, its name and tables: to read them as TOML takes a tenth of a start.
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
    for file in sorted(shipped_folder().glob("*.toml")):
        data = file.read_bytes()
        lines.append(f'"{digest(data)}": ("{file.name}", {{')
        tables = tomllib.loads(data.decode())
        lines += [f"    {name!r}: {fields!r}," for name, fields in tables.items()]
        lines.append("}),")
    return "\n".join([HEAD + lines[0], *lines[1:], "}"]) + "\n"


if __name__ == "__main__":
    MODULE.write_text(module())
