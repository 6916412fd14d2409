"""What `imgconv show` says of frequencies, by Fourier transforms of NumPy and SciPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import signal

from imgconv import Kernel, load_kernel
from imgconv.kernels.frequencies import BLOCKS, DRAWN, drawing, magnitude, profiles, table, verdict

SIDES = st.tuples(st.integers(1, 7), st.integers(1, 7))
WEIGHTS = SIDES.flatmap(lambda side: arrays(np.int64, side, elements=st.integers(-9, 9)))
AXES = ("along x", "along y", "diagonal")


def amplitudes(kernel: Kernel, axis: str) -> np.ndarray:
    """Return |H| at 0, 1/64 ... 1/2 cycles a sample from a Fourier transform of 64x64 samples."""
    whole = np.abs(np.fft.fft2(kernel.array / kernel.divisor, (64, 64)))[:33, :33]
    return {"along x": whole[0], "along y": whole[:, 0], "diagonal": whole.diagonal()}[axis]


def profile_of(spec: object, axis: str = "along x") -> list[float]:
    """Return the profile of a kernel along an axis."""
    return profiles(load_kernel(spec))[axis]


@given(weights=WEIGHTS, divisor=st.sampled_from([1, 16, -3, 0.7]))
def test_magnitudes_are_those_of_the_fourier_transform(weights, divisor):
    """Along x, along y and down to the right, at each frequency that is drawn."""
    kernel = Kernel(weights, divisor=divisor)
    assert tuple(profiles(kernel)) == AXES
    for axis, profile in profiles(kernel).items():
        found = [magnitude(profile, f) for f in DRAWN]
        np.testing.assert_allclose(found, amplitudes(kernel, axis), atol=1e-9)


def test_the_response_to_a_wave_has_that_amplitude():
    """A wave through the kernel itself: what goes in with 1 comes out with |H|."""
    kernel = load_kernel([[1, 2, 0], [-3, 1, 4]])
    y, x = np.mgrid[:40, :40]
    for axis, along in zip(AXES, (x, y, x + y), strict=True):
        wave = np.exp(2j * np.pi * 0.125 * along)
        response = signal.correlate(wave, kernel.array.astype(complex), mode="valid")
        wanted = magnitude(profiles(kernel)[axis], 0.125)
        np.testing.assert_allclose(np.abs(response), wanted, rtol=1e-9)


@given(weights=WEIGHTS)
def test_the_table_has_the_numbers_and_fits_a_terminal(weights):
    """At 0, half and full Nyquist, in at most 6 lines of 80 columns."""
    lines = table(Kernel(weights))
    assert len(lines) <= 6
    assert max(map(len, lines)) <= 80
    assert lines[0].split()[:4] == ["cycles/sample", "0", "0.25", "0.5"]
    for axis, line in zip(AXES, lines[1:4], strict=True):
        name, rest = line.split("|H| ")[1][:8].strip(), line[14:]
        assert name == axis
        numbers = [float(rest[i : i + 10]) for i in (0, 10, 20)]
        wanted = amplitudes(Kernel(weights), axis)[[0, 16, 32]]
        np.testing.assert_allclose(numbers, wanted, rtol=0.006, atol=1e-9)


@given(weights=WEIGHTS)
def test_a_drawing_is_as_tall_as_the_response(weights):
    """Within half an eighth, one character for each 1/64 of a cycle."""
    kernel = Kernel(weights)
    for axis, profile in profiles(kernel).items():
        wanted = amplitudes(kernel, axis)
        peak = wanted.max()
        heights = [BLOCKS.index(block) for block in drawing(profile, peak)]
        assert len(heights) == 33
        if peak > 1e-9:  # else it is what rounding leaves of 0
            np.testing.assert_allclose(heights, 8 * wanted / peak, atol=0.5 + 1e-6)


@pytest.mark.parametrize(
    ("spec", "axis", "word"),
    [
        ("blur", "along x", "low-pass"),
        ("box-5", "along y", "low-pass"),
        ("gaussian(sigma=3)", "along x", "low-pass"),
        ("-1,-2,-1", "along x", "low-pass"),
        ("outline", "along x", "high-pass"),
        ("1,-1", "along x", "high-pass"),
        ("1,-1", "along y", "nothing passes"),
        ("sharpen", "along y", "high-boost"),
        ("unsharp(sigma=2)", "along x", "high-boost"),
        ("sobel-left", "along x", "band-pass"),
        ("sobel-left", "along y", "nothing passes"),
        ("log(sigma=2)", "along x", "band-pass"),
        ("identity", "along x", "all-pass"),
        ("0,0,1", "along x", "all-pass"),
        ("1,0,1", "along x", ""),
        ("emboss", "along x", ""),
        ("0", "along x", "nothing passes"),
    ],
)
def test_what_is_plain_is_named(spec, axis, word):
    """And what is not, a comb or a relief, is not."""
    assert verdict(profile_of(spec, axis)).word == word


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=9))
def test_a_verdict_is_true_of_scipys_response(weights):
    """By the half-power rule on a fine grid, away from the edges that were found."""
    found = verdict([float(w) for w in weights])
    frequencies, response = signal.freqz(weights, worN=np.linspace(0, np.pi, 2001))
    power, at = np.abs(response) ** 2, frequencies / (2 * np.pi)
    peak = power.max()
    for edge in found.half:
        near = np.abs(np.polyval(weights[::-1], np.exp(-2j * np.pi * edge))) ** 2
        assert near == pytest.approx(peak / 2, rel=0.02)
    passes = power >= peak / 2
    clear = np.abs(power - peak / 2) > 0.02 * peak
    inside = {
        "low-pass": lambda: at < found.half[0],
        "high-pass": lambda: at > found.half[0],
        "high-boost": lambda: at > found.half[0],
        "band-pass": lambda: (at > found.half[0]) & (at < found.half[1]),
        "all-pass": lambda: at >= 0,
    }
    if found.word in inside:
        np.testing.assert_array_equal(passes[clear], inside[found.word]()[clear])
    if found.word in ("high-pass", "band-pass"):
        assert power[0] <= 1.01e-4 * peak
    if found.word in ("low-pass", "high-boost"):
        extreme = power.max() if found.word == "low-pass" else power.min()
        assert power[0] == pytest.approx(extreme, rel=0.01)
    assert (found.word == "nothing passes") == (peak == 0)


@pytest.mark.parametrize(
    ("spec", "half"),
    [
        ("1,2,1", np.arccos(np.sqrt(2) - 1) / (2 * np.pi)),  # (1 + cos w) / 2 = 0.707
        ("1,1", 0.25),  # cos(w / 2)
        ("1,-1", 0.25),  # sin(w / 2)
    ],
)
def test_the_half_power_frequency_is_the_one_of_the_formula(run, spec, half):
    """Solved by hand, and printed with three decimals."""
    assert verdict(profile_of(spec)).half == pytest.approx([half], abs=1e-8)
    assert f"half power at {half:.3f} cycles/sample" in run("show", spec).text


def test_equal_verdicts_share_a_line(run):
    """And different ones have one for each axis."""
    assert (
        "  along x and y: low-pass, half power at 0.182 cycles/sample\n" in run("show", "blur").text
    )
    text = run("show", "sobel-left").text
    assert "  along x: band-pass, half power at 0.125 and 0.375 cycles/sample\n" in text
    assert "  along y: nothing passes\n" in text
