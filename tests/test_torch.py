"""The operation is the one that PyTorch calls a convolution, in shape and in value."""

import numpy as np
import pytest

from imgconv import Kernel, correlate

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch


def configuration(number):
    """Draw a picture, weights, a bias and the geometry of a convolution that fits."""
    random = np.random.default_rng(number)
    while True:
        height, width, channels, *kernel = random.integers(1, (17, 22, 4, 7, 7)).tolist()
        padding = tuple(random.integers(0, 6, 2).tolist())
        stride, dilation = (tuple(random.integers(1, 4, 2).tolist()) for _ in range(2))
        spans = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
        if height + 2 * padding[0] >= spans[0] and width + 2 * padding[1] >= spans[1]:
            break
    image = random.integers(0, 256, (height, width, channels), np.uint8)
    if number % 2:
        weights, bias = random.integers(-9, 10, kernel), int(random.integers(-99, 100))
    else:
        weights, bias = random.normal(size=kernel), float(random.normal())
    return image, weights, bias, {"padding": padding, "stride": stride, "dilation": dilation}


def by_torch(image, weights, bias, geometry):
    """Convolve each channel by itself, in float64."""
    channels = torch.from_numpy(np.moveaxis(image, 2, 0)[:, None].astype(np.float64))
    one = torch.from_numpy(np.asarray(weights, np.float64)[None, None])
    out = torch.nn.functional.conv2d(
        channels, one, torch.tensor([bias], dtype=torch.float64), **geometry
    )
    return np.moveaxis(out[:, 0].numpy(), 0, 2)


@pytest.mark.parametrize("number", range(50))
def test_correlate_agrees_with_conv2d(number):
    """Shape and values are those of conv2d for the same padding, stride, dilation and bias."""
    image, weights, bias, geometry = configuration(number)
    expected = by_torch(image, weights, bias, geometry)
    found = correlate(image, Kernel(weights, bias=bias), border="torch:zeros", **geometry)
    assert found.shape == expected.shape
    if number % 2:
        np.testing.assert_array_equal(found, expected)
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-3)


@pytest.mark.parametrize(
    ("border", "mode"),
    [
        ("torch:reflect", "reflect"),
        ("torch:replicate", "replicate"),
        ("torch:circular", "circular"),
    ],
)
def test_borders_are_those_that_torch_pads(border, mode):
    """Torch's words for a border mean what torch.nn.functional.pad puts there."""
    image, weights, bias, _ = configuration(1)
    image = np.resize(image, (9, 11, 2))
    tall, wide = (n - 1 for n in weights.shape)
    planes = torch.from_numpy(np.moveaxis(image, 2, 0).astype(np.float64))
    padded = torch.nn.functional.pad(planes, (wide, wide, tall, tall), mode)
    expected = by_torch(np.moveaxis(padded.numpy(), 0, 2), weights, bias, {})
    found = correlate(image, Kernel(weights, bias=bias), border=border, padding=(tall, wide))
    np.testing.assert_array_equal(found, expected)


def test_configurations_are_varied():
    """The fifty meet strides and dilations apart from one, padding, and several channels."""
    drawn = [configuration(number) for number in range(50)]
    assert len({image.shape[2] for image, *_ in drawn}) == 3
    assert sum(weights.shape[0] != weights.shape[1] for _, weights, *_ in drawn) > 25
    for option, plain in (("padding", (0, 0)), ("stride", (1, 1)), ("dilation", (1, 1))):
        assert sum(geometry[option] != plain for *_, geometry in drawn) > 25
