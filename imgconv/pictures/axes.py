"""What the axes of an array in a file are, a letter for each: y and x, c channels, n pictures."""

from __future__ import annotations

from imgconv.errors import ImageError, OptionError, shortened

# What a user says, with H and W for y and x.
AXES = ("HWC", "HW", "CHW", "NHW", "NHWC", "NCHW")
USUAL = {2: "HW", 3: "HWC"}
LETTERS = str.maketrans("HWCN", "yxcn")


def checked(word: str | None) -> str:
    """Return one of the AXES, or nothing where none is asked for.

    Raises
    ------
    OptionError
        If the word is none.
    """
    if word is None:
        return ""
    if word.upper() not in AXES:
        raise OptionError(f"no axes {shortened(word)!r}; choose from {', '.join(AXES)}")
    return word.upper()


def of_shape(shape: tuple[int, ...], asked: str) -> str:
    """Return a letter for each axis: those that are asked for, else the usual ones.

    Raises
    ------
    ImageError
        If an array of this shape has other axes, or no samples.
    """
    told = f"is an array of shape {shortened(str(shape), 80)}"
    if asked and len(asked) != len(shape):
        fit = [axes for axes in AXES if len(axes) == len(shape)]
        remedy = f"; choose {' or '.join(fit)}" if fit else ""
        raise ImageError(f"{told}, and --axes {asked} has {len(asked)} axes{remedy}")
    if len(shape) == 4 and not asked:
        raise ImageError(f"{told}; --axes NHWC or NCHW says what its axes are")
    if 0 in shape:
        raise ImageError(f"{told}, which has no samples")
    if not asked and len(shape) not in USUAL:
        raise ImageError(f"{told}; it must be (H, W) or (H, W, C)")
    return (asked or USUAL[len(shape)]).translate(LETTERS)


def assumed(shape: tuple[int, ...], asked: str) -> list[str]:
    """Return the notes on an array whose axes nobody has said: of two there is no doubt."""
    if asked or len(shape) != 3:
        return []
    return [f"shape {shape} taken as (H, W, C); --axes says otherwise"]


def after(axes: str, channels: int, outputs: int) -> str:
    """Return the axes of what comes out: the same, but for one of channels that comes or goes."""
    if outputs > 1 and "c" not in axes:
        return f"{axes}c"
    return axes.replace("c", "") if outputs == 1 < channels else axes
