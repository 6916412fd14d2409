"""The schedules: each is chosen where it is meant to be, and none shows in the result."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, signal

from imgconv import Kernel, apply, arrays, correlate
from imgconv.compiled.words import PLAIN
from imgconv.engine import program, ready, real, run, sums
from imgconv.engine.plan import make_plan
from imgconv.engine.step import make_layer
from imgconv.engine.sums import Plan
from imgconv.engine.whole import reciprocal
from tests.reference import BORDERS

MAXIMUM = {"uint8": 255, "uint16": 65535, "float32": 1}


def bell(size: int, sigma: float) -> np.ndarray:
    """Weights of a gaussian in one direction, which add up to 1."""
    taps = np.exp(-((np.arange(size) - size // 2) ** 2) / (2 * sigma**2))
    return taps / taps.sum()


def mixed(rng: np.random.Generator, rows: int, columns: int, gain: float = 1) -> np.ndarray:
    """Real weights of both signs, whose magnitudes add up to a gain."""
    weights = rng.normal(size=(rows, columns))
    if abs(weights.sum()) == np.abs(weights).sum():  # by chance of one
        weights.flat[0] *= -1
    return weights * gain / np.abs(weights).sum()


def whole(rng: np.random.Generator, rows: int, columns: int, most: int) -> np.ndarray:
    """Whole weights of both signs without a zero."""
    weights = rng.integers(1, most + 1, (rows, columns))
    return weights * rng.choice([-1, 1], weights.shape)


def outer(rng: np.random.Generator, rows: int, columns: int, count: int = 1) -> np.ndarray:
    """Real weights of both signs that are a sum of outer products."""
    return sum(mixed(rng, rows, 1) @ mixed(rng, 1, columns) for _ in range(count))


# The name of a schedule: how to make a kernel for it, on which samples, and how to tell it.
Make = Callable[[np.random.Generator], np.ndarray]
SCHEDULES: dict[str, tuple[Make, str, Callable[[Plan], bool]]] = {
    "six whole taps at once": (
        lambda r: np.array([[1, 0, -1]] * 3) * r.integers(1, 5),
        "uint8",
        lambda p: len(p.last.weights) == 6 and p.rounding.how == PLAIN,
    ),
    "nine whole taps at once": (
        lambda r: whole(r, 3, 3, 9),
        "uint8",
        lambda p: len(p.last.weights) == 9 and p.last.kind == "int16",
    ),
    "whole taps in groups": (
        lambda r: whole(r, 5, 6, 4),
        "uint8",
        lambda p: p.ring == p.last.kind == "int16" and not p.down,
    ),
    "whole taps in 32 bits": (
        lambda r: whole(r, 4, 3, 3000),
        "uint8",
        lambda p: p.last.kind == "int32",
    ),
    "whole taps on 16 bits": (
        lambda r: whole(r, 3, 4, 90),
        "uint16",
        lambda p: p.last.kind == "int32",
    ),
    "whole columns, then rows": (
        lambda r: whole(r, 7, 1, 3) @ whole(r, 1, 7, 3),
        "uint8",
        lambda p: len(p.down) == 1 and p.ring != "uint16",
    ),
    "two whole columns, then rows": (
        lambda r: whole(r, 11, 1, 2) @ whole(r, 1, 11, 2) + whole(r, 11, 1, 2) @ whole(r, 1, 11, 2),
        "uint8",
        lambda p: len(p.down) in (1, 2),  # by chance the same columns
    ),
    "real taps at once": (
        lambda r: mixed(r, 3, 3),
        "uint8",
        lambda p: p.last.kind == "float32" and len(p.last.weights) == 9,
    ),
    "positive taps in fixed point at once": (
        lambda r: np.abs(mixed(r, 3, 3)),
        "uint8",
        lambda p: p.ring == "uint16" and len(p.last.weights) == 9,
    ),
    "taps of both signs in fixed point": (
        lambda r: mixed(r, 5, 6),
        "uint8",
        lambda p: p.ring == "uint16" and p.last.kind == "int16",
    ),
    "few taps with a gain in fixed point": (
        lambda r: np.abs(mixed(r, 2, 4, 3)),
        "uint8",
        lambda p: p.ring == "uint16",
    ),
    "a gaussian in fixed point": (
        lambda r: np.outer(bell(9, r.uniform(0.8, 3)), bell(13, r.uniform(0.8, 4))),
        "uint8",
        lambda p: p.ring == "uint16" and len(p.down) == 1 and p.last.kind == "uint16",
    ),
    "a wide gaussian in fixed point": (
        lambda r: np.outer(bell(81, 10), bell(81, r.uniform(7, 10))),
        "uint8",
        lambda p: p.ring == "uint16" and len(p.down) == 1,
    ),
    "a column of both signs in fixed point": (
        lambda r: outer(r, 7, 6),
        "uint8",
        lambda p: p.ring == "uint16" and len(p.down) == 1,
    ),
    "a column of both signs, a row of negative weights in fixed point": (
        lambda r: mixed(r, 7, 1) @ -np.abs(mixed(r, 1, 6)),
        "uint8",
        lambda p: p.ring == "uint16" and len(p.down) == 1,
    ),
    "negative taps in fixed point": (
        lambda r: -np.abs(mixed(r, 5, 6)),
        "uint8",
        lambda p: p.ring == "uint16" and not p.down,
    ),
    "two columns of both signs in fixed point": (
        lambda r: outer(r, 9, 9, 2),
        "uint8",
        lambda p: p.ring == "uint16" and len(p.down) == 2,
    ),
    "real columns, then rows": (
        lambda r: outer(r, 8, 7),
        "uint16",
        lambda p: p.last.kind == "float32" and len(p.down) == 1,
    ),
    "many rows of real columns, then rows": (
        lambda r: outer(r, int(r.integers(45, 60)), 7),
        "uint16",
        lambda p: p.last.kind == "float32" and len(p.down) == 1,
    ),
    "many rows in double precision": (
        lambda r: outer(r, int(r.integers(45, 60)), 7) * 1e5,
        "uint16",
        lambda p: p.last.kind == "float64" and len(p.down) == 1,
    ),
    "many real taps": (
        lambda r: mixed(r, 13, 14),
        "uint8",
        lambda p: p.last.kind == "float32" and not p.down,
    ),
    "real taps in double precision": (
        lambda r: mixed(r, 3, 3, 1e5),
        "uint16",
        lambda p: p.last.kind == "float64",
    ),
    "a mean of bytes, its rows going on": (
        lambda r: np.ones((int(r.integers(3, 5)), 3), int),
        "uint8",
        lambda p: p.beside.running and not p.beside.prefixed and p.beside.last.kind == "int16",
    ),
    "a mean that stays in 16 bits": (
        lambda r: np.ones((7, int(r.integers(7, 10))), int),
        "uint8",
        lambda p: p.beside.running and p.beside.prefixed and p.beside.last.kind == "int16",
    ),
    "a large mean": (
        lambda r: np.ones((int(r.integers(16, 40)), int(r.integers(16, 70))), int),
        "uint8",
        lambda p: p.beside.running and p.beside.prefixed and p.beside.last.kind == "int32",
    ),
    "a mean of words": (
        lambda r: np.ones((9, int(r.integers(9, 14))), int),
        "uint16",
        lambda p: p.beside.running and p.beside.prefixed,
    ),
    "columns that are no means, rows of runs": (
        lambda r: np.outer(r.permutation(6) + 1, np.repeat(r.choice([-3, -1, 2, 5], 3), 7)),
        "uint8",
        lambda p: p.beside.prefixed and not p.beside.running,
    ),
    "few taps far apart": (
        lambda r: np.where(r.permutation(25 * 27).reshape(25, 27) < 5, mixed(r, 25, 27, 9), 0),
        "uint8",
        lambda p: p.cost <= 18 + sums.PASS,
    ),
    "float samples": (
        lambda r: mixed(r, 5, 5),
        "float32",
        lambda p: p.last.kind == "float32" and not p.down,
    ),
    "float columns, then rows": (
        lambda r: outer(r, 9, 8),
        "float32",
        lambda p: len(p.down) == 1,
    ),
}  # fmt: skip


def kernel_of(weights: np.ndarray) -> Kernel:
    """Return the weights as a kernel, whole ones as whole numbers."""
    return Kernel(weights.tolist())


def picture(rng: np.random.Generator, shape: tuple[int, ...], kind: str) -> np.ndarray:
    """Return noise with flat areas, and both ends of the range."""
    image = rng.random(shape)
    image[: shape[0] // 3] = rng.random()
    image[-2:, -3:] = 1
    image[:2, -3:] = 0
    return (image * MAXIMUM[kind] + (kind != "float32") / 2).astype(kind)


DIRECT = 225  # taps up to which SciPy adds up products; it transforms more, in double precision


def truth(image: np.ndarray, weights: np.ndarray, border: str) -> np.ndarray:
    """Return the responses in float64, by NumPy's border and SciPy's correlation inside it."""
    (high, wide), (rows, columns) = weights.shape, image.shape[:2]
    around = (((high - 1) // 2, high // 2), ((wide - 1) // 2, wide // 2))
    found = []
    for plane in np.moveaxis(np.atleast_3d(image).astype(np.float64), 2, 0):
        padded = np.pad(plane, around, border)
        if weights.size > DIRECT:
            found.append(signal.correlate(padded, weights, mode="valid", method="fft"))
        else:  # ten times as fast as `signal`
            inside = ndimage.correlate(padded, weights, mode="constant")
            found.append(inside[high // 2 :, wide // 2 :][:rows, :columns])
    return np.stack(found, -1).reshape(image.shape)


def hold(image: np.ndarray, weights: np.ndarray, border: str, levels: str) -> None:
    """Hold `apply` to the responses: exact for whole weights, else within a level."""
    response = truth(image, weights, border)
    maximum = MAXIMUM[image.dtype.name]
    shift = (maximum + 1) / 2 if maximum > 1 else 0.5
    wanted = {"clip": response, "abs": abs(response), "offset": shift + response / 2}[levels]
    found = apply(image, kernel_of(weights), border=border, levels=levels)
    if maximum == 1:
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)
        return
    wanted = np.clip(np.rint(wanted), 0, maximum)
    most = 0 if (weights % 1 == 0).all() else 1
    assert np.abs(found.astype(float) - wanted).max() <= most


@pytest.mark.parametrize("name", SCHEDULES)
@given(st.data())
@settings(max_examples=10)  # the first one compiles
def test_every_schedule_holds_to_the_truth(name: str, data: st.DataObject) -> None:
    """Whatever the picture, border and levels, whole weights are exact and real ones near."""
    make, kind, chosen = SCHEDULES[name]
    rng = np.random.default_rng(data.draw(st.integers(0, 10_000), "seed"))
    weights = make(rng)
    assert chosen(make_plan(kernel_of(weights), kind, kind)), "another schedule was chosen"
    shape = data.draw(st.tuples(st.integers(1, 70), st.integers(1, 90)), "shape")
    shape += data.draw(st.sampled_from([(), (1,), (3,), (4,)]), "channels")
    border = data.draw(st.sampled_from(BORDERS), "border")
    levels = data.draw(st.sampled_from(["clip", "abs", "offset"]), "levels")
    if levels != "clip" and name.startswith("few taps with a gain"):
        levels = "clip"  # offsets of a gain leave 16 bits
    hold(picture(rng, shape, kind), weights, border, levels)


@pytest.mark.parametrize("name", SCHEDULES)
def test_no_schedule_depends_on_threads_panels_or_rings(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One thread or three, the whole width or little of it, rows abreast or not: the same bytes."""
    make, kind, _ = SCHEDULES[name]
    rng = np.random.default_rng(3)
    kernel, image = kernel_of(make(rng)), picture(rng, (157, 331, 3), kind)
    monkeypatch.setattr(ready, "WORK", 0)
    monkeypatch.setenv("IMGCONV_THREADS", "1")
    first = apply(image, kernel, border="reflect")
    monkeypatch.setenv("IMGCONV_THREADS", "3")
    again(image, kernel, first)
    monkeypatch.setattr(program, "WIDEST", 64)
    again(image, kernel, first)
    monkeypatch.setattr(program, "CHUNK", 3)
    again(image, kernel, first)


def again(image: np.ndarray, kernel: Kernel, first: np.ndarray) -> None:
    """Hold `apply` to what came first, by a program that is written anew."""
    forget()
    np.testing.assert_array_equal(apply(image, kernel, border="reflect"), first)


def forget() -> None:
    """Forget the programs and plans that are kept."""
    arrays._prepare.cache_clear()
    run._ready.cache_clear()
    make_plan.cache_clear()
    make_layer.cache_clear()


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have Fourier transforms chosen for small pictures too."""
    monkeypatch.setattr(real, "TRANSFORM_START", 0)
    forget()
    yield
    forget()


SIZES = [(31, 31), (16, 17), (5, 60), (70, 9)]
TURNS = [("edge", "clip"), ("wrap", "offset"), ("reflect", "abs")]


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shape", [(9, 11), (260, 250, 3), (510, 231)])
def test_transforms_hold_to_the_truth(
    kind: str, size: tuple[int, int], shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large dense kernels through Fourier transforms are within a level, one or many tiles."""
    rng = np.random.default_rng(sum(size))
    weights, image = mixed(rng, *size), picture(rng, shape, kind)
    chosen = make_plan(kernel_of(weights), kind, kind, outputs=image.size)
    assert chosen.transform
    turn = (SIZES.index(size) + (kind == "uint8")) % 3  # of those that take long, one each
    for border, levels in TURNS if image.size < 100 else TURNS[turn : turn + 1]:
        hold(image, weights, border, levels)
    found = correlate(image, kernel_of(weights), border="symmetric")
    wanted = truth(image, weights, "symmetric")
    np.testing.assert_allclose(found, wanted, rtol=0, atol=MAXIMUM[kind] * 2e-6)
    one = apply(image, kernel_of(weights))
    monkeypatch.setenv("IMGCONV_THREADS", "1")
    np.testing.assert_array_equal(apply(image, kernel_of(weights)), one)


@pytest.mark.usefixtures("eager")
def test_transforms_are_for_large_real_kernels_on_whole_samples_alone() -> None:
    """Whole weights stay exact, a NaN stays where it is, few taps and strides stay direct."""
    rng = np.random.default_rng(1)
    real, many = kernel_of(mixed(rng, 31, 31)), 1 << 30
    assert make_plan(real, "uint8", "uint8", outputs=many).transform
    assert not make_plan(real, "float32", "float32", outputs=many).transform
    assert not make_plan(real, "uint8", "uint8").transform
    assert not make_plan(kernel_of(whole(rng, 31, 31, 9)), "uint8", "uint8", outputs=many).transform
    assert not make_plan(kernel_of(mixed(rng, 13, 13)), "uint8", "uint8", outputs=many).transform
    image = picture(rng, (120, 130), "uint8")
    found = apply(image, real, stride=2)
    np.testing.assert_array_equal(found, apply(image, real, stride=1)[::2, ::2])


def test_a_flat_picture_keeps_its_level_under_smoothing_in_fixed_point() -> None:
    """White stays white and every gray its gray under gaussians of all widths."""
    for sigma in (0.6, 1, 2.2, 5, 10):
        taps = bell(2 * int(4 * sigma + 0.5) + 1, sigma)
        kernel = kernel_of(np.outer(taps, taps))
        assert make_plan(kernel, "uint8", "uint8").ring == "uint16"
        for level in range(0, 256, 5):
            flat = np.full((20, 30), level, np.uint8)
            assert (apply(flat, kernel) == level).all(), (sigma, level)


def test_division_by_multiplication_is_exact() -> None:
    """The reciprocal of every divisor gives the quotients of all numbers of 15 bits."""
    numbers = np.arange(1 << 15)
    powers = [2**k + d for k in range(2, 15) for d in (-1, 1)]
    for divisor in [*range(3, 400), *powers, 10_000, 30_000, 32_766]:
        multiplier, shift = reciprocal(divisor)
        upper = numbers * (multiplier % (1 << 16)) >> 16
        np.testing.assert_array_equal(upper >> shift, numbers // divisor, str(divisor))
