"""What a user says of padding, border, stride and dilation, checked: a `Layout` for the engine."""

from __future__ import annotations

from imgconv.engine.geometry import Layout
from imgconv.errors import OptionError

Padding = str | int | tuple[int, ...]
Pair = str | int | tuple[int, int]
Anchor = str | tuple[int, int]

# Padding, strides and dilations beyond this are typing errors, and would only run out of memory.
LIMIT = 1_000_000
MAX_FILL = 1e30

# fmt: off
ALIASES = {
    "edge": "edge", "replicate": "edge", "clamp": "edge", "nearest": "edge",
    "constant": "constant", "zero": "constant", "zeros": "constant", "black": "constant",
    "reflect": "reflect", "reflect-101": "reflect",
    "symmetric": "symmetric", "symm": "symmetric",
    "wrap": "wrap", "circular": "wrap", "tile": "wrap", "periodic": "wrap",
}
DIALECTS = {
    "numpy": {"edge": "edge", "constant": "constant", "reflect": "reflect",
              "symmetric": "symmetric", "wrap": "wrap"},
    "scipy": {"reflect": "symmetric", "grid-mirror": "symmetric", "mirror": "reflect",
              "nearest": "edge", "wrap": "wrap", "grid-wrap": "wrap",
              "constant": "constant", "grid-constant": "constant"},
    "torch": {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"},
    "opencv": {"reflect": "symmetric", "reflect_101": "reflect", "default": "reflect",
               "replicate": "edge", "wrap": "wrap", "constant": "constant"},
    "im": {"edge": "edge", "mirror": "symmetric", "tile": "wrap", "black": "constant"},
}
# fmt: on


def layout(
    padding: Padding = "same",
    border: str = "edge",
    fill: float = 0,
    stride: Pair = 1,
    dilation: Pair = 1,
    anchor: Anchor = "center",
) -> Layout:
    """Check the options of a correlation, given as numbers, tuples or a user's words.

    Raises
    ------
    OptionError
        If one of them is malformed.
    """
    border = border_named(border)
    fill = fill if border == "constant" else 0  # nothing else looks at it
    if not -MAX_FILL <= fill <= MAX_FILL:  # NaN is not either
        raise OptionError(
            f"fill {str(fill)[:20]} is not a number from {-MAX_FILL:g} to {MAX_FILL:g}"
        )
    return Layout(
        _amounts(padding),
        border,
        fill,
        _pair("stride", stride),
        _pair("dilation", dilation),
        _anchor(anchor),
    )


def border_named(word: str) -> str:
    """Return the border that a word means: one of ours, an alias or `dialect:word`.

    Raises
    ------
    OptionError
        If the word means nothing, or two things (`mirror`).
    """
    dialect, colon, name = word.rpartition(":")
    if not colon and word == "mirror":
        raise OptionError(
            "border 'mirror' means two things: say 'reflect' (the edge is not repeated, as in "
            "SciPy's mirror) or 'symmetric' (the edge is repeated, as in ImageMagick's)"
        )
    if colon and dialect not in DIALECTS:
        raise OptionError(f"no border dialect {dialect!r}; choose from {', '.join(DIALECTS)}")
    words = DIALECTS[dialect] if colon else ALIASES
    if name not in words:
        import difflib

        close = difflib.get_close_matches(name, words, 1)
        hint = f"did you mean {close[0]!r}? choose" if close else "choose"
        choices = sorted(words) if colon else sorted(set(ALIASES.values()))
        raise OptionError(f"no border {word!r}; {hint} from {', '.join(choices)}")
    return words[name]


def _numbers(option: str, value: object, forms: str, least: int) -> tuple[int, ...]:
    """Whole numbers, joined by commas or in a tuple, as many as one of the forms has."""
    parts = value.split(",") if isinstance(value, str) else value
    counts = [form.count(",") + 1 for form in forms.split() if form.isupper()]
    try:
        numbers = tuple(map(_integer, parts if isinstance(parts, (tuple, list)) else (parts,)))
    except ValueError:
        numbers = ()
    if len(numbers) not in counts or not all(least <= n <= LIMIT for n in numbers):
        raise OptionError(
            f"{option} {value!r} is none of {' | '.join(forms.split())}; "
            f"the numbers are whole, from {least} to {LIMIT}"
        )
    return numbers


def _integer(part: object) -> int:
    if isinstance(part, str):
        if not part.strip().isdecimal():
            raise ValueError
        return int(part)
    if isinstance(part, bool) or not hasattr(part, "__index__"):
        raise ValueError
    return int(part.__index__())


def _pair(option: str, value: Pair) -> tuple[int, int]:
    numbers = _numbers(option, value, "N Y,X", 1)
    return numbers[0], numbers[-1]


def _amounts(value: Padding) -> tuple[int, int, int, int] | None:
    """Padding as (top, right, bottom, left); None is `same`, whose amount the kernel decides."""
    if value == "same":
        return None
    if value == "valid":
        return 0, 0, 0, 0
    numbers = _numbers("padding", value, "same valid N Y,X T,R,B,L", 0)
    if len(numbers) == 4:
        return numbers[0], numbers[1], numbers[2], numbers[3]
    y, x = numbers[0], numbers[-1]
    return y, x, y, x


def _anchor(value: Anchor) -> str | tuple[int, int]:
    """Where a kernel stands: a word, or the tap (y, x) that is over the output."""
    if value in ("center", "opencv"):
        return str(value)
    y, x = _numbers("anchor", value, "center opencv Y,X", 0)
    return y, x
