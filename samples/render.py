"""Render the pictures of this folder: a ray-traced still life, test figures and a sticker."""

import itertools
import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

# Points, directions and colours are arrays of shape (3, N): one contiguous row per component is
# several times faster in NumPy than one row per point, and float32 halves the memory traffic.
Array = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.intp]
Field = Callable[[Array], Array]  # points -> one number per point
Paint = Callable[[Array], Array]  # points -> one linear colour per point
Point = tuple[float, float, float]

HERE = Path(__file__).resolve().parent
WIDTH, HEIGHT = 1200, 800
SUPER = 2  # samples per pixel along each axis
LIGHT_SAMPLES = 8  # per sample, so SUPER**2 times as many per pixel
TILE_ROWS = 80  # of the supersampled picture: large enough to amortise Python, small for caches

EYE = (0.0, 4.5, 14.0)
# The camera looks level and the lens is shifted down, as in architectural photography: all
# verticals stay vertical although the table is seen from above.
LENS_HALF_WIDTH, LENS_SHIFT = 0.425, -0.185

LAMP = (-8.0, 10.5, 9.0)
LAMP_RADIUS = 1.7
LAMP_COLOUR = (2.66, 2.29, 1.8)
WINDOW_LIGHT = (0.42, 0.5, -0.75)  # direction towards the window in the wall, for a cool fill
SHEEN = 0.6  # share of the theoretical reflection at grazing angles: nothing is that clean
HIT = 1e-3  # distance at which a marching ray counts as having arrived
LIFT = 0.012  # offset of secondary rays, so that they do not hit the surface they leave


@dataclass(frozen=True)
class Thing:
    """A solid: its signed distance and paint live in its own coordinates."""

    sdf: Field
    paint: Paint
    at: Point
    reach: float  # radius of a bounding sphere; infinite for a plane y = 0
    turn: Array
    relief: Field | None = None  # height of small bumps, which only bend the normal
    gloss: float = 0.0  # mirror reflection when looked at straight
    satin: float = 0.0  # strength of a broad highlight
    rough: float = 0.0  # how far mirror reflections are scattered
    glow: bool = False  # the paint is light, not a reflectance


@dataclass(frozen=True)
class Rays:
    """A bundle of rays with the sampling state of the pixels they belong to."""

    origin: Array
    direction: Array
    spin: Array  # rotation of the light's sample pattern, common to all samples of a pixel
    part: Array  # which of the SUPER**2 samples of the pixel this is


# ---------------------------------------------------------------- small vector helpers


def dot(a: Array, b: Array) -> Array:
    """Multiply two bundles of vectors, pair by pair."""
    total: Array = a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
    return total


def length(*parts: Array) -> Array:
    """Return the Euclidean length of vectors given by their components."""
    total: Array = np.sqrt(sum(part * part for part in parts))
    return total


def unit(a: Array) -> Array:
    """Scale vectors to length 1."""
    return a / length(*a)


def column(values: Sequence[float]) -> Array:
    """Make one vector or colour that broadcasts over a bundle."""
    return np.array(values, np.float32)[:, None]


def rgb(code: str) -> Array:
    """Turn '#rrggbb' (sRGB) into a linear colour column."""
    return column([(int(code[i : i + 2], 16) / 255) ** 2.2 for i in (1, 3, 5)])


def smooth(low: float, high: float, x: Array) -> Array:
    """Step from 0 at `low` to 1 at `high` without a kink; `low` may be the larger."""
    t: Array = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def mix(a: Array, b: Array, t: Array | float) -> Array:
    """Fade from a at t = 0 to b at t = 1."""
    return a + (b - a) * t


def rotation(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> Array:
    """Rotate about y, then x, then z of the thing itself (degrees)."""
    (cy, sy), (cx, sx), (cz, sz) = (
        (math.cos(math.radians(a)), math.sin(math.radians(a))) for a in (yaw, pitch, roll)
    )
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_y @ about_x @ about_z, np.float32)


# ---------------------------------------------------------------- noise and procedural texture

LATTICE = np.random.default_rng(7).random(64**3, dtype=np.float32)


def noise(x: Array, y: Array, z: Array | float = 0.5) -> Array:
    """Make value noise in 0..1: random numbers on a grid of step 1, interpolated."""
    total = np.zeros(np.broadcast_shapes(x.shape, y.shape), np.float32)
    cells, weights = [], []
    for c in (x, y, np.broadcast_to(np.asarray(z, np.float32), total.shape)):
        low = np.floor(c)
        t = c - low
        t = t * t * (3 - 2 * t)
        i = low.astype(np.intp)
        cells.append((i & 63, (i + 1) & 63))
        weights.append((1 - t, t))
    for a in (0, 1):
        for b in (0, 1):
            start = cells[0][a] * 4096 + cells[1][b] * 64
            weight = weights[0][a] * weights[1][b]
            for cell, share in zip(cells[2], weights[2], strict=True):
                total += LATTICE[start + cell] * weight * share
    return total


def cloud(x: Array, y: Array, z: Array | float = 0.5, octaves: int = 3) -> Array:
    """Add noise of doubling fineness and halving strength; the mean is near 0.5."""
    total = np.zeros_like(x)
    for k in range(octaves):
        total += noise(x * 2**k + 17 * k, y * 2**k + 31 * k, z) * np.float32(0.5 ** (k + 1))
    return total / np.float32(1 - 0.5**octaves)


def wood(across: Array, along: Array, light: Array, dark: Array) -> Array:
    """Paint the grain of one continuous board running in direction `along`."""
    warp = cloud(across * 0.55, along * 0.09)
    rings = 0.5 + 0.5 * np.sin(across * 3.0 + warp * 34)
    fibre = noise(across * 26, along * 0.7) * 0.6 + noise(across * 60, along * 1.9) * 0.4
    return mix(light, dark, np.clip(0.62 * rings**2 + 0.9 * fibre - 0.3, 0, 1))


def table(p: Array) -> Array:
    """Lay planks along x with dark joints, each a different piece of wood."""
    width = 1.9
    across: Array = (p[2] + 0.55) / width
    plank = np.floor(across)
    joint = smooth(width / 2 - 0.03, width / 2 - 0.008, np.abs(across - plank - 0.5) * width)
    shift = plank * 7.31
    grain = wood(p[2] + shift, p[0] + shift * 3.7, rgb("#bf8650"), rgb("#6f4120"))
    tint: Array = 0.86 + 0.28 * noise(plank * 3.1 + 0.5, plank * 1.7)
    return grain * tint * (1 - 0.78 * joint)


BRICK_W, BRICK_H, MORTAR = 1.56, 0.52, 0.05


def brick_cell(p: Array) -> tuple[Array, Array, Array]:
    """Return the row and column of the brick at each wall point and its distance to the joint."""
    row = np.floor(p[2] / BRICK_H)
    x = p[0] / BRICK_W + 0.5 * (row % 2)
    col = np.floor(x)
    to_side = (0.5 - np.abs(x - col - 0.5)) * BRICK_W
    to_top = (0.5 - np.abs(p[2] / BRICK_H - row - 0.5)) * BRICK_H
    wobble = 0.03 * (noise(p[0] * 5, p[2] * 5) - 0.5)
    return row, col, np.minimum(to_side, to_top) + wobble


def brick(p: Array) -> Array:
    """Paint brickwork: each brick has its own shade, the joints are a little darker."""
    row, col, inside = brick_cell(p)
    shade = noise(row * 5.3 + 0.5, col * 3.7 + 0.5)
    stain = cloud(p[0] * 1.4, p[2] * 1.4)
    face = mix(rgb("#8a5f50"), rgb("#ad8471"), shade) * (0.72 + 0.5 * stain)
    return mix(rgb("#857468"), face, smooth(MORTAR * 0.6, MORTAR * 1.2, inside))


def brick_relief(p: Array) -> Array:
    """Let the bricks stand out from the joints, with a rough face."""
    _, _, inside = brick_cell(p)
    rough = cloud(p[0] * 7, p[2] * 7, octaves=2)
    return 0.045 * smooth(MORTAR * 0.3, MORTAR * 1.8, inside) + 0.018 * rough


def gingham(p: Array) -> Array:
    """Weave checked cloth: two sets of stripes, darker where they cross."""
    step = 0.42
    stripes = [smooth(-0.12, 0.12, np.sin(c * np.float32(math.pi / step))) for c in (p[0], p[2])]
    thread = 0.9 + 0.4 * noise(p[0] * 14, p[2] * 70) * noise(p[0] * 70, p[2] * 14)
    hem = smooth(0.0, 0.02, np.abs(np.maximum(np.abs(p[0]) - 2.0, np.abs(p[2]) - 1.55) + 0.12))
    dyed = mix(rgb("#f1ead9"), rgb("#35698a"), (stripes[0] + stripes[1]) * 0.5)
    return dyed * thread * (0.75 + 0.25 * hem)


def landscape(p: Array) -> Array:
    """Paint the view from the window: evening sky, hills and out-of-focus lights."""
    x, y = p[0], p[1]
    colour = mix(rgb("#f7c98f"), rgb("#7fa6c4"), smooth(-1.4, 3.0, y + 0.25 * x))
    colour = mix(colour, rgb("#fff1d6"), 0.55 * smooth(0.45, 0.68, cloud(x * 0.45, y * 1.5)))
    colour = colour + rgb("#ffca80") * np.exp(-((x + 1.5) ** 2 + (y + 0.3) ** 2) * 0.55) * 0.8
    for level, slope, soft, tone in (
        (-0.35, 0.12, 0.09, "#a9b3b0"),
        (-0.95, -0.14, 0.12, "#7f9783"),
        (-1.5, 0.10, 0.16, "#58774f"),
        (-2.15, -0.05, 0.22, "#3d5636"),
    ):
        ridge = level + slope * x + 0.9 * (noise(x * 0.6 + level * 9, np.full_like(x, 0.5)) - 0.5)
        colour = mix(colour, rgb(tone), smooth(-soft, soft, ridge - y))
    rng = np.random.default_rng(11)
    for _ in range(22):
        cx, cy, r = rng.uniform(-3, 3), rng.uniform(-2.7, -1.6), rng.uniform(0.1, 0.22)
        spot = smooth(0.03, -0.03, np.hypot(x - cx, y - cy) - r)
        tone = str(rng.choice(["#e9c87a", "#b9c77a", "#ffdf9e"]))
        colour = mix(colour, rgb(tone), rng.uniform(0.12, 0.45) * spot)
    return colour * np.float32(1.15)


# ---------------------------------------------------------------- signed distances


def union(first: Array, *others: Array) -> Array:
    """Join solids."""
    for other in others:
        first = np.minimum(first, other)
    return first


def overlap(first: Array, *others: Array) -> Array:
    """Keep what all solids have in common."""
    for other in others:
        first = np.maximum(first, other)
    return first


def ball(p: Array, radius: float) -> Array:
    """Measure the distance to a sphere."""
    return length(*p) - radius


def box(p: Array, half: Point, rounding: float) -> Array:
    """Measure the distance to a block with rounded edges."""
    q = np.abs(p) - (column(half) - rounding)
    return length(*np.maximum(q, 0)) + np.minimum(overlap(*q), 0) - rounding


def plane(p: Array) -> Array:
    """Measure the height above y = 0."""
    height: Array = p[1]
    return height


def around(p: Array) -> Array:
    """Return the distance from the y axis, which turns an outline into a body of revolution."""
    return length(p[0], p[2])


def rod(p: Array, radius: float, half: float, rounding: float) -> Array:
    """Measure the distance to a cylinder along y with rounded edges."""
    a, b = around(p) - radius + rounding, np.abs(p[1]) - half + rounding
    outside = length(np.maximum(a, 0), np.maximum(b, 0))
    return outside + np.minimum(overlap(a, b), 0) - rounding


def ellipsoid(p: Array, radii: Array) -> Array:
    """Estimate the distance to an ellipsoid, exact to first order at the surface."""
    near = length(*(p / radii))
    return near * (near - 1) / np.maximum(length(*(p / radii**2)), 1e-6)


def blend(a: Array, b: Array, width: float) -> Array:
    """Join two solids with a fillet."""
    h: Array = np.maximum(width - np.abs(a - b), 0) / width
    return union(a, b) - h * h * (width / 4)


def apple(p: Array) -> Array:
    """Shape a torus so fat that it has no hole, only dimples; narrower at the bottom."""
    taper = 1 - 0.2 * p[1]
    ring = length(around(p) * taper - 0.36, p[1] * 0.9) - 0.46
    x, y = p[0] - 0.12 * (p[1] - 0.2) ** 2, np.abs(p[1] - 0.5) - 0.24
    stem = length(x, np.maximum(y, 0), p[2]) - 0.035
    return union(ring * 0.8, stem * 0.9)


MUG_RADIUS, MUG_HALF = 1.0, 1.12


def mug(p: Array) -> Array:
    """Shape a cup with a rounded rim and an ear, filled nearly to the top."""
    body = rod(p, MUG_RADIUS, MUG_HALF, 0.13)
    q = p - column((0, 0.16, 0))
    hollow = rod(q, MUG_RADIUS - 0.1, MUG_HALF, 0.1)
    cup = -blend(-body, hollow, 0.07)
    x, y = p[0] - MUG_RADIUS - 0.02, p[1]
    ear = length(length(x * 1.15, y) - 0.56, p[2]) - 0.12
    cup = blend(cup, overlap(ear, MUG_RADIUS - 0.05 - around(p)), 0.12)
    coffee = overlap(around(p) - MUG_RADIUS + 0.05, np.abs(p[1] - 0.76) - 0.1)
    return union(cup, coffee) * 0.9


def book(p: Array, half: Point) -> Array:
    """Bind two boards, a spine facing +z and pages that stand back on three sides."""
    w, h, d = half
    q = np.array([p[0], np.abs(p[1]) - (h - 0.035), p[2]])
    boards = box(q, (w, 0.035, d), 0.02)
    spine = box(p - column((0, 0, d - 0.03)), (w, h, 0.05), 0.03)
    pages = box(p, (w - 0.07, h - 0.03, d - 0.07), 0.01)
    return union(boards, spine, pages)


def lemon(p: Array) -> Array:
    """Shape an ellipsoid with a nub at each end."""
    body = ellipsoid(p, column((0.54, 0.68, 0.54)))
    tips = union(ball(p - column((0, 0.68, 0)), 0.1), ball(p + column((0, 0.66, 0)), 0.12))
    return blend(body, tips, 0.25) * 0.9


def vase(p: Array) -> Array:
    """Shape a belly with a narrow neck and a flared lip."""
    belly = ellipsoid(p - column((0, 0.85, 0)), column((0.82, 0.9, 0.82)))
    neck = rod(p - column((0, 1.9, 0)), 0.2, 0.5, 0.05)
    lip = length(around(p) - 0.24, p[1] - 2.42) - 0.055
    foot = rod(p - column((0, 0.08, 0)), 0.45, 0.08, 0.03)
    return blend(blend(blend(belly, neck, 0.5), lip, 0.15), foot, 0.1) * 0.8


def frame(p: Array) -> Array:
    """Build a window frame with one post, one rail and a sill."""
    outer = overlap(np.abs(p[0]) - 3.2, np.abs(p[1]) - 2.95)
    inner = overlap(np.abs(p[0]) - 2.95, np.abs(p[1]) - 2.7)
    cross = union(np.abs(p[0] + 0.2), np.abs(p[1] - 0.7)) - 0.09
    flat = union(overlap(outer, -inner), overlap(cross, outer))
    bars = length(np.maximum(flat + 0.04, 0), np.maximum(np.abs(p[2]) - 0.12, 0)) - 0.04
    sill = box(p - column((0, -3.02, 0.25)), (3.5, 0.1, 0.45), 0.04)
    return union(bars, sill)


def leaf(p: Array, size: float) -> Array:
    """Shape a thin cupped blade along y, pointed like the overlap of two discs."""
    width = 0.4 * size
    radius = (size**2 + width**2) / (2 * width)
    outline = length(np.abs(p[0]) + radius - width, p[1]) - radius
    height = p[2] - 0.9 * p[0] ** 2 / size + 0.25 * p[1] ** 2 / size
    return length(np.maximum(outline, 0), np.maximum(np.abs(height) - 0.012, 0)) - 0.014


def twig_leaves() -> list[tuple[Array, Array, float]]:
    """Place the leaves of a twig: (centre, rotation, half length) for each."""
    rng = np.random.default_rng(5)
    leaves: list[tuple[Array, Array, float]] = []
    for k in range(15):
        t = 0.22 + 0.78 * k / 14
        side = -1.0 if k % 2 else 1.0
        pitch, yaw = rng.uniform(-35, 35), rng.uniform(-40, 40)
        turn = rotation(yaw, pitch, side * rng.uniform(48, 66) * (1.15 - 0.75 * t) - 10 * t)
        size = 0.56 * (1.15 - 0.45 * t)
        leaves.append((column(twig_point(t)) + turn @ column((0, size, 0)), turn, size))
    return leaves


def twig_point(t: float) -> Point:
    """Follow the stem from its root, t = 0, to its tip, t = 1."""
    return (0.75 * t * t, 2.7 * t - 0.35 * t * t - 1.4, 0.1 * t)


TWIG = [column(twig_point(k / 8)) for k in range(9)]
LEAVES = twig_leaves()


def twig(p: Array) -> Array:
    """Join the pieces of the stem and the leaves."""
    stems = []
    for a, b in itertools.pairwise(TWIG):
        along = np.clip(dot(p - a, b - a) / dot(b - a, b - a), 0, 1)
        stems.append(ball(p - a - (b - a) * along, 0.03))
    leaves = [leaf(turn.T @ (p - centre), size) for centre, turn, size in LEAVES]
    return union(*stems, *leaves) * 0.8


def pencil(p: Array) -> Array:
    """Shape a hexagonal pencil along y with a turned tip."""
    x, z = np.abs(p[0]), np.abs(p[2])
    hexagon = overlap(x, x * 0.5 + z * 0.866) - 0.105
    cone = around(p) * 0.96 - (1.3 - p[1]) * 0.26
    return overlap(hexagon, cone, np.abs(p[1]) - 1.3) * 0.95


def napkin(p: Array) -> Array:
    """Spread a thin cloth with gentle waves."""
    wave = 0.035 * np.sin(p[0] * 2.3 + 1.4 * np.sin(p[2] * 1.7)) * np.cos(p[2] * 1.9 + 0.6)
    return box(np.array([p[0], p[1] - wave, p[2]]), (2.0, 0.03, 1.55), 0.025) * 0.9


# ---------------------------------------------------------------- lettering and printed surfaces


def font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the font that comes with Pillow."""
    return ImageFont.load_default(size=size)


def printed(picture: Image.Image) -> Callable[[Array, Array], Array]:
    """Return a bilinear lookup of a picture as linear colour, u and v in 0..1 from top left."""
    texels = (np.asarray(picture.convert("RGB"), np.float32) / 255) ** np.float32(2.2)
    rows, cols = texels.shape[:2]

    def look_up(u: Array, v: Array) -> Array:
        x = np.clip(u, 0, 1) * (cols - 1)
        y = np.clip(v, 0, 1) * (rows - 1)
        i = np.minimum(x.astype(np.intp), cols - 2)
        j = np.minimum(y.astype(np.intp), rows - 2)
        fx, fy = (x - i)[:, None], (y - j)[:, None]
        top = mix(texels[j, i], texels[j, i + 1], fx)
        bottom = mix(texels[j + 1, i], texels[j + 1, i + 1], fx)
        return np.ascontiguousarray(mix(top, bottom, fy).T, np.float32)

    return look_up


def halved(picture: Image.Image) -> Image.Image:
    """Shrink print, which is drawn twice as large as it is seen, for smooth edges."""
    return picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.LANCZOS)


def spine(title: str, author: str, linen: str, ink: str, size: tuple[int, int]) -> Image.Image:
    """Draw the back of a book: rules at both ends, title left, author right."""
    picture = Image.new("RGB", size, linen)
    draw = ImageDraw.Draw(picture)
    w, h = size
    for x in (0.045, 0.06, 0.94, 0.955):
        draw.rectangle((w * x, 0, w * x + 6, h), ink)
    draw.text((w * 0.11, h * 0.5), title, ink, font(h * 0.46), "lm")
    draw.text((w * 0.9, h * 0.5), author, ink, font(h * 0.26), "rm")
    return halved(picture)


def label() -> Image.Image:
    """Draw the print on the front of the mug, on the colour of its glaze."""
    picture = Image.new("RGB", (1400, 1400), "#f3ead8")
    draw = ImageDraw.Draw(picture)
    draw.text((700, 640), "imgconv", "#1f5560", font(310), "mm")
    draw.text((700, 870), "pixels in, pixels out", "#b0562f", font(96), "mm")
    return halved(picture)


def star(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float) -> None:
    """Draw a Siemens star of 36 spokes."""
    for k in range(0, 72, 2):
        corners = [
            (x + radius * math.cos(a * math.pi / 36), y + radius * math.sin(a * math.pi / 36))
            for a in (k, k + 1)
        ]
        draw.polygon([(x, y), *corners], "#1c1c1c")


def chart() -> Image.Image:
    """Draw a test card: text of falling size, star, line pairs, checks and grey steps."""
    picture = Image.new("RGB", (1280, 960), "#f6f2e8")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((24, 24, 1255, 935), None, "#1c1c1c", 6)
    for size, y, text in (
        (112, 118, "CONVOLUTION"),
        (52, 208, "edges  corners  texture"),
        (34, 270, "imgconv 0123456789 the quick brown fox"),
    ):
        draw.text((640, y), text, "#1c1c1c", font(size), "mm")
    star(draw, 290, 545, 215)
    for k, pitch in enumerate((40, 30, 22, 16)):
        for x in range(0, 280 - pitch // 2, pitch):
            top = 330 + 112 * k
            draw.rectangle((570 + x, top, 570 + x + pitch // 2 - 1, top + 84), "#1c1c1c")
    for row in range(10):
        for col in range(row % 2, 7, 2):
            x, y = 910 + col * 40, 330 + row * 42
            draw.rectangle((x, y, x + 39, y + 41), ("#b23a2e", "#1f5560")[row % 4 // 2])
    for k in range(9):
        draw.rectangle((80 + k * 124, 800, 203 + k * 124, 890), (round(28 + 27 * k),) * 3)
    return halved(picture)


def kernel_face(rows: Sequence[Sequence[int]]) -> Image.Image:
    """Draw one face of the cube: a 3x3 kernel, coloured by sign."""
    picture = Image.new("RGB", (600, 600), "#26221f")
    draw = ImageDraw.Draw(picture)
    for j, row in enumerate(rows):
        for i, value in enumerate(row):
            tone = "#e9dfca" if value == 0 else "#2f7f86" if value < 0 else "#d8663a"
            x, y = i * 200 + 10, j * 200 + 10
            draw.rounded_rectangle((x, y, x + 180, y + 180), 26, tone)
            ink = "#8d8474" if value == 0 else "#fff8ea"
            draw.text((x + 90, y + 92), str(value), ink, font(120), "mm")
    return halved(picture)


CUBE_HALF = 0.66


def cube_paint() -> Paint:
    """Print a Laplacian, a Gaussian and a Sobel kernel on the three faces in view."""
    front = printed(kernel_face([[0, -1, 0], [-1, 4, -1], [0, -1, 0]]))
    right = printed(kernel_face([[1, 2, 1], [2, 4, 2], [1, 2, 1]]))
    top = printed(kernel_face([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]))

    def paint(p: Array) -> Array:
        x, y, z = p / np.float32(2 * CUBE_HALF)
        face = np.abs(p).argmax(axis=0)
        colour = np.where(face == 0, right(0.5 - z, 0.5 - y), top(x + 0.5, z + 0.5))
        return np.where(face == 2, front(x + 0.5, 0.5 - y), colour)

    return paint


def cube_relief(p: Array) -> Array:
    """Cut grooves between the tiles."""
    third = 2 * CUBE_HALF / 3
    gap = np.abs((p / np.float32(third) + 0.5) % 1 - 0.5) * np.float32(third)
    return -0.03 * (1 - smooth(0.0, 0.05, np.sort(third / 2 - gap, axis=0)[1]))


def book_paint(half: Point, title: str, author: str, linen: str, ink: str) -> Paint:
    """Paint linen covers, a lettered spine and the streaky edges of the pages."""
    w, h, d = half
    texels = (round(w * 420), round(h * 420))
    back = printed(spine(title, author, linen, ink, (texels[0] * 2, texels[1] * 2)))
    cover, paper = rgb(linen), rgb("#efe4c8")

    def paint(p: Array) -> Array:
        weave = 0.9 + 0.2 * noise(p[0] * 30, p[1] * 30, p[2] * 30)
        sheets = 0.72 + 0.3 * noise(p[1] * 55, p[0] * 0.8 + p[2] * 0.8)
        pages = (np.abs(p[1]) < h - 0.072) & (p[2] < d - 0.085)
        colour = np.where(pages, paper * sheets, cover * weave)
        lettered = back(p[0] / (2 * w) + 0.5, 0.5 - p[1] / (2 * h)) * weave
        return np.where(p[2] > d - 0.03, lettered, colour)

    return paint


def mug_paint() -> Paint:
    """Paint cream glaze with print and stripes, and the coffee."""
    band = printed(label())

    def paint(p: Array) -> Array:
        radius = around(p)
        angle = np.arctan2(p[0], p[2])
        glaze = band(angle / np.float32(1.9) + 0.5, 0.5 - p[1] / np.float32(1.9))
        stripe = (np.abs(np.abs(p[1] + 0.02) - 0.86) < 0.055) & (radius > MUG_RADIUS - 0.05)
        glaze = np.where(stripe & (radius < MUG_RADIUS + 0.04), rgb("#1f6b75"), glaze)
        glaze = np.where(p[1] > MUG_HALF - 0.07, rgb("#1f6b75"), glaze)
        coffee = (radius < MUG_RADIUS - 0.07) & (p[1] < 0.875)
        return np.where(coffee, rgb("#4a2a18"), glaze)

    return paint


def apple_paint(p: Array) -> Array:
    """Paint red streaks over yellow, small dots, and green around the stem."""
    angle = np.arctan2(p[2], p[0])
    streak = cloud(np.cos(angle) * 11 + 19, np.sin(angle) * 11 + 19, p[1] * 0.8)
    ripe = smooth(0.25, 0.6, streak + 0.22 * np.sin(angle + 0.6) + 0.12)
    skin = mix(rgb("#c9953c"), rgb("#9a1d1b"), ripe)
    skin = mix(skin, rgb("#a9a548"), smooth(0.33, 0.1, around(p)) * smooth(0, 0.3, p[1]))
    dots = smooth(0.83, 0.9, noise(p[0] * 17, p[1] * 17, p[2] * 17))
    return np.where((around(p) < 0.09) & (p[1] > 0.2), rgb("#4d3420"), mix(skin, skin * 1.5, dots))


def orange_paint(p: Array) -> Array:
    """Paint orange skin with a small green star where the stem was."""
    skin = mix(rgb("#d96a12"), rgb("#ea8a1e"), cloud(p[0] * 2, p[1] * 2, p[2] * 2))
    angle = np.arctan2(p[2], p[0])
    return np.where(around(p) < 0.07 + 0.025 * np.sin(5 * angle), rgb("#5d6b32"), skin)


def lemon_paint(p: Array) -> Array:
    """Paint yellow skin that turns green towards the ends."""
    skin = mix(rgb("#d9a91f"), rgb("#e8c545"), cloud(p[0] * 2, p[1] * 2, p[2] * 2))
    return mix(skin, rgb("#8f9a3a"), smooth(0.55, 0.85, np.abs(p[1])) * 0.6)


def lemon_relief(p: Array) -> Array:
    """Make the skin uneven."""
    return 0.02 * cloud(p[0] * 11, p[1] * 11, p[2] * 11, octaves=2)


def orange_relief(p: Array) -> Array:
    """Make fine pores and a hollow around the star."""
    pores = cloud(p[0] * 17, p[1] * 17, p[2] * 17, octaves=2)
    return 0.013 * pores - 0.06 * smooth(0.2, 0.0, around(p))


def leaf_paint(p: Array) -> Array:
    """Paint green, lighter along the veins of whichever leaf is nearest."""
    nearest = np.full(p.shape[1], 0.03, np.float32)
    vein = np.zeros_like(nearest)
    for centre, turn, size in LEAVES:
        q = turn.T @ (p - centre)
        gap = leaf(q, size)
        side = 0.5 * smooth(0.85, 1.0, np.sin((q[1] - 0.8 * np.abs(q[0])) * 46))
        lines = np.maximum(side, smooth(0.022, 0.008, np.abs(q[0])))
        vein = np.where(gap < nearest, lines, vein)
        nearest = np.minimum(nearest, gap)
    tone = cloud(p[0] * 2.2, p[1] * 2.2, p[2] * 2.2)
    blade = mix(rgb("#476b49"), rgb("#86a67c"), smooth(0.25, 0.75, tone))
    return mix(blade, rgb("#b9c99a"), 0.55 * vein)


def chart_paint() -> Paint:
    """Print the test card on its board."""
    card = printed(chart())
    return lambda p: card(p[0] / np.float32(2.92) + 0.5, 0.5 - p[1] / np.float32(2.2))


def block_paint(p: Array) -> Array:
    """Paint dark wood."""
    return wood(p[2] + p[1] * 0.4 + 3, p[0], rgb("#a8713f"), rgb("#6b4122"))


def vase_paint(p: Array) -> Array:
    """Paint a glaze that lightens upwards, with pale speckles."""
    speckle = smooth(0.8, 0.88, noise(p[0] * 24, p[1] * 24, p[2] * 24))
    glaze = mix(rgb("#27474d"), rgb("#5c8886"), smooth(0.2, 1.9, p[1] + 0.5 * cloud(p[0], p[2])))
    return mix(glaze, rgb("#d9cfb5"), speckle * 0.5)


def pencil_paint(p: Array) -> Array:
    """Paint lead, bare wood up to a scalloped edge, lacquer, ferrule and rubber."""
    edge = 0.89 + 0.03 * np.cos(6 * np.arctan2(p[2], p[0]))
    colour = np.where(p[1] < edge, rgb("#e0a21b"), rgb("#dcb888"))
    colour = np.where(p[1] > 1.16, rgb("#2a2a2c"), colour)
    colour = np.where(p[1] < -0.99, rgb("#b9b4a8"), colour)
    return np.where(p[1] < -1.12, rgb("#c9736b"), colour)


def plain(code: str) -> Paint:
    """Paint everything in one colour."""
    colour = rgb(code)
    return lambda p: np.broadcast_to(colour, p.shape)


# ---------------------------------------------------------------- the scene

LEVEL = rotation()


def scene() -> list[Thing]:
    """Arrange the picture; y = 0 is the table top, z points to the viewer, unit about 4 cm."""
    return [*backdrop(), *library(), *kitchen(), *desk()]


def backdrop() -> list[Thing]:
    """Set up table, wall and window."""
    pane = partial(box, half=(3.1, 2.8, 0.02), rounding=0.01)
    upright = rotation(pitch=90)
    return [
        Thing(plane, table, (0, 0, 0), math.inf, LEVEL, gloss=0.03, satin=0.1, rough=0.07),
        Thing(plane, brick, (0, 0, -4.5), math.inf, upright, relief=brick_relief),
        Thing(pane, landscape, (4.6, 4.85, -4.5), 4.3, LEVEL, glow=True),
        Thing(frame, plain("#ece3d2"), (4.6, 4.85, -4.4), 5.2, LEVEL, satin=0.13),
    ]


def kitchen() -> list[Thing]:
    """Set out fruit, crockery and a twig."""
    orange, tilted = partial(ball, radius=0.72), rotation(30, 35)
    lying = rotation(yaw=25, roll=80)
    return [
        Thing(apple, apple_paint, (-2.75, 2.6, -0.75), 0.98, rotation(25, 8), gloss=0.04),
        Thing(vase, vase_paint, (-0.3, 0, -2.4), 2.6, LEVEL, gloss=0.045),
        Thing(twig, leaf_paint, (-0.3, 3.7, -2.4), 1.9, rotation(15), satin=0.2),
        Thing(mug, mug_paint(), (1.2, MUG_HALF, -0.5), 1.95, rotation(-2), gloss=0.045),
        Thing(napkin, gingham, (3.2, 0.03, 1.75), 2.7, rotation(14)),
        Thing(orange, orange_paint, (4.05, 0.78, 1.35), 0.74, tilted, orange_relief, satin=0.37),
        Thing(lemon, lemon_paint, (2.85, 0.6, 2.2), 0.9, lying, lemon_relief, satin=0.4),
    ]


def desk() -> list[Thing]:
    """Set out the kernel cube, the test card on its stand, a mirror ball and a pencil."""
    cube = partial(box, half=(CUBE_HALF,) * 3, rounding=0.07)
    card = partial(box, half=(1.46, 1.1, 0.03), rounding=0.01)
    stand = partial(box, half=(0.8, 0.17, 0.3), rounding=0.05)
    mirror = partial(ball, radius=0.5)
    at, lying = (-0.72, CUBE_HALF, 1.75), rotation(17) @ rotation(roll=90)
    return [
        Thing(cube, cube_paint(), at, 1.15, rotation(-28), cube_relief, satin=0.33),
        Thing(card, chart_paint(), (4.1, 1.32, -1.75), 1.85, rotation(-12, -8), satin=0.1),
        Thing(stand, block_paint, (4.1, 0.17, -1.62), 0.9, rotation(-12), satin=0.1),
        Thing(mirror, plain("#0c0c0d"), (0.85, 0.5, 2.35), 0.51, LEVEL, gloss=0.86),
        Thing(pencil, pencil_paint, (-3.0, 0.105, 2.75), 1.35, lying, satin=0.4),
    ]


def library() -> list[Thing]:
    """Pile up three books."""
    pile = (
        ((2.3, 0.42, 1.6), 0.42, 4, "CONVOLUTION", "3 x 3", "#6f2a26", "#e8c98a"),
        ((2.1, 0.3, 1.5), 1.14, -4, "Sharpen & Blur", "a field guide", "#c08a35", "#3a2a18"),
        ((1.9, 0.27, 1.4), 1.71, 7, "imgconv", "the manual", "#24525c", "#f0e3c4"),
    )
    return [
        Thing(
            partial(book, half=half),
            book_paint(half, title, author, linen, ink),
            (-3.25, y, -1.3),
            math.hypot(*half) + 0.02,
            rotation(yaw),
            satin=0.16,
        )
        for half, y, yaw, title, author, linen, ink in pile
    ]


# ---------------------------------------------------------------- casting rays


def march(thing: Thing, rays: Rays, far: Array) -> Array:
    """Return the distance along each ray at which it meets the thing, infinite if it does not."""
    reached = np.full(far.shape, np.inf, np.float32)
    offset = rays.origin - column(thing.at)
    if math.isinf(thing.reach):
        normal = thing.turn[:, 1:2]
        with np.errstate(divide="ignore", invalid="ignore"):
            t = -dot(normal, offset) / dot(normal, rays.direction)
        return np.where((t > 0) & (t < far), t, reached)
    mid = -dot(offset, rays.direction)
    chord = mid * mid - dot(offset, offset) + thing.reach**2
    half = np.sqrt(np.maximum(chord, 0))
    start, stop = np.maximum(mid - half, 0), np.minimum(mid + half, far)
    alive = np.flatnonzero((chord > 0) & (stop > start))
    origin = thing.turn.T @ offset[:, alive]
    direction = thing.turn.T @ rays.direction[:, alive]
    t, stop = start[alive], stop[alive]
    for _ in range(90):
        if not alive.size:
            break
        gap = thing.sdf(origin + direction * t)
        t = t + gap
        hit = gap < HIT
        reached[alive[hit]] = t[hit]
        on = ~hit & (t < stop)
        alive, t, stop = alive[on], t[on], stop[on]
        origin, direction = origin[:, on], direction[:, on]
    return reached


def trace(things: list[Thing], rays: Rays) -> tuple[Array, Ints]:
    """Return for each ray the distance to what it meets first, and which thing that is."""
    nearest = np.full(rays.spin.shape, np.inf, np.float32)
    which = np.full(rays.spin.shape, -1, np.intp)
    for index, thing in enumerate(things):
        t = march(thing, rays, nearest)
        closer = t < nearest
        nearest[closer] = t[closer]
        which[closer] = index
    return nearest, which


def blocked(things: list[Thing], rays: Rays, far: Array) -> npt.NDArray[np.bool_]:
    """Tell for each ray whether anything lies before the distance `far`."""
    dark = np.zeros(far.shape, np.bool_)
    for thing in things:
        if math.isinf(thing.reach):
            continue  # both planes have everything on one side, so they shade nothing
        # A reach of zero takes rays that are already dark out of the search.
        dark |= np.isfinite(march(thing, rays, np.where(dark, 0, far)))
    return dark


def pick(rays: Rays, which: Ints) -> Rays:
    """Return some of the rays."""
    return Rays(rays.origin[:, which], rays.direction[:, which], rays.spin[which], rays.part[which])


def clearance(things: list[Thing], points: Array, limit: float) -> Array:
    """Return the distance from each point to the nearest surface, at most `limit`."""
    nearest = np.full(points.shape[1], limit, np.float32)
    for thing in things:
        offset = points - column(thing.at)
        if math.isinf(thing.reach):
            nearest = np.minimum(nearest, dot(thing.turn[:, 1:2], offset))
            continue
        close = np.flatnonzero(ball(offset, thing.reach) < nearest)
        gap = thing.sdf(thing.turn.T @ offset[:, close])
        nearest[close] = np.minimum(nearest[close], gap)
    return nearest


# ---------------------------------------------------------------- light


def disc(rays: Rays, k: int, count: int) -> tuple[Array, Array]:
    """Return one point of a sunflower pattern on the unit disc for each ray.

    The samples of one pixel are different members of one pattern of `count * SUPER**2` points,
    which is turned by another angle in every pixel: even coverage without visible bands.
    """
    member = rays.part + k * SUPER**2
    radius = np.sqrt((member + 0.5) / np.float32(count * SUPER**2))
    angle = member * np.float32(2.399963) + rays.spin
    return radius * np.cos(angle), radius * np.sin(angle)


def aimed(direction: Array, axis: Point) -> tuple[Array, Array, Array]:
    """Return slope to the right, slope upwards and cosine of directions relative to an axis."""
    ahead = unit(column(axis))
    side = unit(np.cross(ahead, column((0, 1, 0)), axis=0))
    up = np.cross(side, ahead, axis=0)
    cosine = dot(ahead, direction)
    depth = np.maximum(cosine, 0.01)
    return dot(side, direction) / depth, dot(up, direction) / depth, cosine


def room(direction: Array) -> Array:
    """Return what reflections see behind the viewer: dim walls and a bright window."""
    u, v, cosine = aimed(direction, LAMP)
    walls = mix(rgb("#33271f"), rgb("#958166"), smooth(-0.5, 0.9, direction[1]))
    walls = walls + column((0.5, 0.42, 0.3)) * np.exp(6 * (cosine - 1))
    pane = smooth(0.02, -0.02, np.maximum(np.abs(u) - 0.24, np.abs(v) - 0.3))
    pane = pane * smooth(0.015, 0.03, np.minimum(np.abs(u), np.abs(v)))
    return mix(walls, column((11.0, 9.8, 8.2)), pane)


def beam(way: Array) -> Array:
    """Return the lamp's light in a direction: most of it leaves in a soft-edged rectangle."""
    u, v, _ = aimed(way, (0.46, -0.5, -0.73))
    inside = smooth(0.06, -0.06, np.maximum(np.abs(u) - 0.37, np.abs(v) - 0.27))
    return 0.25 + 0.75 * inside


def lamp_light(
    things: list[Thing], rays: Rays, point: Array, normal: Array, samples: int
) -> tuple[Array, Array]:
    """Return how much of the area light each point receives, diffusely and as a highlight."""
    to_lamp = unit(column(LAMP) - point)
    side = unit(np.cross(to_lamp, column((0, 1, 0)), axis=0))
    up = np.cross(side, to_lamp, axis=0)
    facing = np.flatnonzero(dot(normal, to_lamp) > -0.1)
    seen = np.zeros(rays.spin.shape, np.float32)
    near = pick(rays, facing)
    start = point[:, facing] + normal[:, facing] * LIFT
    for k in range(samples):
        a, b = disc(near, k, samples)
        aim = column(LAMP) + LAMP_RADIUS * (side[:, facing] * a + up[:, facing] * b) - start
        far = length(*aim)
        shadow = blocked(things, Rays(start, aim / far, near.spin, near.part), far)
        seen[facing] += ~shadow / np.float32(samples)
    seen *= beam(-to_lamp)
    halfway = unit(to_lamp - rays.direction)
    highlight = np.maximum(dot(normal, halfway), 0) ** 38
    return seen * np.maximum(dot(normal, to_lamp), 0), seen * highlight


def openness(things: list[Thing], point: Array, normal: Array) -> Array:
    """Estimate ambient light: probe along the normal how soon other surfaces come near."""
    closed = np.zeros(point.shape[1], np.float32)
    for reach, weight in ((0.1, 0.22), (0.25, 0.22), (0.55, 0.2), (1.1, 0.18), (2.0, 0.14)):
        gap = clearance(things, point + normal * np.float32(reach), reach)
        closed += weight * (1 - np.maximum(gap, 0) / np.float32(reach))
    return 1 - closed


def normals(thing: Thing, p: Array) -> Array:
    """Derive normals from the distance less the relief, by four tetrahedral probes."""
    step = np.float32(4e-3)
    total = np.zeros_like(p)
    for corner in ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)):
        way = column(corner)
        probe = p + way * step
        height = thing.sdf(probe)
        if thing.relief is not None:
            height = height - thing.relief(probe)
        total += way * height
    return unit(total)


def surfaces(things: list[Thing], point: Array, which: Ints) -> tuple[Array, Array, Array]:
    """Return colour, normal and the (gloss, satin, rough, glow) of every point."""
    colour, normal = np.zeros_like(point), np.zeros_like(point)
    finish = np.zeros((4, point.shape[1]), np.float32)
    for index, thing in enumerate(things):
        mine = np.flatnonzero(which == index)
        if mine.size:
            p = thing.turn.T @ (point[:, mine] - column(thing.at))
            colour[:, mine] = thing.paint(p)
            normal[:, mine] = thing.turn @ normals(thing, p)
            finish[:, mine] = column((thing.gloss, thing.satin, thing.rough, float(thing.glow)))
    return colour, normal, finish


def shade(things: list[Thing], rays: Rays, first: bool = True) -> Array:
    """Return the linear colour that each ray sees; reflections are followed once."""
    t, which = trace(things, rays)
    colour = room(rays.direction)
    solid = np.flatnonzero(which >= 0)
    rays = pick(rays, solid)
    point = rays.origin + rays.direction * t[solid]
    paint, normal, (gloss, satin, rough, glow) = surfaces(things, point, which[solid])
    lit, highlight = lamp_light(things, rays, point, normal, LIGHT_SAMPLES if first else 1)
    fill = np.maximum(0, 0.35 + 0.65 * dot(unit(column(WINDOW_LIGHT)), normal))
    sky = mix(column((0.20, 0.135, 0.085)), column((0.40, 0.40, 0.42)), 0.5 + 0.5 * normal[1])
    ambient = (sky + column((0.30, 0.34, 0.40)) * fill) * openness(things, point, normal)
    lamp = column(LAMP_COLOUR)
    seen = paint * (ambient + lamp * lit) + lamp * highlight * satin
    seen += mirrored(things, rays, point, normal, (gloss, rough), first)
    colour[:, solid] = np.where(glow > 0, paint, seen)
    return colour


def mirrored(
    things: list[Thing],
    rays: Rays,
    point: Array,
    normal: Array,
    finish: tuple[Array, Array],
    first: bool,
) -> Array:
    """Return the light that glossy surfaces reflect towards the viewer (Schlick's formula)."""
    result = np.zeros_like(point)
    gloss, rough = finish
    shiny = np.flatnonzero(gloss > 0)
    bundle, n, gloss, rough = pick(rays, shiny), normal[:, shiny], gloss[shiny], rough[shiny]
    slope = -dot(n, bundle.direction)
    share = gloss + (1 - gloss) * np.clip(1 - slope, 0, 1) ** 5 * SHEEN
    a, b = disc(bundle, 0, 1)
    way = unit(bundle.direction + 2 * slope * n + rough * np.array([a, b * 0.3, b]))
    bounced = Rays(point[:, shiny] + n * LIFT, way, bundle.spin, bundle.part)
    # The lamp seen in a mirror in a mirror is so small that at full strength it would be noise.
    light = shade(things, bounced, False) if first else np.minimum(room(way), 2)
    result[:, shiny] = light * share
    return result


# ---------------------------------------------------------------- camera and picture


def camera(first_row: int) -> Rays:
    """Return the rays of one tile of the supersampled picture.

    The samples of a pixel form a rotated square: no two share a row or a column, which smooths
    nearly level and nearly upright edges in four steps instead of two.
    """
    rows = np.arange(first_row, first_row + TILE_ROWS)
    y, x = (a.ravel() for a in np.meshgrid(rows, np.arange(WIDTH * SUPER), indexing="ij"))
    scale = 2 * LENS_HALF_WIDTH / (WIDTH * SUPER)
    across = (x + 0.75 - 0.5 * (y % SUPER) - WIDTH * SUPER / 2) * scale
    up = (HEIGHT * SUPER / 2 - y - 0.25 - 0.5 * (x % SUPER)) * scale + LENS_SHIFT
    direction = unit(np.array([across, up, -np.ones_like(up)], np.float32))
    dither = (52.9829189 * ((0.06711056 * (x // SUPER) + 0.00583715 * (y // SUPER)) % 1)) % 1
    spin = (2 * math.pi * dither).astype(np.float32)
    part = (x % SUPER + SUPER * (y % SUPER)).astype(np.float32)
    return Rays(np.repeat(column(EYE), x.size, axis=1), direction, spin, part)


def developed(light: Array) -> Array:
    """Map linear light to display values 0..1 with a film-like shoulder."""
    x = light * np.float32(0.62)
    film = x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14)
    return np.clip(film, 0, 1) ** np.float32(1 / 2.2)


def render(things: list[Thing]) -> Image.Image:
    """Render all tiles, average the samples of each pixel and add a little sensor noise."""

    def tile(first_row: int) -> Array:
        light = developed(shade(things, camera(first_row)))
        split = (3, TILE_ROWS // SUPER, SUPER, WIDTH, SUPER)
        return np.moveaxis(light.reshape(split).mean(axis=(2, 4)), 0, -1)

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # NumPy lets threads run in parallel
        picture = np.concatenate(list(pool.map(tile, range(0, HEIGHT * SUPER, TILE_ROWS)))) * 255
    grain = np.random.default_rng(3).normal(0, 1.5, (HEIGHT, WIDTH, 1))
    return Image.fromarray(np.clip(np.rint(picture + grain), 0, 255).astype(np.uint8))


# ---------------------------------------------------------------- test figures and sticker


def figures() -> dict[str, Image.Image]:
    """Draw the three test figures of the exercises of Dive into Deep Learning."""
    a = np.zeros((6, 7), np.uint8)
    a[:, :3] = 255  # seven columns have no half: three are white and four are black
    b = np.zeros((8, 8), np.uint8)
    b[:4, 4:] = b[4:, :4] = 255
    c = np.ones((9, 9), np.uint8)
    inner = np.arange(1, 8)
    c[inner, inner] = c[inner, 8 - inner] = 255
    return {
        "figure-a": Image.fromarray(a),
        "figure-b": Image.fromarray(b),
        "figure-c": Image.fromarray(c),
    }


STICKER, FINE = 400, 4  # size in pixels, and how much larger it is drawn


def rounded(corners: Sequence[tuple[float, float]], radius: float, mirror: bool) -> Image.Image:
    """Return the mask of a polygon with soft corners, together with its mirror image on demand."""
    mask = Image.new("L", (STICKER * FINE, STICKER * FINE))
    sides = (corners, [(STICKER - x, y) for x, y in corners]) if mirror else (corners,)
    for side in sides:
        ImageDraw.Draw(mask).polygon([(x * FINE, y * FINE) for x, y in side], 255)
    return swollen(mask, radius, 0.5)


def swollen(mask: Image.Image, radius: float, level: float) -> Image.Image:
    """Blur and cut at a level: 0.5 rounds corners, less also grows the shape."""
    blurred = mask.filter(ImageFilter.GaussianBlur(radius * FINE))
    return blurred.point([0 if v < level * 255 else 255 for v in range(256)])


def oval(x: float, y: float, rx: float, ry: float, mirror: bool) -> Image.Image:
    """Return the mask of an ellipse, together with its mirror image on demand."""
    mask = Image.new("L", (STICKER * FINE, STICKER * FINE))
    for centre in (x, STICKER - x) if mirror else (x,):
        edges = (centre - rx, y - ry, centre + rx, y + ry)
        ImageDraw.Draw(mask).ellipse(tuple(v * FINE for v in edges), 255)
    return mask


def fox() -> list[tuple[Image.Image, str, str]]:
    """Draw the motif's parts from back to front: (mask, colour at the top, at the bottom)."""
    ear = [(74, 40), (182, 128), (76, 200)]
    inner = [(92, 76), (150, 126), (96, 166)]
    head = [(206, 92), (160, 94), (112, 114), (70, 168), (44, 238), (100, 290), (206, 340)]
    cheek = [(40, 236), (98, 222), (150, 224), (198, 262), (206, 344), (100, 294)]
    blaze = [(200, 100), (184, 108), (200, 216), (216, 108)]
    nose = [(174, 246), (226, 246), (206, 274), (194, 274)]
    return [
        (rounded(ear, 7, True), "#f08a3c", "#b8441a"),
        (rounded(inner, 6, True), "#5a2b1c", "#7d3f2a"),
        (rounded(head, 9, True), "#f6a04a", "#d9581f"),
        (rounded(cheek, 5, True), "#fff6e8", "#f3dcc0"),
        (rounded(blaze, 4, False), "#ffd9a8", "#f3a658"),
        (oval(138, 196, 15, 18, True), "#2b1a16", "#3d2620"),
        (rounded(nose, 5, False), "#2b1a16", "#3d2620"),
    ]


def sticker() -> Image.Image:
    """Compose a die-cut fox badge with a soft shadow and real transparency."""
    size = (STICKER * FINE, STICKER * FINE)
    ramp = Image.linear_gradient("L").resize(size)
    parts = fox()
    ribbon = rounded([(52, 301), (348, 301), (348, 360), (52, 360)], 9, False)
    parts.append((ribbon, "#2d7f86", "#1c5560"))
    outline = ribbon
    art = Image.new("RGB", size, "#ffffff")
    for mask, top, bottom in parts:
        outline = ImageChops.lighter(outline, mask)
        tones = Image.composite(Image.new("RGB", size, bottom), Image.new("RGB", size, top), ramp)
        art.paste(tones, mask=mask)
    glints(ImageDraw.Draw(art))
    outline = swollen(outline, 9, 0.1)
    shadow = ImageChops.offset(outline, 4 * FINE, 7 * FINE)
    shadow = shadow.filter(ImageFilter.GaussianBlur(6 * FINE)).point([v // 2 for v in range(256)])
    dark = Image.new("RGBA", size, "#2a1c12")
    dark.putalpha(shadow)
    art.putalpha(outline)
    # Pillow resizes RGBA with premultiplied alpha, so the drawing's own edges do not bleed.
    small = np.array(Image.alpha_composite(dark, art).resize((STICKER, STICKER)))
    # The colour of invisible pixels ought not to matter. Glaring magenta shows at once when a
    # filter mixes it into the edge because it ignores alpha.
    small[small[..., 3] == 0] = (255, 0, 255, 0)
    return Image.fromarray(small)


def glints(draw: ImageDraw.ImageDraw) -> None:
    """Draw the light in the eyes, the smile and the lettering."""
    for x in (133, 257):
        draw.ellipse(tuple(v * FINE for v in (x - 5, 183, x + 5, 193)), "#ffffff")
    for x in (182, 218):
        edges = tuple(v * FINE for v in (x - 18, 259, x + 18, 289))
        draw.arc(edges, 20, 160, "#2b1a16", 3 * FINE)
    draw.text((200 * FINE, 330 * FINE), "imgconv", "#fff6e8", font(46 * FINE), "mm")


def main() -> None:
    """Write all pictures next to this script."""
    picture = render(scene())
    picture.save(HERE / "scene.jpg", quality=90, subsampling="4:4:4", optimize=True)
    gray = picture.resize((WIDTH // 2, HEIGHT // 2), Image.Resampling.LANCZOS).convert("L")
    for name, image in {"scene-gray": gray, "sticker": sticker(), **figures()}.items():
        image.save(HERE / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
