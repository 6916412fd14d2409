"""The specification of imgconv's numbers: plain loops, exact fractions, nothing of imgconv.

A picture is a list of rows of one channel's samples, a kernel a list of rows of weights, and all
pairs are (rows, columns). What is slow here is meant to be: it should be read, not run at length.
"""

from fractions import Fraction

BORDERS = ["edge", "constant", "reflect", "symmetric", "wrap"]
LEVELS = ["clip", "abs", "offset", "stretch"]


def source(position, size, border):
    """Return which of `size` samples stands at a position, or None for the fill value.

    edge       a a a | a b c d | d d d
    constant   - - - | a b c d | - - -
    reflect    d c b | a b c d | c b a
    symmetric  c b a | a b c d | d c b
    wrap       b c d | a b c d | a b c

    A picture smaller than its padding is mirrored or repeated again and again, as by `numpy.pad`.
    """
    if border == "constant":
        return position if 0 <= position < size else None
    if border == "edge" or size == 1:
        return min(max(position, 0), size - 1)
    while not 0 <= position < size:
        if border == "reflect":
            position = -position if position < 0 else 2 * (size - 1) - position
        elif border == "symmetric":
            position = -1 - position if position < 0 else 2 * size - 1 - position
        elif border == "wrap":
            position = position + size if position < 0 else position - size
        else:
            raise ValueError(border)
    return position


def sides(padding, kernel, dilation):
    """Return padding as (top, right, bottom, left).

    "same" adds d(k - 1) along each axis: half of it before, rounded down, and the rest after.
    """
    if padding == "valid":
        return 0, 0, 0, 0
    if padding == "same":
        spans = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        top, left = spans[0] // 2, spans[1] // 2
        return top, spans[1] - left, spans[0] - top, left
    if isinstance(padding, int):
        return padding, padding, padding, padding
    if len(padding) == 2:
        return padding[0], padding[1], padding[0], padding[1]
    return padding


def pair(value):
    """Return an int or a pair as a pair."""
    return (value, value) if isinstance(value, int) else value


def shape(image, kernel, padding="same", stride=1, dilation=1):
    """Return the output's size: floor((n + before + after - d(k - 1) - 1) / s) + 1 on each axis."""
    (sy, sx), (dy, dx) = pair(stride), pair(dilation)
    top, right, bottom, left = sides(padding, kernel, (dy, dx))
    return (
        (image[0] + top + bottom - dy * (kernel[0] - 1) - 1) // sy + 1,
        (image[1] + left + right - dx * (kernel[1] - 1) - 1) // sx + 1,
    )


def respond(
    image,
    weights,
    *,
    divisor=1,
    bias=0,
    padding="same",
    border="edge",
    fill=0,
    stride=1,
    dilation=1,
):
    """Return the exact responses: the sum of weights times samples, over the divisor, plus bias.

    out[i, j] = sum_ab w[a, b] x[i sy + a dy - top, j sx + b dx - left] / divisor + bias
    """
    height, width = len(image), len(image[0])
    kernel = len(weights), len(weights[0])
    (sy, sx), (dy, dx) = pair(stride), pair(dilation)
    top, _, _, left = sides(padding, kernel, (dy, dx))
    rows, columns = shape((height, width), kernel, padding, stride, dilation)
    out = []
    for i in range(rows):
        out.append([])
        for j in range(columns):
            total = 0
            for a in range(kernel[0]):
                y = source(i * sy + a * dy - top, height, border)
                for b in range(kernel[1]):
                    x = source(j * sx + b * dx - left, width, border)
                    sample = fill if y is None or x is None else image[y][x]
                    total += weights[a][b] * sample
            out[i].append(Fraction(total) / Fraction(divisor) + Fraction(bias))
    return out


def flip(weights):
    """Return the weights turned by 180 degrees, which makes a correlation a true convolution."""
    return [list(reversed(row)) for row in reversed(weights)]


def level(response, levels, maximum, low=0, high=0):
    """Return what a response is worth as a sample, neither rounded nor cut off.

    clip r; abs |r|; offset (M + 1)/2 + r/2, but 1/2 + r/2 where M is 1 (float samples); stretch
    (r - low) M / (high - low), with the least and greatest response of the frame, 0 if they are
    equal.
    """
    if levels == "clip":
        return response
    if levels == "abs":
        return abs(response)
    if levels == "offset":
        return (Fraction(maximum + 1, 2) if maximum > 1 else Fraction(1, 2)) + response / 2
    if levels == "stretch":
        return (response - low) * maximum / (high - low) if low < high else Fraction(0)
    raise ValueError(levels)


def pixel(value, maximum):
    """Round half to even, once; then cut off at 0 and at the maximum."""
    floor = value.numerator // value.denominator
    rest = value - floor
    if rest > Fraction(1, 2) or (rest == Fraction(1, 2) and floor % 2 == 1):
        floor += 1
    return min(max(floor, 0), maximum)


def pixels(channels, levels, maximum):
    """Turn the responses of all filtered channels of a frame into pixels."""
    every = [r for channel in channels for row in channel for r in row]
    low, high = min(every), max(every)
    return [
        [[pixel(level(r, levels, maximum, low, high), maximum) for r in row] for row in channel]
        for channel in channels
    ]


def centre(index, kernel, size, before, stride, dilation):
    """Return which sample of an axis an unfiltered channel has at an output: edge outside."""
    position = index * stride + dilation * (kernel - 1) // 2 - before
    return min(max(position, 0), size - 1)


def respond_over_channels(planes, weights, *, divisor=1, bias=0, **geometry):
    """Return the exact responses of weights (out, in/groups, rows, columns), output by output.

    planes are the channels of a picture. Output o adds up the channels of its group:
    out[o] = sum_c respond(plane c of the group, weights[o][c]) / divisor + bias[o]
    """
    groups = len(planes) // len(weights[0])
    each = len(weights) // groups
    biases = bias if isinstance(bias, (list, tuple)) else [bias] * len(weights)
    out = []
    for o, kernel in enumerate(weights):
        first = o // each * len(kernel)
        parts = [
            respond(planes[first + c], kernel[c], divisor=divisor, **geometry)
            for c in range(len(kernel))
        ]
        out.append(
            [[sum(rs) + Fraction(biases[o]) for rs in zip(*rows, strict=True)]
             for rows in zip(*parts, strict=True)]
        )  # fmt: skip
    return out
