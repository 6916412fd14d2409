"""What a file or a run takes grows with its data, and no faster: twice the data, twice the steps.

Steps are counted and not timed: the lines of ours that run, and all calls, each function's by
itself, so that nothing hides behind what is long but straight.
"""

import contextlib
import gc
import io
import re
import signal
import struct
import sys
import threading
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

import imgconv
from imgconv.errors import ImageError
from imgconv.kernels.catalog import open_catalog
from imgconv.kernels.spec import find, load_kernel
from imgconv.pictures import (
    chunks,
    decode,
    descriptions,
    encode,
    heads,
    metadata,
    tiff_heads,
)
from imgconv.pictures.encode import Writing
from imgconv.pictures.picture import Reading
from imgconv.pipeline.layout import layout
from imgconv.pipeline.work import Work
from imgconv.runs import inputs, journal, outputs
from imgconv.runs.job import OK, Outcome
from imgconv.runs.report import Report
from tests.images import chunk

OURS = str(Path(imgconv.__file__).parent)
TWICE, FEW = 2.3, 30  # what may become of steps when the data double, and how many do not matter
SIGNATURE = b"\x89PNG\r\n\x1a\n"
WHOLE, FIRST = Reading(), Reading(frame=0)
WORK = Work(
    (load_kernel("blur"),), layout("same", "edge", 0, "1", "1", "center"), "clip", threads=1
)


def steps(call):
    """Count what runs in a call, by where it stands."""
    found = Counter()

    def line(frame, event, _):
        found[frame.f_code.co_filename, frame.f_lineno] += event == "line"
        return line

    def enter(frame, _, __):
        return line if frame.f_code.co_filename.startswith(OURS) else None

    def profile(frame, event, called):
        if event == "call":
            found[frame.f_code.co_filename, frame.f_code.co_qualname] += 1
        elif event == "c_call":
            found[frame.f_code.co_qualname, called.__qualname__] += 1

    gc.disable()
    traced = sys.gettrace(), sys.getprofile()
    threading.settrace(enter)
    threading.setprofile(profile)
    sys.settrace(enter)
    sys.setprofile(profile)
    try:
        call()
    finally:
        sys.setprofile(traced[1])
        sys.settrace(traced[0])
        threading.setprofile(None)
        threading.settrace(None)
        gc.enable()
    return found


def assert_straight(call, make, count):
    """Have steps grow no faster than what `make` makes for a count."""
    once, twice = make(count), make(2 * count)
    for made in (once, twice):
        call(made)  # what is imported, compiled and planned
    few, many = steps(lambda: call(once)), steps(lambda: call(twice))
    assert {at: (few[at], n) for at, n in many.items() if n > TWICE * few[at] + FEW} == {}


@contextlib.contextmanager
def ending():
    """Fail where a search of a text would take hours instead of milliseconds."""

    def stop(*_):
        raise AssertionError("does not end")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(60)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def png(between):
    """Write a PNG of one pixel, with something between its head and the pixel."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    pixel = chunk(b"IDAT", zlib.compress(b"\0\7"))
    return SIGNATURE + head + between + pixel + chunk(b"IEND", b"")


def texts(count):
    """Write a PNG with so many notes, each of its own name."""
    return png(b"".join(chunk(b"tEXt", b"k%d\0v" % i) for i in range(count)))


def broken_texts(count):
    """Write a PNG with so many broken notes."""
    return png(chunk(b"tEXt", b"k\0v", good=False) * count)


def apng(count, before=b""):
    """Write an animation of so many frames, with something before the first."""
    parts = [before, chunk(b"acTL", struct.pack(">II", count, 0))]
    for i in range(count):
        number = max(0, 2 * i - 1)
        parts.append(chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, 1, 1, 0, 0, 1, 10, 0, 0)))
        pixel = zlib.compress(bytes([0, i % 251]))
        kind, place = (b"fdAT", struct.pack(">I", number + 1)) if i else (b"IDAT", b"")
        parts.append(chunk(kind, place + pixel))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    return SIGNATURE + head + b"".join(parts) + chunk(b"IEND", b"")


def gif(count):
    """Write an animation of so many frames, every other one white."""
    head = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes([0, 0, 0, 255, 255, 255])
    frame = b"!\xf9\x04\0\1\0\0\0," + struct.pack("<4HB", 0, 0, 1, 1, 0)
    return head + (frame + b"\2\2D\1\0" + frame + b"\2\2L\1\0") * (count // 2) + b";"


def webp(count):
    """Write an animation of so many frames."""
    first, *others = (Image.new("RGB", (1, 1), (i % 251, 0, 0)) for i in range(count))
    out = io.BytesIO()
    first.save(out, "WEBP", save_all=True, append_images=others, lossless=True)
    return out.getvalue()


def tiff(count, bits=8, strips=1, more=()):
    """Write a TIFF of so many pages, 2 wide, whose strips are all the same bytes."""
    out = bytearray(struct.pack("<2sHI", b"II", 42, 16) + bytes(range(8)))
    if strips > 1:
        places = len(out)
        out += struct.pack(f"<{strips}I", *[8] * strips)
        lengths = len(out)
        out += struct.pack(f"<{strips}I", *[bits // 4] * strips)
        out[4:8] = len(out).to_bytes(4, "little")
    for i in range(count):
        where = [(273, 4, 1, 8), (279, 4, 1, bits // 4)]
        if strips > 1:
            where = [(273, 4, strips, places), (279, 4, strips, lengths)]
        usual = [(256, 4, 1, 2), (257, 4, 1, strips), (258, 3, 1, bits), (259, 3, 1, 1)]
        usual += [(262, 3, 1, 1), (277, 3, 1, 1), (278, 4, 1, 1)]
        entries = sorted([*usual, *where, *more])
        out += struct.pack("<H", len(entries))
        out += b"".join(struct.pack("<HHII", *entry) for entry in entries)
        out += struct.pack("<I", 0 if i == count - 1 else len(out) + 4)
    return bytes(out)


def entries(kind, count):
    """Return what makes a TIFF with so many entries of a kind beside the usual ones."""
    return lambda n: tiff(1, more=[(1000 + i, kind, count, 0xFFFFFF00) for i in range(n)])


READ = {
    "pages": (tiff, 20),
    "deep pages": (lambda n: tiff(n, bits=12), 20),
    "strips": (lambda n: tiff(1, strips=n), 120),
    "deep strips": (lambda n: tiff(1, bits=12, strips=n), 120),
    "entries": (entries(4, 1), 120),
    "broken entries": (entries(4, 9), 120),
    "frames of PNG": (apng, 30),
    "frames of PNG with tRNS": (lambda n: apng(n, chunk(b"tRNS", b"\0\7") * n), 30),
    "frames of GIF": (gif, 30),
    "frames of WebP": (webp, 30),
    "texts": (texts, 80),
    "broken texts": (broken_texts, 80),
    "comments": (lambda n: b"P2\n1 1\n255\n" + b"#a\n" * n + b"7\n", 80),
    "lines": (lambda n: b"1,2,3\n" * n, 120),
}


@pytest.mark.parametrize("how", [WHOLE, FIRST], ids=["whole", "one frame"])
@pytest.mark.parametrize("name", READ)
def test_a_file_is_read_in_steps_that_grow_with_it(name, how):
    """Pages, frames, strips, tags, notes and lines are read, all or one, in straight time."""
    if "deep" in name:
        pytest.importorskip("tifffile")
    make, count = READ[name]
    assert_straight(lambda data: decode.read(data, how), make, count)


@pytest.mark.parametrize("name", READ)
def test_heads_are_looked_at_in_steps_that_grow_with_the_file(name):
    """A dry run takes as long as there are heads."""
    if "deep" in name:
        pytest.importorskip("tifffile")
    make, count = READ[name]
    assert_straight(lambda data: heads.read(io.BytesIO(data)), make, count)


def test_a_fault_in_the_last_line_of_a_table_is_found_in_steps_that_grow_with_it():
    """What is wrong with a table is found in one pass."""

    def read(data):
        with pytest.raises(ImageError, match="2 numbers"):
            decode.read(data)

    assert_straight(read, lambda n: b"1,2,3\n" * n + b"1,2\n", 120)


@pytest.mark.parametrize(("make", "name"), [(tiff, "TIFF"), (apng, "PNG"), (gif, "GIF")])
def test_frames_are_written_in_steps_that_grow_with_their_number(make, name):
    """The last frame takes no longer to write than the first."""
    assert_straight(lambda p: encode.encode(p, name), lambda n: decode.read(make(n)), 30)


class Counted(int):
    """A number that is compared in Python, where it is counted."""

    __hash__ = int.__hash__

    def __eq__(self, other):
        return int(self) == other


def test_pillow_asks_for_each_page_once_whether_it_was_there(monkeypatch):
    """Pillow compares a page with no other to see whether it leads back."""
    load = TiffImagePlugin.ImageFileDirectory_v2.load

    def loaded(self, file):
        load(self, file)
        self.next = Counted(getattr(self, "next", 0))

    monkeypatch.setattr(TiffImagePlugin.ImageFileDirectory_v2, "load", loaded)
    assert_straight(decode.read, tiff, 30)


class Copied(bytes):
    """Bytes that count how many of them are copied."""

    copied = 0

    def __getitem__(self, place):
        found = super().__getitem__(place)
        if isinstance(place, slice):
            Copied.copied += len(found)
            return Copied(found)
        return found

    def __add__(self, other):
        Copied.copied += len(self) + len(other)
        return Copied(bytes(self) + other)


def test_what_is_broken_is_taken_out_of_a_png_in_one_go():
    """A file is not copied for each of its broken chunks."""

    def copied(count):
        Copied.copied = 0
        data, lost = chunks.sound(Copied(broken_texts(count)))
        assert (data, lost) == (png(b""), ("tEXt (broken)",))
        return Copied.copied

    assert copied(400) <= TWICE * copied(200)


def test_pages_that_share_what_tells_of_samples_are_refused():
    """Pages cannot say more than the file has bytes."""
    data = tiff(300, strips=300)
    with pytest.raises(ImageError, match="share"):
        decode.read(data)


def test_pages_that_share_a_value_do_not_keep_more_of_it_than_the_file_has_bytes(monkeypatch):
    """A value that all pages point to is no room for a file that is a thousand times as large."""
    monkeypatch.setattr(tiff_heads, "SHARED", 0)
    note = b"x" * 5000
    bare = tiff(40, more=[(40000, 2, len(note), 0x11111111)])
    data = bare.replace(struct.pack("<I", 0x11111111), struct.pack("<I", len(bare))) + note
    picture = decode.read(data)
    assert len(picture.frames) == 40
    assert picture.lost == ("EXIF (broken)",)
    assert len(note) < sum(len(each.exif) for each in picture.metadata) < 2 * len(data)


@pytest.mark.parametrize("kind", ["TIFF", "ZARR"])
def test_pieces_are_filtered_in_steps_that_grow_with_their_number(kind, tmp_path, monkeypatch):
    """Ten times the tiles take ten times as long."""
    pytest.importorskip("tifffile")
    zarr = pytest.importorskip("zarr")
    from imgconv.pipeline import pieces

    def make(count):
        samples, path = np.zeros((16 * count, 16), "uint8"), tmp_path / f"{count}.{kind}"
        if kind == "ZARR":
            zarr.create_array(path, shape=samples.shape, chunks=(16, 16), dtype="uint8")[:] = 1
        else:
            path.write_bytes(tiff(1, strips=16 * count))
        return str(path)

    def run(path):
        target = tmp_path / f"out.{kind.lower()}"
        pieces.filter_file(
            pieces.Route(path, target, kind, WHOLE, Writing(force=True), 16, again=False), WORK
        )

    if kind == "ZARR":  # zarr's own threads are not ours to count
        monkeypatch.setattr(threading, "setprofile", lambda _: None)
        monkeypatch.setattr(threading, "settrace", lambda _: None)
    assert_straight(run, make, 12)


@pytest.mark.parametrize(("tall", "axes"), [((256, 16), ""), ((1, 16, 16), "NHW")])
def test_a_chunk_is_moved_once_however_much_of_an_array_it_holds(tall, axes, tmp_path, monkeypatch):
    """What a chunk holds is kept while its tiles and its planes are filtered, and written once."""
    zarr = pytest.importorskip("zarr")
    from imgconv.pipeline import pieces

    store, moved = zarr.storage.LocalStore, 0
    get, put = store.get, store.set

    async def read(self, key, *arguments, **options):
        nonlocal moved
        found = await get(self, key, *arguments, **options)
        moved += len(found) if found and "json" not in key else 0
        return found

    async def written(self, key, value, *arguments, **options):
        nonlocal moved
        moved += len(value) if "json" not in key else 0
        await put(self, key, value, *arguments, **options)

    monkeypatch.setattr(store, "get", read)
    monkeypatch.setattr(store, "set", written)

    def bytes_of(count):
        nonlocal moved
        path, shape = tmp_path / f"{count}.zarr", (tall[0] * count, *tall[1:])
        array = zarr.create_array(path, shape=shape, chunks=shape, dtype="uint8", compressors=None)
        array[:] = 1
        moved = 0
        how, out = Reading(axes=axes), tmp_path / "out.zarr"
        writing = Writing(force=True, compress="none")
        route = pieces.Route(str(path), out, "ZARR", how, writing, 16, again=False)
        pieces.filter_file(route, WORK)
        return moved

    assert 0 < bytes_of(20) <= TWICE * bytes_of(10)


def test_rows_that_wait_for_a_chunk_are_copied_once():
    """Bands that are smaller than a chunk are put together once."""
    pytest.importorskip("tifffile")
    from imgconv.pictures.tiff_pieces import regrouped

    class Rows(np.ndarray):
        copied = 0

        def __array_function__(self, function, types, arguments, options):
            if function is np.concatenate:
                Rows.copied += sum(map(len, arguments[0]))
            return super().__array_function__(function, types, arguments, options)

    def copied(count):
        Rows.copied = 0
        found = list(regrouped((np.zeros((16, 1)).view(Rows) for _ in range(count)), 16 * count))
        assert [len(rows) for rows in found] == [16 * count]
        return Rows.copied

    assert copied(100) <= TWICE * copied(50)


def test_names_are_given_in_steps_that_grow_with_their_number(tmp_path):
    """Each name is looked at by itself."""
    listed = tmp_path / "names"

    def make(count):
        listed.write_text("".join(f"in/{i}.png\n" for i in range(count)))
        return inputs.sources([], files_from=str(listed))

    def run(sources):
        found = outputs.jobs(sources, "out/{index}-{name}", "blur", force=True)
        outputs.shard("1/2", found)

    assert_straight(run, make, 40)
    assert_straight(lambda found: outputs.jobs(found, None, "blur"), make, 40)


def test_a_folder_is_walked_in_steps_that_grow_with_its_files(tmp_path):
    """Each file of a folder is looked at by itself, of a .zarr too."""

    def make(count):
        folder = tmp_path / str(count)
        (folder / "in.zarr").mkdir(parents=True)
        for i in range(count):
            (folder / f"{i}.png").touch()
            (folder / "in.zarr" / str(i)).touch()
        return str(folder)

    assert_straight(lambda folder: inputs.sources([folder], recursive=True), make, 40)
    assert_straight(
        lambda folder: journal.stamp(f"{folder}/in.zarr"), lambda n: str(tmp_path / str(n)), 40
    )


def test_a_journal_is_kept_and_recalled_in_steps_that_grow_with_its_lines():
    """Each outcome is noted, found again and told by itself."""

    def make(count):
        todo = outputs.jobs(
            [inputs.Source(f"{i}.png", f"{i}.png") for i in range(count)], "out/", "blur"
        )
        return str(count), todo

    def run(made):
        name, todo = made
        done = [Outcome(job.name, job.target, OK, marks=b"x" * 12) for job in todo]
        list(journal.Journal(name, print, resume=True).keep(done))
        found = journal.Journal(name, print, resume=True).recall(todo)
        assert all(job.marks for job in found)
        with Report(quiet=True, total=len(todo)) as report:
            for outcome in done:
                report.add(outcome)

    assert_straight(run, make, 40)


def test_a_catalogue_is_read_in_steps_that_grow_with_its_kernels(tmp_path):
    """Each kernel of a catalogue is read by itself."""

    def make(count):
        path = tmp_path / f"{count}.toml"
        path.write_text("".join(f"[k{i}]\nweights = [[1, 2], [3, 4]]\n" for i in range(count)))
        return path

    assert_straight(lambda path: find("k7", open_catalog([path])), make, 40)


LONG = 200_000
HOSTILE_SPECS = [
    "1" * LONG + "!", "1." * LONG, "1 " * LONG + "!", "1x1: " + "1" * LONG + "!", "1:" * LONG,
    "convolution=0m=" + " " * LONG, "gaussian(" + "sigma=2," * LONG, "a-" * LONG + "!",
    ".toml:" * LONG + "/", "(" * LONG, "[" * LONG,
]  # fmt: skip


@pytest.mark.parametrize("spec", HOSTILE_SPECS, ids=lambda spec: spec[:12].strip())
def test_a_long_text_that_is_no_kernel_is_known_in_one_pass(spec):
    """No pattern for kernels goes back over a long text."""
    with ending(), pytest.raises(imgconv.errors.KernelError):
        find(spec)


@pytest.mark.parametrize(
    "unit", ["<OME ", "<Pixels ", "<Channel ", "<UUID ", "<", ' SizeX="', "\n"]
)
def test_a_hostile_description_is_searched_in_one_pass(unit):
    """No pattern for OME-XML goes on from each tag that is never closed."""
    text = f"<OME><Pixels {unit * (LONG // len(unit))}</OME>"
    written = descriptions.Written("l", "uint8", (1, 1), 1)
    with ending():
        assert descriptions.is_ome(text)
        assert descriptions.strided(text, 2, 2) in ("", text)
        descriptions.sized(text, written)


@pytest.mark.parametrize("unit", [b" ", b"tiff:Orientation=", b"<tiff:Orientation>", b"\n\t"])
def test_hostile_xmp_is_searched_in_one_pass(unit):
    """No pattern for XMP goes on from each of many spaces."""
    with ending():
        assert metadata.orientation_of_xmp(unit * (LONG // len(unit))) == 1


def test_an_orientation_leaves_xmp_with_the_spaces_before_it():
    """What is left of XMP has no hole."""
    said = b'<a b="c"  \n tiff:Orientation="6" d=""/>'
    assert re.sub(metadata.XMP_ORIENTATION, b"", said) == b'<a b="c" d=""/>'
