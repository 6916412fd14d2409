"""What a caller brings along: room for the result, and where a kernel of even size stands."""

import os
import signal
import subprocess
import sys
import threading
import time
from _thread import allocate_lock
from array import array
from collections import deque
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from imgconv import apply, correlate
from imgconv.engine import fourier, ready, team
from imgconv.errors import ImageError, OptionError
from tests import ROOT

LEVELS = ["clip", "stretch", "none"]


def noise(*shape: int) -> np.ndarray:
    """A picture of noise."""
    return np.random.default_rng(shape).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("shape", [(9, 70), (40, 33, 3)])
def test_out_is_written_to_and_returned(shape: tuple[int, ...], levels: str) -> None:
    """The result stands in the array that was given, and is what it would be without."""
    image = noise(*shape)
    expected = apply(image, "emboss", levels=levels)
    room = np.empty_like(expected)
    assert apply(image, "emboss", levels=levels, out=room) is room
    np.testing.assert_array_equal(room, expected)
    responses = np.empty(shape, np.float32)
    assert correlate(image, "emboss", out=responses) is responses
    np.testing.assert_array_equal(responses, correlate(image, "emboss"))


@pytest.mark.parametrize(
    "view",
    [
        lambda big: big[1:10, 2:22],
        lambda big: big[::2, ::-1][:9, :20],
        lambda big: big.T[:9, :20],
        lambda big: big[:9, :20].view(big.dtype.newbyteorder()),
    ],
    ids=["cropped", "reversed", "transposed", "of the other byte order"],
)
def test_out_may_be_any_view(view) -> None:
    """What is beside the view is left alone."""
    image = noise(9, 20).astype(np.uint16) * 200
    big = np.full((30, 40), 7, np.uint16)
    out = view(big)
    before = np.setdiff1d(np.arange(big.size), np.flatnonzero(_marked(big, view)))
    assert apply(image, "sharpen", out=out) is out
    np.testing.assert_array_equal(out, apply(image, "sharpen"))
    assert (big.ravel()[before] == 7).all()


def _marked(big: np.ndarray, view) -> np.ndarray:
    """Where in an array a view of it is."""
    marks = np.zeros_like(big)
    view(marks)[:] = 1
    return marks


def test_out_may_be_the_image_or_overlap_it() -> None:
    """The image is read as it was, whatever is written over it."""
    memory = noise(31, 40)
    for rows in (slice(0, 30), slice(1, 31)):
        own = memory.copy()
        expected = apply(own[:30], "blur")
        apply(own[:30], "blur", out=own[rows])
        np.testing.assert_array_equal(own[rows], expected)


@pytest.mark.parametrize(
    "out",
    [
        np.empty((9, 20, 1), np.uint8),
        np.empty((9, 21), np.uint8),
        np.empty((9, 20), np.float32),
        [[0] * 20] * 9,
        np.frombuffer(bytes(180), np.uint8).reshape(9, 20),
    ],
    ids=["axes", "shape", "type", "list", "read-only"],
)
def test_out_that_cannot_hold_the_result_is_refused(out) -> None:
    """One line says what it is and what is wanted."""
    with pytest.raises(ImageError, match=r"writable array of shape \(9, 20\) and type uint8") as e:
        apply(noise(9, 20), "blur", out=out)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("size", [(2, 2), (4, 3), (3, 6), (5, 5)])
@pytest.mark.parametrize("dilation", [1, 2])
def test_anchor_of_opencv_is_that_of_scipy(size: tuple[int, int], dilation: int) -> None:
    """Both put d(k//2) before; SciPy is the truth."""
    rng = np.random.default_rng(size)
    weights, image = rng.integers(-9, 9, size), noise(17, 23)
    spread = np.zeros([(n - 1) * dilation + 1 for n in size], int)
    spread[::dilation, ::dilation] = weights
    shift = [d // 2 - dilation * (n // 2) for d, n in zip(spread.shape, size, strict=True)]
    expected = ndimage.correlate(
        image.astype(float), spread.astype(float), mode="nearest", origin=[-s for s in shift]
    )
    found = correlate(image, weights.tolist(), dilation=dilation, anchor="opencv")
    inside = np.s_[:]
    np.testing.assert_array_equal(found[inside], expected[inside])


@pytest.mark.parametrize("anchor", [(0, 0), (1, 2), "1,0"])
def test_anchor_is_the_tap_over_the_output(anchor) -> None:
    """A single 1 in the picture comes out turned around the anchor."""
    image = np.zeros((9, 9), np.uint8)
    image[4, 4] = 1
    weights = np.arange(1, 7).reshape(2, 3)
    y, x = (int(n) for n in (anchor.split(",") if isinstance(anchor, str) else anchor))
    expected = np.zeros((9, 9))
    for a in range(2):
        for b in range(3):
            expected[4 + y - a, 4 + x - b] = weights[a, b]
    found = correlate(image, weights.tolist(), anchor=anchor)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("anchor", ["middle", (2, 0), (0, 3), (-1, 0), "0", (0, 0, 0), 1.5, None])
def test_anchor_outside_the_kernel_is_refused(anchor) -> None:
    """A word of no meaning, and a tap that is none, in one line."""
    with pytest.raises(OptionError, match="anchor") as e:
        correlate(noise(9, 9), [[1, 2, 3], [4, 5, 6]], anchor=anchor)
    assert "\n" not in str(e.value)


def test_options_may_be_lists() -> None:
    """What cannot be looked up among what is kept is done all the same."""
    image = noise(20, 30)
    found = apply(image, [[1, 2], [3, 4]], padding=[1, 2], stride=[2, 1])
    np.testing.assert_array_equal(found, apply(image, "1,2;3,4", padding=(1, 2), stride=(2, 1)))
    with pytest.raises(OptionError):
        apply(image, "blur", stride=True)
    apply(image, "blur", stride=1)
    with pytest.raises(OptionError):
        apply(image, "blur", stride=True)


def test_pictures_of_many_channels_count_and_keep_each() -> None:
    """Rows of more samples than 16 bits count, by a sum that is divided."""
    image = noise(3, 2, 40_000)
    found = apply(image, "box-3")
    for c in (0, 1, 16_383, 16_384, 32_767, 32_768, 39_999):
        np.testing.assert_array_equal(found[..., c], apply(image[..., c], "box-3"))


def test_calls_at_once_do_not_share_their_room() -> None:
    """Many threads filter pictures of one shape by the program that they share."""
    images = [noise(64, 65, 3) + np.uint8(i) for i in range(4)]
    expected = [apply(image, "gaussian(sigma=1)") for image in images]
    wrong: list[int] = []

    def work(i: int) -> None:
        found = (apply(images[i], "gaussian(sigma=1)") for _ in range(200))
        wrong.extend(i for each in found if not np.array_equal(each, expected[i]))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("moment", ["start", "wait", "end"])
def test_no_thread_writes_on_when_a_call_is_interrupted(
    moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One thread cannot start, or a signal comes while others work or end: they are waited for."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # it may be ignored here
    real, begun, at_work = fourier.start_new_thread, threading.Event(), []
    main = threading.get_ident()

    def start(function: Any, arguments: Any) -> int:
        if moment == "start" and begun.wait(10):
            raise RuntimeError("can't start new thread")
        return real(function, arguments)

    def work(i: int) -> None:
        at_work.append(i)
        begun.set()
        if moment == "wait":
            signal.pthread_kill(main, signal.SIGINT)
        time.sleep(0.2)
        if moment == "end":
            signal.pthread_kill(main, signal.SIGINT)
        at_work.remove(i)

    starts = iter([real, start])
    monkeypatch.setattr(fourier, "start_new_thread", lambda f, a: next(starts)(f, a))
    try:
        with pytest.raises(RuntimeError if moment == "start" else KeyboardInterrupt):
            fourier.shared(work, [0, 1], 2)
    finally:
        signal.signal(signal.SIGINT, before)
    assert not at_work


def helped(image: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """The picture filtered by this thread and two helpers, however small it is."""
    monkeypatch.setattr(ready, "WORK", 0)
    monkeypatch.setenv("IMGCONV_THREADS", "3")
    return apply(image, "gaussian(sigma=2)")


INTERRUPTED = """
import os, signal, threading, time
import numpy as np
from imgconv import apply
from imgconv.engine import ready

signal.signal(signal.SIGINT, signal.default_int_handler)
image = np.random.default_rng(5).integers(0, 256, (400, 300, 3), np.uint8)
expected = apply(image, "gaussian(sigma=2)")
ready.WORK, os.environ["IMGCONV_THREADS"] = 0, "3"
apply(image, "gaussian(sigma=2)")  # compiles what threads take, if need be
caught, over = 0, False

def interrupt():
    rng = np.random.default_rng(4)
    while not over:
        time.sleep(rng.uniform(0, 0.004))
        os.kill(os.getpid(), signal.SIGINT)

thread = threading.Thread(target=interrupt, daemon=True)
while caught < 150:
    try:
        if not thread.ident:
            thread.start()
        while caught < 150:
            try:
                assert np.array_equal(apply(image, "gaussian(sigma=2)"), expected)
            except KeyboardInterrupt:
                caught += 1
    except KeyboardInterrupt:  # within the handler of another
        pass
signal.signal(signal.SIGINT, signal.SIG_IGN)
over = True
assert np.array_equal(apply(image, "gaussian(sigma=2)"), expected)
print("right to the end")
"""


def test_an_interrupt_leaves_no_helper_at_work() -> None:
    """Signals at any moment of many calls: no crash, and what comes after them is right."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED],
        capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "right to the end\n"), done.stderr


def test_a_thread_that_cannot_start_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system gives no more threads: this one does it all."""
    image, expected = noise(200, 150), apply(noise(200, 150), "gaussian(sigma=2)")

    def start(*_: object) -> int:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(team, "_waiting", deque())
    monkeypatch.setattr(team, "start_new_thread", start)
    np.testing.assert_array_equal(helped(image, monkeypatch), expected)


def test_helpers_that_sleep_are_woken_or_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls so far apart that nobody looks for work any more, and with no look at all."""
    image, expected = noise(200, 150), apply(noise(200, 150), "gaussian(sigma=2)")
    for turns in (team.TURNS, 0):
        monkeypatch.setattr(team, "TURNS", turns)
        for pause in (0, 0.001, 0.05, 0, 0.01):
            time.sleep(pause)
            np.testing.assert_array_equal(helped(image, monkeypatch), expected)


def test_a_process_that_is_forked_starts_its_own_helpers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the process before a fork are not waited for."""
    image = noise(600, 600, 3)
    expected = helped(image, monkeypatch)
    child = os.fork()
    if not child:
        signal.alarm(20)
        os._exit(not np.array_equal(helped(image, monkeypatch), expected))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_helper_is_worth_less_work_while_it_still_looks(monkeypatch):
    """Of calls that follow each other closely; else it has to be woken, or started."""
    times = iter([1, 1.00005, 5])
    monkeypatch.setattr(team, "time", SimpleNamespace(perf_counter=lambda: next(times)))
    monkeypatch.setattr(team, "_ended", deque(maxlen=1))
    assert team.price() == team.ASLEEP
    team.end()
    assert [team.price(), team.price()] == [team.AWAKE, team.ASLEEP]
    assert team.AWAKE < 1 < team.ASLEEP


def test_a_helper_that_has_just_looked_in_vain_is_rung_for():
    """It waits for Python's lock then, to sleep; else each second picture was done alone."""
    bell = allocate_lock()
    bell.acquire()
    helper = team._Helper(array("q", (0,)), bell)
    for _ in range(2):  # and once more, which says no more
        helper.wake()
        assert not bell.locked()
