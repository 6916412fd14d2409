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


# ---- over channels ----------------------------------------------------------------------------


def layer(number):
    """Draw a layer of Conv2d that fits: channels 1 to 6, groups, sides 1 to 7, biases."""
    random = np.random.default_rng(1000 + number)
    while True:
        groups, inputs, each = random.integers(1, (7, 7, 4)).tolist()
        height, width, *kernel = random.integers(1, (24, 24, 8, 8)).tolist()
        options = {
            "stride": tuple(random.integers(1, 4, 2).tolist()),
            "dilation": tuple(random.integers(1, 4, 2).tolist()),
            "padding": tuple(random.integers(0, 5, 2).tolist()),
        }
        spans = [d * (k - 1) + 1 for d, k in zip(options["dilation"], kernel, strict=True)]
        room = [n + 2 * p for n, p in zip((height, width), options["padding"], strict=True)]
        if groups * inputs <= 6 and all(r >= s for r, s in zip(room, spans, strict=True)):
            break
    image = random.normal(size=(height, width, groups * inputs)).astype(np.float32)
    weights = random.normal(size=(groups * each, inputs, *kernel)).astype(np.float32)
    return image, weights, random.normal(size=groups * each).astype(np.float32), options, groups


def channels_first(image):
    """Return an image as torch has it, in doubles."""
    return torch.from_numpy(np.moveaxis(image, 2, 0).astype(np.float64))


@pytest.mark.parametrize("start", range(0, 300, 30))
def test_layers_agree_with_conv2d(start):
    """Example 8: shape and values of kernels over channels are those of conv2d with groups."""
    for number in range(start, start + 30):
        image, weights, bias, options, groups = layer(number)
        expected = torch.nn.functional.conv2d(
            channels_first(image), torch.from_numpy(weights).double(),
            torch.from_numpy(bias).double(), groups=groups, **options,
        ).numpy()  # fmt: skip
        found = correlate(image, Kernel(weights, bias=bias), border="torch:zeros", **options)
        found = found[None] if found.ndim == 2 else np.moveaxis(found, 2, 0)
        assert found.shape == expected.shape
        scale = np.abs(expected).max()
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * scale)


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
def test_borders_of_layers_are_those_of_torch(mode):
    """A module Conv2d with each padding mode gives what the same weights and border give here."""
    random = np.random.default_rng(7)
    image = random.normal(size=(11, 13, 4)).astype(np.float32)
    module = torch.nn.Conv2d(
        4, 6, (3, 5), stride=(2, 1), padding=(2, 3), dilation=(2, 1), groups=2, padding_mode=mode
    ).double()
    weights, bias = module.weight.detach().numpy(), module.bias.detach().numpy()
    expected = module(channels_first(image)[None])[0].detach().numpy()
    found = correlate(
        image, Kernel(weights, bias=bias), border=f"torch:{mode}", padding=(2, 3),
        stride=(2, 1), dilation=(2, 1),
    )  # fmt: skip
    np.testing.assert_allclose(np.moveaxis(found, 2, 0), expected, rtol=1e-4, atol=1e-5)


def test_layers_are_varied():
    """The three hundred meet one channel and six, several groups, even and odd sides."""
    drawn = [layer(number) for number in range(300)]
    assert {image.shape[2] for image, *_ in drawn} == set(range(1, 7))
    assert sum(groups > 1 for *_, groups in drawn) > 100
    assert {side for _, weights, *_ in drawn for side in weights.shape[2:]} == set(range(1, 8))


def test_written_code_gives_the_same():
    """What `show --as torch` writes is executed and gives the responses of the kernel."""
    from imgconv.kernels.dialects import WRITERS

    random = np.random.default_rng(9)
    image = random.normal(size=(9, 10, 4)).astype(np.float32)
    for shape in ((3, 4), (4, 3, 3), (6, 2, 2, 3)):
        kernel = Kernel(random.normal(size=shape), divisor=3, bias=random.normal(
            size=shape[0] if len(shape) == 4 else ()))  # fmt: skip
        names = {"x": channels_first(image)[None].float()}
        exec(WRITERS["torch"](kernel), names)
        found = correlate(image, kernel)
        found = found[:, :, None] if found.ndim == 2 else found
        np.testing.assert_allclose(
            np.moveaxis(names["y"][0].numpy(), 0, 2), found, rtol=1e-4, atol=1e-4
        )
