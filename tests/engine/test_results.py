"""The memory of results: as any other's, and kept for the next where malloc would give it back."""

import mmap
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path

import numpy as np
import pytest

from imgconv import apply
from imgconv.compiled import memory
from imgconv.engine import results
from imgconv.engine.samples import address_of
from tests import ROOT
from tests.engine.test_arrays import noise

SHARES = pytest.mark.skipif(not hasattr(mmap, "MADV_FREE"), reason="nothing can be kept")
LEFT_AT_THE_END = """
import numpy, imgconv
found = imgconv.apply(numpy.zeros((3400, 3400, 3), numpy.uint8), "identity")
gone = imgconv.apply(found, "identity")
del gone
"""


@pytest.fixture(autouse=True)
def none_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test begins without what others left."""
    monkeypatch.setattr(results._Lent, "kept", deque(maxlen=2))


@pytest.mark.parametrize("least", [results.LARGE, results.GIVEN_BACK])
def test_much_memory_is_as_any_other(least: int) -> None:
    """From where on it is taken in large pages, or kept: new, and once more when it was used."""
    side = round((1.1 * least / 3) ** 0.5)
    image = noise(side, side, 3)
    for picture in (image, 255 - image):
        found = apply(picture, "sobel-right")
        assert found.nbytes > least
        assert (found.shape, found.dtype, found.flags.c_contiguous) == (image.shape, np.uint8, True)
        assert found.flags.writeable
        rows = [apply(picture[ends], "sobel-right") for ends in (slice(602), slice(598, None))]
        np.testing.assert_array_equal(found, np.concatenate([rows[0][:600], rows[1][2:]]))
        del found


@SHARES
def test_the_next_result_has_the_memory_of_one_that_is_gone() -> None:
    """Also a somewhat smaller one; not a small one, for which it would be too much."""
    address = address_of(apply(noise(3400, 3400, 3), "identity"))
    assert address_of(apply(noise(3300, 3400, 3), "identity")) == address
    assert address_of(apply(noise(3300, 2000, 1).astype(np.float32), "identity")) != address
    assert address_of(apply(noise(3400, 3400, 3), "identity")) == address


def test_what_somebody_sees_stays_what_it_is() -> None:
    """A view, or a view of one, is enough."""
    image = noise(3400, 3400, 3)
    found = apply(image, "identity")
    view = found[5:9].T[:, 3:], found[7:9].reshape(-1).view(np.uint16)[3:]
    kept = [each.copy() for each in view]
    del found
    other = apply(image, "sobel-right")
    assert not any(np.may_share_memory(other, each) for each in view)
    for each, before in zip(view, kept, strict=True):
        np.testing.assert_array_equal(each, before)


@SHARES
def test_no_more_is_kept_than_two_and_none_where_memory_is_limited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of three that are gone two are kept; under a limit on addresses these go as well."""
    image = noise(3400, 3400, 3)
    found = [apply(image, "identity") for _ in range(3)]
    assert len({address_of(each) for each in found}) == 3
    del found
    assert len(results._Lent.kept) == 2
    monkeypatch.setattr(memory, "room", lambda: (8e9, 8e9))
    found = [apply(image, "identity") for _ in range(3)]
    np.testing.assert_array_equal(found[2], image)
    del found
    assert not results._Lent.kept


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="nothing tells")
@SHARES
def test_what_is_kept_is_free_to_be_taken() -> None:
    """The system counts it among what it may take without asking."""

    def free() -> int:
        lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("LazyFree"))

    found = apply(noise(3400, 3400, 3), "identity")
    before, size = free(), found.nbytes
    del found
    assert free() - before > 0.9 * size


def test_what_the_system_refuses_numpy_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the words for it, if it is refused as well."""

    def refused(*_: object, **__: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(mmap, "mmap", refused)
    image = noise(3400, 3400, 3)
    np.testing.assert_array_equal(apply(image, "identity"), image)


class Unadvised(mmap.mmap):
    """Memory of a system without large pages, of which nothing can be free to be taken."""

    def madvise(self, *_: object) -> None:
        """Refuse."""
        raise OSError(22, "Invalid argument")


def test_where_the_system_takes_no_advice_nothing_is_kept(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """And nothing is told of it."""
    monkeypatch.setattr(mmap, "mmap", Unadvised)
    image = noise(3400, 3400, 3)
    for _ in range(2):
        np.testing.assert_array_equal(apply(image, "identity"), image)
    assert not results._Lent.kept
    assert capfd.readouterr().err == ""


def test_a_result_can_be_locked_and_unlocked() -> None:
    """As any array of NumPy's."""
    found = apply(noise(3400, 3400, 3), "identity")
    found.flags.writeable = False
    found.flags.writeable = True
    found[:] = 7
    assert found.min() == found.max() == 7
    assert type(found) is np.ndarray


def test_threads_and_views_of_the_memory_below_keep_their_results() -> None:
    """Several at once, each of which has its own; who holds the base holds the memory."""
    images = [noise(3400, 3400, 3) + np.uint8(k) for k in range(3)]
    wrong = []

    def work(image: np.ndarray) -> None:
        for _ in range(6):
            held = apply(image, "identity").base
            part = held[3:9]
            expected = image[3:9]
            del held
            apply(image, "emboss")
            if not np.array_equal(part, expected):
                wrong.append(image)

    threads = [threading.Thread(target=work, args=(image,)) for image in images]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_python_ends_in_peace_with_results_alive() -> None:
    """Nothing is told of modules that are gone before them."""
    done = subprocess.run(
        [sys.executable, "-c", LEFT_AT_THE_END],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
