"""Animated PNG as the standard composes it: files written by hand, frames worked out by hand."""

import struct

import numpy as np
import pytest

from imgconv.errors import ImageError
from imgconv.pictures import decode
from imgconv.pictures.decode import Reading
from tests.images import apng, chunk

SOURCE, OVER = 0, 1
NOTHING, BACKGROUND, PREVIOUS = 0, 1, 2
RED, GREEN, BLUE = (255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 255)


def area(colour, width: int, height: int) -> np.ndarray:
    """Return samples of one colour."""
    return np.broadcast_to(np.array(colour, np.uint8), (height, width, len(colour))).copy()


def frames(data: bytes) -> list[np.ndarray]:
    """Return all frames; each read alone must be the same."""
    picture = decode.read(data)
    found = [frame.array() for frame in picture.frames]
    for i, frame in enumerate(found):
        (alone,) = decode.read(data, Reading(frame=i)).frames
        alone = alone.array()
        np.testing.assert_array_equal(alone, frame[:, :, : alone.shape[2]])
    return found


def test_what_was_there_comes_back():
    """The second frame is disposed of, so the third one shows the first around it."""
    parts = [(area(RED, 4, 4), 0, 0, NOTHING, SOURCE), (area(GREEN, 2, 2), 0, 0, PREVIOUS, OVER),
             (area(BLUE, 1, 1), 3, 3, NOTHING, OVER)]  # fmt: skip
    first, second, third = frames(apng((4, 4), 6, parts))
    assert (first == RED).all()
    assert (second[:2, :2] == GREEN).all()
    assert tuple(third[0, 0]) == RED
    assert tuple(third[3, 3]) == BLUE
    assert (third == RED).all(axis=2).sum() == 15


def test_a_transparent_gray_lets_through_what_is_below():
    """A value in tRNS is alpha as any other."""
    parts = [(area((100,), 2, 1), 0, 0, NOTHING, SOURCE),
             (np.array([[[7], [50]]], np.uint8), 0, 0, NOTHING, OVER),
             (np.array([[[7], [60]]], np.uint8), 0, 0, NOTHING, SOURCE)]  # fmt: skip
    found = frames(apng((2, 1), 0, parts, more=chunk(b"tRNS", b"\0\7")))
    assert [frame.tolist() for frame in found[:2]] == [
        [[[100, 255], [100, 255]]], [[[100, 255], [50, 255]]],
    ]  # fmt: skip
    assert found[2][0, :, 1].tolist() == [0, 255]


def test_opaque_colours_have_alpha_only_where_the_canvas_is_empty():
    """What is disposed of leaves nothing, which is not black."""
    parts = [(area(RED[:3], 2, 1), 0, 0, NOTHING, SOURCE),
             (area(BLUE[:3], 1, 1), 0, 0, BACKGROUND, SOURCE)]  # fmt: skip
    assert [f.shape[2] for f in frames(apng((2, 1), 2, parts))] == [3, 3]
    parts.append((area(GREEN[:3], 1, 1), 1, 0, NOTHING, SOURCE))
    assert frames(apng((2, 1), 2, parts))[2].tolist() == [[[0, 0, 0, 0], [*GREEN]]]


@pytest.mark.parametrize("apart", [False, True])
def test_any_frames_are_composed_as_the_formula_says(apart):
    """Against the standard's own: colours by their alpha, in real numbers, rounded a frame."""
    random = np.random.default_rng(6)
    parts = [(random.integers(0, 256, (5, 6, 4), np.uint8), 0, 0, 0, 0)]
    for _ in range(12):
        w, h = random.integers(1, 7), random.integers(1, 6)
        x, y = random.integers(0, 7 - w), random.integers(0, 6 - h)
        part = random.choice([0, 1, 128, 254, 255, 77], (h, w, 4)).astype(np.uint8)
        parts.append((part, x, y, random.integers(3), random.integers(2)))
    canvas, expected = np.zeros((5, 6, 4)), []
    for part, x, y, dispose, blend in parts[apart:]:
        place = canvas[y : y + part.shape[0], x : x + part.shape[1]]
        before, alpha = place.copy(), part[:, :, 3:] / 255
        if blend == SOURCE:
            place[:] = part
        else:
            total = alpha + before[:, :, 3:] / 255 * (1 - alpha)
            mixed = part * alpha + before * before[:, :, 3:] / 255 * (1 - alpha)
            place[:] = np.where(total > 0, np.floor(mixed / np.maximum(total, 1e-9) + 0.5), 0)
            place[:, :, 3:] = np.floor(total * 255 + 0.5)
        expected.append(canvas.copy())
        place[:] = {NOTHING: place, BACKGROUND: 0 * before, PREVIOUS: before}[int(dispose)]
    found = frames(apng((6, 5), 6, parts, apart=apart))
    if apart:
        np.testing.assert_array_equal(found.pop(0), parts[0][0])
    for made, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(made, wanted)


def test_times_loops_and_notes_are_kept():
    """A delay is a fraction of a second; the frame for other viewers has none."""
    parts = [(area(RED, 2, 2), 0, 0, 0, 0)] * 3
    text = chunk(b"tEXt", b"Author\0somebody")
    picture = decode.read(apng((2, 2), 6, parts, more=text))
    assert (picture.durations, picture.loop, picture.apart) == ((100, 200, 300), 3, False)
    assert picture.metadata[0].text == (("Author", "somebody"),)
    picture = decode.read(apng((2, 2), 6, parts, apart=True))
    assert (picture.durations, picture.apart, len(picture.frames)) == ((0, 200, 300), True, 3)


def test_frames_are_turned_upright():
    """Parts are laid first, and what is seen then is turned."""
    exif = b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"
    parts = [(area(RED, 3, 2), 0, 0, 0, 0), (area(BLUE, 1, 1), 2, 0, 0, 0)]
    first, second = frames(apng((3, 2), 6, parts, more=chunk(b"eXIf", exif)))
    assert first.shape == (3, 2, 4)
    assert tuple(second[2, 1]) == BLUE


def test_broken_animations_are_refused_by_name():
    """Frames that are missing, out of order, outside or damaged; counts are not believed."""
    parts = [(area(RED, 2, 2), 0, 0, 0, 0), (area(BLUE, 1, 1), 1, 1, 0, 0)]
    whole = apng((2, 2), 6, parts)
    many = whole.replace(whole[33:53], chunk(b"acTL", struct.pack(">II", 400_000_000, 0)))
    last = whole.index(b"fdAT") - 4
    damaged = bytearray(whole)
    damaged[last + 14] ^= 1
    for data, word in (
        (many, "2 of 400000000 frames"),
        (whole[:last], "frame without pixels"),
        (whole[: whole.rindex(b"fcTL") - 4], "cut off|1 of 2 frames"),
        (bytes(damaged), "CRC of its fdAT"),
        (apng((2, 2), 6, [parts[0], (area(BLUE, 2, 1), 1, 1, 0, 0)]), "outside"),
    ):
        with pytest.raises(ImageError, match=word):
            decode.read(data)
