"""Our own forms, TOML and JSON, and how nested weights are laid out."""

from __future__ import annotations

import json
from typing import Any

from imgconv.kernels.kernel import Kernel


def toml(kernel: Kernel) -> str:
    """Return the kernel as a catalogue file has it; reading it gives the same kernel."""
    lines = [f"[{kernel.name}]"]
    lines += [f"{key} = {_quoted(text)}" for key, text in _texts(kernel).items()]
    lines += [f"weights = {nested(kernel.weights)}"]
    if kernel.divisor != 1:
        lines.append(f"divisor = {kernel.divisor!r}")
    if kernel.bias:
        lines.append(f"bias = {bias_of(kernel)}")
    return "\n".join(lines)


def to_json(kernel: Kernel) -> str:
    """Return the kernel as one line of JSON, which is a kernel specification itself."""
    fields: dict[str, Any] = {"name": kernel.name, **_texts(kernel)}
    weights = list(kernel.weights)  # what is kept as columns times rows is written out
    fields |= {"weights": weights, "divisor": kernel.divisor, "bias": kernel.bias}
    return json.dumps(fields, ensure_ascii=False)


def nested(weights: Any, indent: str = "") -> str:
    """Return nested lists, a row of numbers a line."""
    if not isinstance(weights[0], tuple):
        return f"[{', '.join(map(repr, weights))}]"
    parts = (f"{indent}  {nested(part, indent + '  ')},\n" for part in weights)
    return f"[\n{''.join(parts)}{indent}]"


def bias_of(kernel: Kernel) -> str:
    """Return the bias as a number, or a list of one for each output."""
    return repr(list(kernel.bias) if isinstance(kernel.bias, tuple) else kernel.bias)


def _texts(kernel: Kernel) -> dict[str, str]:
    both = {"summary": kernel.summary, "source": kernel.source}
    return {key: text for key, text in both.items() if text}


def _quoted(text: str) -> str:
    # A TOML basic string escapes as JSON does, and the delete character besides.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
