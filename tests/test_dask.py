"""Dask arrays: however they are cut into chunks, what is computed is what NumPy's give, lazily."""

import pickle
import subprocess
import sys
import weakref

import dask
import dask.array as da
import numpy as np
import pytest
from distributed import Client, LocalCluster
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

import imgconv
import imgconv.dask
from imgconv import Kernel
from imgconv.errors import ImgconvError
from tests.reference import BORDERS

# No two powers of two add up to another: neither a flip nor a transposition goes unnoticed. All
# kernels have nine taps and more than two factors: each other form is seconds of compiling.
ODD = [[1, 2, 4], [32, 8, 16], [256, 64, 128]]
EVEN = [[1, 0, 2, 4], [0, 8, 0, 16], [32, 0, 64, 0], [0, 128, 0, 256]]
REAL = [[0.1, -0.7, 0.3], [1.1, 0.23, -0.9], [0.05, 0.6, -0.45]]


@pytest.fixture(autouse=True)
def _one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


def noise(*shape, kind=np.uint8):
    """Return a picture of random samples, floats among them below 1."""
    random = np.random.default_rng(shape)
    if kind == np.float32:
        return random.random(shape, np.float32)
    return random.integers(0, np.iinfo(kind).max, shape, kind, endpoint=True)


@st.composite
def chunked(draw, kind):
    """Draw a picture with one or three channels, or no axis for them, and the same in chunks."""
    channels = draw(st.sampled_from([(), (1,), (3,)]))
    shape = (*(draw(st.integers(1, 8)) for _ in range(2)), *channels)
    image = noise(*shape, kind=kind)
    if kind == np.float32 and draw(st.booleans()):
        image.flat[0], image.flat[-1] = np.nan, np.inf
    return image, da.from_array(image, chunks=tuple(draw(cuts(length)) for length in shape))


@st.composite
def cuts(draw, length):
    """Cut a length into chunks of any sizes, single samples at times."""
    most = draw(st.sampled_from([1, 4, length]))
    sizes = []
    while left := length - sum(sizes):
        sizes.append(draw(st.integers(1, min(most, left))))
    return tuple(sizes)


@st.composite
def geometries(draw):
    """Draw a padding in any form, a border, strides and dilations."""
    amounts = st.integers(0, 30)
    paddings = st.one_of(
        st.sampled_from(["same", "same", "valid"]),
        amounts,
        st.tuples(amounts, amounts),
        st.tuples(amounts, amounts, amounts, amounts),
    )
    steps = st.one_of(st.just(1), st.integers(1, 9), st.tuples(st.integers(1, 9), st.just(2)))
    return {
        "padding": draw(paddings), "border": draw(st.sampled_from(BORDERS)),
        "fill": draw(st.sampled_from([0, 1])), "stride": draw(steps), "dilation": draw(steps),
    }  # fmt: skip


def kernel_for(weights, layers, channels):
    """Make a kernel for each channel, one that adds them up, or one of two outputs a group."""
    if layers == "each":
        return Kernel(weights)
    if layers == "sum":
        return Kernel([weights] * channels, bias=-5)
    return Kernel([[weights], [np.array(weights)[::-1, ::-1].tolist()]] * channels)


def same(lazy, image, kernel, options, levels):
    """Return what Dask's array and NumPy's make, or the errors that they end in."""
    outcomes = []
    for apply, array in ((imgconv.dask.apply, lazy), (imgconv.apply, image)):
        try:
            outcomes.append(apply(array, kernel, levels=levels, **options))
        except ImgconvError as error:
            outcomes.append(np.array(f"{type(error)}: {error}"))
    lazy, expected = outcomes
    found = lazy.compute() if isinstance(lazy, da.Array) else lazy
    assert (lazy.shape, lazy.dtype) == (found.shape, found.dtype)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    return found, expected


@settings(max_examples=100)
@given(
    chunked(np.uint8),
    geometries(),
    st.sampled_from([ODD, EVEN]),
    st.sampled_from(["each", "each", "sum", "groups"]),
    st.sampled_from(["none", "clip", "stretch"]),
)
def test_whole_weights_give_the_same_bits_for_any_chunks(pair, options, weights, layers, levels):
    """Chunks of any sizes change no bit of what whole weights make of whole samples."""
    image, lazy = pair
    kernel = kernel_for(weights, layers, *image.shape[2:] or (1,))
    np.testing.assert_array_equal(*same(lazy, image, kernel, options, levels))


@settings(max_examples=50)
@given(chunked(np.float32), geometries(), st.sampled_from(["none", "stretch"]))
def test_real_weights_are_within_rounding_for_any_chunks(pair, options, levels):
    """Real weights give what NumPy's do but for the rounding of float32, and NaN where it is."""
    image, lazy = pair
    found, expected = same(lazy, image, Kernel(REAL), options, levels)
    if expected.ndim:
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    else:
        assert found == expected


@pytest.mark.parametrize("levels", ["abs", "offset"])
def test_levels_and_wide_samples_are_as_numpys(levels):
    """The other levels and 16 bits a sample go the same way."""
    image = noise(21, 15, kind=np.uint16)
    lazy = da.from_array(image, chunks=(4, 6))
    np.testing.assert_array_equal(*same(lazy, image, Kernel(ODD), {}, levels))


@pytest.mark.parametrize("mode", ["reflect", "mirror", "nearest", "wrap", "constant"])
@pytest.mark.parametrize("weights", [ODD, EVEN])
def test_scipy_gives_the_same(mode, weights):
    """SciPy's borders and centres, and its convolution of a turned kernel, can be had."""
    image, kernel = noise(23, 17), np.array(weights)
    lazy = da.from_array(image, chunks=(8, 6))
    convolved = imgconv.dask.correlate(lazy, kernel[::-1, ::-1], border=f"scipy:{mode}", fill=0)
    expected = ndimage.convolve(image.astype(float), kernel, mode=mode)
    np.testing.assert_array_equal(convolved, expected)
    (top, left), (bottom, right) = (
        (n // 2 for n in kernel.shape),
        ((n - 1) // 2 for n in kernel.shape),
    )
    correlated = imgconv.dask.correlate(
        lazy, kernel, border=f"scipy:{mode}", padding=(top, right, bottom, left)
    )
    expected = ndimage.correlate(image.astype(float), kernel, mode=mode)
    np.testing.assert_array_equal(correlated, expected)


def test_stretch_looks_at_finite_responses_of_the_whole():
    """The ends are those of all chunks; chunks of NaN have none, and a flat array becomes black."""
    image = np.linspace(-3, 5, 20 * 30, dtype=np.float32).reshape(20, 30)
    image[:4, :5], image[10, 10] = np.nan, np.inf
    nothing = [[0, 0, 0], [0, 1, 0], [0, 0, 0]]
    lazy = da.from_array(image, chunks=(4, 5))
    found = imgconv.dask.apply(lazy, nothing, levels="stretch").compute()
    finite = image[np.isfinite(image)]
    expected = (image - finite.min()) / (finite.max() - finite.min())
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    flat = da.full((9, 7), 40, dtype=np.uint8, chunks=4)
    assert not imgconv.dask.apply(flat, ODD, levels="stretch").compute().any()


def test_nothing_is_computed_before_it_is_asked_for():
    """Shape, chunks and types of a result are known though no chunk can be computed."""
    refuse = da.map_blocks(
        lambda: 1 / 0, chunks=da.core.normalize_chunks(1024, (9_000, 9_000)), dtype=np.uint8
    )
    for levels, kind in (("clip", np.uint8), ("stretch", np.uint8), ("none", np.float32)):
        result = imgconv.dask.apply(refuse, "gaussian(sigma=3)", levels=levels)
        assert result.chunks == refuse.chunks
        assert result.dtype == result._meta.dtype == kind
    assert imgconv.dask.correlate(refuse, ODD, stride=2).chunks[0][:2] == (512, 512)
    with pytest.raises(ZeroDivisionError):
        result.blocks[0, 0].compute()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {(y, x) for y in (2, 3, 4) for x in (2, 3, 4)}),
        ({"padding": "valid"}, {(y, x) for y in (2, 3, 4) for x in (2, 3, 4)}),
        ({"dilation": 20}, {(y, x) for y in (1, 3, 5) for x in (1, 3, 5)}),
        ({"dilation": (1, 20), "border": "wrap"}, {(y, x) for y in (2, 3, 4) for x in (1, 3, 5)}),
    ],
)
def test_a_block_reads_only_what_it_needs(options, expected):
    """A block of the result reads its own chunk and those that its margins are in, no more."""
    read = set()

    def chunk(block_info=None):
        read.add(block_info[None]["chunk-location"])
        return np.ones((10, 10), np.uint8)

    array = da.map_blocks(chunk, chunks=((10,) * 7,) * 2, dtype=np.uint8)
    imgconv.dask.correlate(array, ODD, **options).blocks[3, 3].compute()
    assert read == expected


def test_a_stretch_keeps_few_chunks_in_memory():
    """A stretch goes over the array twice, and lets go of each chunk in both."""
    alive, most = 0, 0

    class Chunk(np.ndarray):
        """An array that can be watched."""

    def gone():
        nonlocal alive
        alive -= 1

    def chunk():
        nonlocal alive, most
        made = np.ones((8, 8), np.uint8).view(Chunk)
        weakref.finalize(made, gone)
        alive += 1
        most = max(most, alive)
        return made

    array = da.map_blocks(
        chunk, chunks=((8,) * 12,) * 2, dtype=np.uint8, meta=np.ones((0, 0), "u1")
    )
    imgconv.dask.apply(array, ODD, levels="stretch").max().compute()
    assert 0 < most < 56


def test_chunks_in_memory_are_not_computed_again():
    """Of a persisted array a stretch computes nothing anew."""
    calls = []
    array = da.zeros((20, 20), dtype=np.uint8, chunks=7).map_blocks(lambda b: calls.append(1) or b)
    array = array.persist()
    before = len(calls)
    imgconv.dask.apply(array, ODD, levels="stretch").compute()
    assert len(calls) == before


def test_padding_beyond_the_array_makes_chunks_of_bounded_size():
    """Where padding adds far more than a chunk, the result is cut into several."""
    image = noise(5, 6)
    options = {"padding": (0, 9000), "border": "wrap"}
    result = imgconv.dask.correlate(da.from_array(image, chunks=3), ODD, **options)
    assert max(result.chunks[1]) <= 2048
    np.testing.assert_array_equal(result, imgconv.correlate(image, ODD, **options))


def test_results_are_arrays_like_any_other():
    """Empty chunks, foreign byte orders, results filtered again and NumPy's own arrays do."""
    image = noise(20, 30, 3)
    expected = imgconv.apply(imgconv.apply(image, EVEN, levels="stretch"), ODD)
    for lazy in (
        image,
        da.from_array(image, chunks=((0, 12, 0, 8), (30, 0), (1, 2))),
        da.from_array(image.astype(">u2"), chunks=7).astype("u1"),
    ):
        first = imgconv.dask.apply(lazy, EVEN, levels="stretch")
        np.testing.assert_array_equal(imgconv.dask.apply(first, ODD), expected)
    swapped = da.from_array(image.astype(">u2"), chunks=9)
    np.testing.assert_array_equal(
        imgconv.dask.apply(swapped, ODD), imgconv.apply(image.astype("u2"), ODD)
    )


def test_the_same_request_has_the_same_name_and_another_another():
    """Names tell requests apart, so that Dask neither repeats work nor mixes it up."""
    array = da.zeros((9, 9), dtype=np.uint8, chunks=4)
    names = [
        imgconv.dask.apply(array, weights, levels=levels, border=border).name
        for weights in (ODD, EVEN)
        for levels in ("clip", "stretch")
        for border in ("edge", "wrap")
        for _ in range(2)
    ]
    assert names[::2] == names[1::2]
    assert len(set(names)) == 8


@pytest.mark.parametrize(
    ("array", "options", "what"),
    [
        (da.zeros((4, 4), dtype=int), {}, "image of type int64"),
        (da.zeros((2, 4, 4, 3), dtype=np.uint8), {}, "image of shape (2, 4, 4, 3)"),
        (da.zeros((0, 4), dtype=np.uint8), {}, "no side of 0"),
        (da.ones((4, 4), dtype=np.uint8)[da.arange(4) > 1], {}, "compute_chunk_sizes"),
        (da.zeros((4, 4), dtype=np.uint8), {"border": "mirror"}, "two things"),
        (da.zeros((4, 4), dtype=np.uint8), {"border": "constant", "fill": 0.5}, "fill 0.5"),
        (da.zeros((1, 1), dtype=np.uint8), {"padding": "valid"}, "no output pixel"),
        (da.zeros((4, 4), dtype=np.uint8), {"levels": "bright"}, "no levels 'bright'"),
    ],
)
def test_misuse_is_told_before_anything_is_computed(array, options, what):
    """Errors are those of NumPy's arrays, when the graph is made."""
    with pytest.raises(ImgconvError, match=what.replace("(", r"\(").replace(")", r"\)")):
        imgconv.dask.apply(array, ODD, **options)


def test_a_kernel_for_other_channels_is_refused():
    """Weights that add up channels are checked against the array's."""
    with pytest.raises(ImgconvError, match="takes 2"):
        imgconv.dask.correlate(da.zeros((4, 4, 3), dtype=np.uint8), [ODD, ODD])


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # a port that is taken leaves distributed's
def test_every_scheduler_gives_the_same():
    """Threads, and processes of a cluster that tasks are sent to, compute the same bits."""
    image = noise(40, 30, 3)
    lazy = da.from_array(image, chunks=(16, 20, 2)) + np.uint8(1)
    expected = imgconv.apply(image + np.uint8(1), ODD, levels="stretch", border="wrap")
    result = imgconv.dask.apply(lazy, ODD, levels="stretch", border="wrap")
    np.testing.assert_array_equal(result.compute(scheduler="threads"), expected)
    graph = pickle.loads(pickle.dumps(dict(result.dask)))
    assert graph.keys() == result.dask.keys()
    cluster = LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address="127.0.0.1:0"
    )
    with cluster, Client(cluster) as client:
        np.testing.assert_array_equal(client.compute(result).result(), expected)
        kept = client.persist(lazy)
        again = imgconv.dask.apply(kept, ODD, levels="stretch", border="wrap")
        np.testing.assert_array_equal(client.compute(again).result(), expected)


def test_without_dask_the_extra_is_named():
    """What is missing, and what brings it, is said where it is imported."""
    program = "import sys; sys.modules['dask'] = None; import imgconv.dask"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == (
        "ImportError: Dask is missing; pip install 'imgconv[dask]' brings it"
    )


def test_imgconv_alone_does_not_import_dask():
    """Who filters NumPy's arrays does not wait for Dask."""
    program = "import sys, imgconv; imgconv.apply; print('dask' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "False\n"
