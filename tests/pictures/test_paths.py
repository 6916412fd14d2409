"""The same file gives the same picture by whatever path it is read, or the same refusal.

Files are drawn: kinds of samples, layouts, tags, frames; made by tifffile, by imagecodecs and byte
by byte. What must come out is known from how they are made, and read back by tifffile and Pillow.
"""

import io
import os
import pickle
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from PIL import Image

from imgconv.pictures import tiff_pieces
from imgconv.runs import batch, worker
from tests.images import chunk

tifffile = pytest.importorskip("tifffile")
imagecodecs = pytest.importorskip("imagecodecs")
fsspec = pytest.importorskip("fsspec")

# Options, and the samples of the input that come out: kernels that take the one under their anchor.
ONE, EVEN = "[[0,0,0],[0,1,0],[0,0,0]]", "[[0,1,0],[0,0,0]]"
TAKEN = {
    ("-k", ONE): (slice(None), slice(None)),
    ("-k", ONE, "--stride", "2,3"): (slice(None, None, 2), slice(None, None, 3)),
    ("-k", ONE, "--padding", "valid"): (slice(1, -1), slice(1, -1)),
    ("-k", EVEN, "--padding", "valid", "--stride", "2"): (slice(0, -1, 2), slice(1, -1, 2)),
}
GRAY, RGB, INKS = 1, 3, 4
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description tiff:Orientation="%d"/>'
    b"</rdf:RDF></x:xmpmeta>"
)
# By the value of EXIF's tag, what turns samples as they lie into those that are seen.
UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a[::-1].swapaxes(0, 1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: a[:, ::-1].swapaxes(0, 1),
}


@dataclass(repr=False)
class Drawn:
    """A file, the pictures that are to be seen in it, and what it says of them.

    `frames` are (H, W) or (H, W, C), upright; none where the file is refused.
    """

    data: bytes
    ending: str
    frames: list[np.ndarray] | None
    how: dict[str, Any] = field(default_factory=dict)
    resolution: tuple[float, float, int] | None = None  # across, down, of what unit
    place: np.ndarray | None = None  # from columns and rows of the first frame to places on earth

    def __repr__(self) -> str:
        """Say how the file was made."""
        return f"Drawn({self.ending}, {self.how})"


def noise(draw: st.DrawFn, kind: str, shape: tuple[int, ...], top: int = 0) -> np.ndarray:
    """Draw samples up to the greatest one."""
    chance = np.random.default_rng(draw(st.integers(0, 99)))
    if np.dtype(kind).kind == "f":
        return chance.random(shape).astype(kind)
    info = np.iinfo(kind)
    return chance.integers(info.min, (top or info.max) + 1, shape, kind)


def scaled(samples: np.ndarray, top: int, kind: str) -> np.ndarray:
    """Scale samples to those whose white is that of their kind, rounded."""
    white = np.iinfo(kind).max
    return ((samples.astype(np.int64) * white * 2 + top) // (2 * top)).astype(kind)


@st.composite
def tiffs(draw: st.DrawFn) -> Drawn:
    """Pages of tifffile's, alike but for their samples, and what it says of them."""
    bits, kind = draw(
        st.sampled_from(
            [(8, "uint8")] * 4
            + [(16, "uint16")] * 4
            + [(32, "float32"), (64, "float64"), (16, "float16"), (10, "uint16"), (12, "uint16")]
            + [(14, "uint16"), (1, "uint8"), (4, "uint8"), (16, "int16"), (32, "uint32")]
            + [(6, "uint8"), (13, "uint16")]
        )
    )
    photometric, colours = draw(
        st.sampled_from(
            [("minisblack", 1), ("miniswhite", 1), ("rgb", 3), ("rgb", 3), ("separated", 4)]
            + [("palette", 1)] * (kind == "uint8" and bits == 8)
        )
    )
    extra = draw(st.sampled_from([None, None, "unassalpha", "assocalpha", "unspecified"]))
    if photometric == "palette" or bits not in (8, 16, 32, 64):
        extra = None
    if photometric == "separated" and extra:  # alpha beside inks is refused
        extra = "unspecified"
    if photometric == "miniswhite" and extra == "assocalpha":  # of what the product is, is not said
        extra = "unassalpha"
    if bits in (1, 4) and colours > 1:
        bits = 8
    count = colours + (extra is not None)
    pages = draw(st.integers(1, 3))
    top = (1 << bits) - 1 if kind[0] == "u" else 0
    sides = st.integers(4, 20)
    arrays = [noise(draw, kind, (draw(sides), draw(sides), count), top) for _ in range(pages)]
    options: dict[str, Any] = {"photometric": photometric, "metadata": None}
    options["planarconfig"] = draw(st.sampled_from(["contig", "separate"])) if count > 1 else None
    if extra:
        options["extrasamples"] = [extra]
    if bits not in (8 * np.dtype(kind).itemsize, 1):
        options["bitspersample"] = bits
    else:
        options["compression"] = draw(st.sampled_from([None, "zlib", "lzw", "packbits", "zstd"]))
        if draw(st.booleans()):
            options["tile"] = draw(st.sampled_from([(16, 16), (32, 16)]))
        else:
            options["rowsperstrip"] = draw(st.integers(1, 20))
    if photometric == "palette":
        table = noise(draw, "uint16", (3, 256)) // 257 * 257
        options["colormap"] = table
    orientation, told = draw(
        st.sampled_from([(1, None), *((n, "exif") for n in range(1, 9)), (6, "xmp")])
    )
    tags: list[tuple[Any, ...]] = []
    if told == "exif":
        tags.append((274, "H", 1, orientation, True))
    if told == "xmp":
        packet = XMP % orientation
        tags.append((700, "B", len(packet), packet, True))
    unit = draw(st.sampled_from([None, 1, 2, 3]))
    resolution = None
    if unit:
        resolution = (
            draw(st.sampled_from([72, 4e5, 0.25])),
            draw(st.sampled_from([300, 2.5])),
            unit,
        )
        options |= {"resolution": resolution[:2], "resolutionunit": unit}
        if orientation > 4:
            resolution = (resolution[1], resolution[0], unit)
    place = None
    if draw(st.booleans()):
        place = earth(draw, tags)
    out = io.BytesIO()
    packed = bits in (10, 12, 13, 14)  # which tifffile writes in one order of bytes
    order, big = draw(st.sampled_from("<" if packed else "<>")), draw(st.booleans())
    with tifffile.TiffWriter(out, byteorder=order, bigtiff=big) as file:
        for array in arrays:
            lying = array[..., 0] if count == 1 else array
            if options["planarconfig"] == "separate":
                lying = np.moveaxis(array, 2, 0)
            if bits == 1:
                lying = lying.astype(bool)
            file.write(lying, extratags=tags, **options)
    seen: list[np.ndarray] | None = []
    for array in arrays:
        one = UPRIGHT[orientation](array)
        if photometric == "palette":
            one = np.moveaxis(table[:, one[..., 0]] // 257, 0, 2).astype("uint8")
        elif bits in (10, 12, 13, 14, 1, 4, 6):
            one = scaled(one, top, "uint8" if bits < 8 else "uint16")
        if np.dtype(kind).kind == "f":
            one = one.astype("float32")
        if extra == "assocalpha":
            one = divided(one)
        if photometric == "miniswhite":  # white is 0, but not for alpha
            white = 1 if one.dtype.kind == "f" else np.iinfo(one.dtype).max
            one = np.concatenate([(white - one[..., :1]).astype(one.dtype), one[..., 1:]], 2)
        seen.append(one[..., 0] if one.shape[2] == 1 else one)
    if kind in ("int16", "uint32"):
        seen = None
    how = {
        **options, "bits": bits, "kind": kind, "extra": extra, "pages": pages, "order": order,
        "big": big, "orientation": orientation, "told": told, "geo": place is not None,
    }  # fmt: skip
    if big and order == ">":  # whose tags Pillow does not read; a note says so
        resolution = place = None
    if orientation != 1:  # a place is lost, with a note
        place = None
    return Drawn(out.getvalue(), ".tif", seen, how, resolution, place)


def divided(samples: np.ndarray) -> np.ndarray:
    """Return samples whose colours were multiplied by alpha, at most white; black without it."""
    colours, alpha = samples[..., :-1].astype(np.float64), samples[..., -1:].astype(np.float64)
    white = 1 if samples.dtype.kind == "f" else np.iinfo(samples.dtype).max
    found = np.divide(colours * white, alpha, where=alpha > 0, out=np.zeros_like(colours))
    if samples.dtype.kind != "f":
        found = np.minimum(np.floor(found + 0.5), white)
    return np.concatenate([found.astype(samples.dtype), samples[..., -1:]], 2)


def earth(draw: st.DrawFn, tags: list[tuple[Any, ...]]) -> np.ndarray:
    """Add a place on earth to tags; return the matrix from (column, row, 1) of centres to it."""
    raster = draw(st.sampled_from([1, 2]))
    half = 0.5 if raster == 1 else 0.0
    tags.append((34735, "H", 12, (1, 1, 0, 2, 1024, 0, 1, 1, 1025, 0, 1, raster), True))
    if draw(st.booleans()):
        matrix = np.array([[8.0, -3, 1e5], [2, -7.5, 2e6]])
        values = [8.0, -3, 0, 1e5, 2, -7.5, 0, 2e6, 0, 0, 0, 0, 0, 0, 0, 1]
        tags.append((34264, "d", 16, tuple(values), True))
    else:
        across, down, i, j = 30.0, 20.0, 2.0, 1.0
        tags.append((33550, "d", 3, (across, down, 0.0), True))
        tags.append((33922, "d", 6, (i, j, 0.0, 440720.25, 3751320.5, 0.0), True))
        matrix = np.array([[across, 0, 440720.25 - i * across], [0, -down, 3751320.5 + j * down]])
    matrix[:, 2] += matrix[:, :2].sum(1) * half
    return matrix


@st.composite
def pngs(draw: st.DrawFn) -> Drawn:
    """A PNG byte by byte: every depth and colour type, transparency, interlaced or not."""
    colour = draw(st.sampled_from([0, 2, 3, 4, 6]))
    depth = draw(st.sampled_from({0: [1, 2, 4, 8, 16], 3: [1, 2, 4, 8]}.get(colour, [8, 16])))
    count = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    high, wide, top = draw(st.integers(3, 12)), draw(st.integers(4, 12)), (1 << depth) - 1
    kind = "uint16" if depth == 16 else "uint8"
    lying = noise(draw, kind, (high, wide, count), top)
    interlaced = draw(st.booleans())
    orientation = draw(st.sampled_from([None, 1, 3, 6]))
    dots = draw(st.sampled_from([None, (1, 2835, 11811), (0, 2, 3)]))
    chunks = [chunk(b"IHDR", struct.pack(">IIBBBBB", wide, high, depth, colour, 0, 0, interlaced))]
    seen = lying
    if colour == 3:
        table = noise(draw, "uint8", (top + 1, 3))
        chunks.append(chunk(b"PLTE", table.tobytes()))
        seen = table[lying[..., 0]]
        if draw(st.booleans()):
            alphas = noise(draw, "uint8", (top + 1,))
            chunks.append(chunk(b"tRNS", alphas.tobytes()))
            seen = np.concatenate([seen, alphas[lying]], 2)
    else:
        if depth < 8:
            seen = scaled(lying, top, "uint8")
        if colour in (0, 2) and draw(st.booleans()):
            hidden = lying[0, 0]
            chunks.append(chunk(b"tRNS", hidden.astype(">u2").tobytes()))
            white = np.iinfo(kind).max
            alpha = np.where((lying == hidden).all(2), 0, white).astype(kind)
            seen = np.concatenate([seen, alpha[..., None]], 2)
    if dots:
        chunks.append(chunk(b"pHYs", struct.pack(">IIB", dots[1], dots[2], dots[0])))
    if orientation:
        exif = Image.Exif()
        exif[274] = orientation
        chunks.append(chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")))
        seen = UPRIGHT[orientation](seen)
    chunks += [chunk(b"IDAT", zlib.compress(lines(lying, depth, interlaced))), chunk(b"IEND", b"")]
    how = {"depth": depth, "colour": colour, "interlaced": interlaced, "orientation": orientation}
    how["channels"] = seen.shape[2]
    return Drawn(
        b"\x89PNG\r\n\x1a\n" + b"".join(chunks),
        ".png",
        [seen[..., 0] if seen.shape[2] == 1 else seen],
        how,
    )


def lines(samples: np.ndarray, depth: int, interlaced: bool) -> bytes:
    """The rows of a PNG's samples, in its seven passes where it is interlaced."""
    steps = [(0, 0, 1, 1)]
    if interlaced:
        steps = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2)]
        steps.append((1, 0, 2, 1))
    found = b""
    for y, x, down, across in steps:
        part = samples[y::down, x::across]
        for row in part if part.size else ():
            bits = np.unpackbits(row.astype(">u2").view("u1").reshape(-1, 2), axis=1)[:, -depth:]
            found += b"\0" + np.packbits(bits).tobytes()
    return found


@st.composite
def others(draw: st.DrawFn) -> Drawn:
    """Files of Pillow's and of a few bytes: animations, photographs, the simple formats."""
    high, wide = draw(st.integers(3, 20)), draw(st.integers(4, 20))
    which = draw(
        st.sampled_from(["gif", "webp", "jpg", "bmp", "pgm", "pgm16", "ppm", "pbm", "pfm", "pam"])
    )
    out, ending, how = io.BytesIO(), f".{which}", {"which": which}
    if which in ("pgm", "pgm16", "ppm", "pbm", "pfm", "pam"):
        return simple(draw, which, high, wide)
    mode = draw(st.sampled_from(["L", "RGB"] + ["RGBA"] * (which in ("gif", "webp"))))
    channels = len(mode)
    count = draw(st.integers(1, 3)) if which in ("gif", "webp") else 1
    frames = [noise(draw, "uint8", (high, wide, channels)) for _ in range(count)]
    if which == "gif":  # few colours, so that the palette holds them; alpha is all or nothing
        frames = [frame // 128 * 255 for frame in frames]
    images = [Image.fromarray(f[..., 0] if channels == 1 else f) for f in frames]
    orientation = draw(st.sampled_from([None, 1, 6, 8]))
    options: dict[str, Any] = {}
    if orientation and which in ("webp", "jpg"):
        options["exif"] = Image.Exif()
        options["exif"][274] = orientation
        how["orientation"] = orientation
    if count > 1:
        options |= {"save_all": True, "append_images": images[1:], "duration": 90, "loop": 0}
    if which == "webp":
        options |= {"lossless": draw(st.booleans()), "exact": True}
    if which == "jpg":
        options |= {"quality": 90, "progressive": draw(st.booleans())}
    name = {"jpg": "JPEG"}.get(which, which.upper())
    images[0].save(out, name, **options)
    seen = []
    with Image.open(io.BytesIO(out.getvalue())) as image:
        for i in range(getattr(image, "n_frames", 1)):
            image.seek(i)
            frame = image.convert("RGBA" if image.has_transparency_data else "RGB")
            array = np.asarray(frame if which != "jpg" or channels > 1 else image.convert("L"))
            seen.append(UPRIGHT[how.get("orientation", 1)](array))
    how |= {
        "mode": mode,
        "frames": len(seen),
        **{k: v for k, v in options.items() if k != "append_images"},
    }
    return Drawn(out.getvalue(), ending, seen, how)


def simple(draw: st.DrawFn, which: str, high: int, wide: int) -> Drawn:
    """A portable map: a line of text and samples."""
    size = f"{wide} {high}"
    if which == "pbm":
        bits = noise(draw, "uint8", (high, wide), 1)
        data = f"P4\n{size}\n".encode() + np.packbits(bits, axis=1).tobytes()
        return Drawn(data, ".pbm", [(1 - bits) * 255], {"which": which})
    if which == "pfm":
        real = noise(draw, "float32", (high, wide))
        scale, order = draw(st.sampled_from([("-1.0", "<"), ("1.0", ">")]))
        data = f"Pf\n{size}\n{scale}\n".encode() + real[::-1].astype(f"{order}f4").tobytes()
        return Drawn(data, ".pfm", [real], {"which": which, "scale": scale})
    top = {"pgm16": 65535}.get(which) or draw(st.sampled_from([255, 15, 127]))
    channels = 3 if which == "ppm" else 1
    samples = noise(draw, "uint16" if top > 255 else "uint8", (high, wide, channels), top)
    if which == "pam":
        head = (
            f"P7\nWIDTH {wide}\nHEIGHT {high}\nDEPTH 1\nMAXVAL {top}\nTUPLTYPE GRAYSCALE\nENDHDR\n"
        )
    else:
        head = f"{'P6' if channels == 3 else 'P5'}\n{size}\n{top}\n"
    data = head.encode() + samples.astype(">u2" if top > 255 else "u1").tobytes()
    seen = scaled(samples, top, "uint16" if top > 255 else "uint8")
    if which == "pam":  # which Pillow does not read
        return Drawn(data, ".pam", None, {"which": which})
    ending = {"pgm16": ".pgm"}.get(which, f".{which}")
    return Drawn(
        data, ending, [seen if channels == 3 else seen[..., 0]], {"which": which, "top": top}
    )


def on_a_worker(todo: Any, task: Any, _: int) -> Any:
    """Do jobs as `batch.run` does, but as a worker of Dask's gets them: pickled."""
    packed = pickle.dumps(task._replace(progress=None))
    call, arguments = pickle.loads(pickle.dumps((worker.work, tuple(map(tuple, todo)))))
    for job, outcome in zip(todo, call(arguments, packed, tuple(worker.HERE)), strict=True):
        yield outcome._replace(name=job.name, output=job.target)


def answers(
    run: Any, folder: Path, drawn: Drawn, options: tuple[str, ...], other: str
) -> dict[str, Any]:
    """What comes of a file by each path: exit code, what is said, and the output's bytes.

    Where the bytes come from is one matter, and what they hold is another: beside files, each is
    taken from one `other` place only.
    """
    source, target = folder / f"in{drawn.ending}", folder / "out.tif"
    source.write_bytes(drawn.data)
    stored = f"memory://paths/in{drawn.ending}"
    fsspec.filesystem("memory").pipe(stored, drawn.data)
    elsewhere: dict[str, object] = {"stdin": "-", "store": stored, "worker": source}
    paths: dict[str, tuple[object, ...]] = {"whole": (source,), other: (elsewhere[other],)}
    if drawn.ending == ".tif":  # other formats are not read in pieces, and say so
        paths["tiled"] = source, "--tile", 8
    found = {}
    for name, arguments in paths.items():
        target.unlink(missing_ok=True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tiff_pieces, "SIDE", 16)  # of tiles that are written: there are several
            patch.setattr(os, "fsync", lambda _: None)
            if name == "worker":
                patch.setattr(batch, "run", on_a_worker)
                patch.setattr(worker, "_cancelled", lambda: False)
            stdin = drawn.data if name == "stdin" else b""
            done = run("apply", *arguments, *options, "-o", target, stdin=stdin)
        said = done.err.replace(str(arguments[0]) if name != "stdin" else "stdin", "it")
        found[name] = (done.code, said, target.read_bytes() if target.exists() else b"")
    return found


def read_back(data: bytes) -> list[tuple[np.ndarray, dict[int, Any]]]:
    """The samples of all pages and their tags, but for how and where samples lie in the file."""
    lying = {256, 257, 258, 259, 273, 277, 278, 279, 284, 317, 322, 323, 324, 325, 339}
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        found = []
        for page in file.pages:
            tags = {tag.code: tag.value for tag in page.tags if tag.code not in lying}
            if tags.get(296) == 1 and tags[282] == tags[283] == (1, 1):  # says nothing
                for code in (282, 283, 296):
                    del tags[code]
            if 700 in tags:  # where its space stands is of no meaning
                tags[700] = bytes(tags[700]).replace(b" />", b"/>")
            found.append((page.asarray(), tags))
        return found


def in_colours(samples: np.ndarray) -> np.ndarray:
    """Samples as RGBA."""
    deep = samples[..., None] if samples.ndim == 2 else samples
    white = 1 if deep.dtype.kind == "f" else np.iinfo(deep.dtype).max
    alpha = deep[..., -1:] if deep.shape[2] in (2, 4) else np.full_like(deep[..., :1], white)
    colours = deep[..., :3] if deep.shape[2] > 2 else np.repeat(deep[..., :1], 3, 2)
    return np.concatenate([colours, alpha], 2)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    drawn=st.one_of(tiffs(), tiffs(), pngs(), others()),
    options=st.sampled_from([*TAKEN]),
    other=st.sampled_from(["stdin", "store", "worker"]),
)
def test_all_paths_agree_on_what_a_file_says(
    drawn: Drawn, options: tuple[str, ...], other: str, run: Any, tmp_path: Path
) -> None:
    """Channels, depth, orientation, scale, place on earth; or the same words of refusal."""
    found = answers(run, tmp_path, drawn, options, other)
    code, said, data = found["whole"]
    pages = read_back(data) if data else []
    for path, (its_code, its_words, its_data) in found.items():
        assert (path, its_code, its_words) == (path, code, said)
        if its_data != data:
            its_pages = read_back(its_data)
            assert len(its_pages) == len(pages), path
            for (ours, tags), (theirs, others) in zip(pages, its_pages, strict=True):
                np.testing.assert_array_equal(theirs, ours, err_msg=path)
                told = {k: (tags.get(k), others.get(k)) for k in tags.keys() | others}
                assert (path, theirs.dtype) == (path, ours.dtype)
                assert (path, {k: v for k, v in told.items() if v[0] != v[1]}) == (path, {})
    event(f"{drawn.ending} {code}")
    assert (code == 0) == (drawn.frames is not None), said
    if code == 0:
        is_true(drawn, pages, TAKEN[options])


def is_true(drawn: Drawn, pages: list[tuple[np.ndarray, Any]], taken: tuple[slice, slice]) -> None:
    """An output shows the samples that were drawn, and says of them what is so."""
    assert len(pages) == len(drawn.frames or ())
    for (samples, tags), frame in zip(pages, drawn.frames or (), strict=True):
        wanted = frame[taken]
        if drawn.ending in (".gif", ".webp", ".jpg", ".bmp"):
            samples, wanted = in_colours(samples), in_colours(wanted)
        assert samples.dtype == wanted.dtype
        np.testing.assert_array_equal(samples, wanted)
        assert tags.get(274, 1) == 1
        assert b"Orientation" not in bytes(tags.get(700, b""))
        if drawn.resolution:
            steps = taken[1].step or 1, taken[0].step or 1
            dots = [tags[code][0] / tags[code][1] for code in (282, 283)]
            wanted = [told / step for told, step in zip(drawn.resolution, steps, strict=False)]
            np.testing.assert_allclose(dots, wanted, rtol=1e-6)
            assert tags[296] == drawn.resolution[2]
        if drawn.place is not None:
            rows, columns = (np.arange(frame.shape[i])[taken[i]] for i in range(2))
            at = np.array([columns[-1], rows[-1], 1])
            last = np.array([len(columns) - 1, len(rows) - 1, 1])
            np.testing.assert_allclose(on_earth(tags) @ last, drawn.place @ at, rtol=0, atol=1e-6)


def on_earth(tags: dict[int, Any]) -> np.ndarray:
    """The matrix from (column, row, 1) of a sample's centre to its place, as GeoTIFF has it."""
    half = 0.0 if tags[34735][11] == 2 else 0.5
    if 34264 in tags:
        m = tags[34264]
        matrix = np.array([[m[0], m[1], m[3]], [m[4], m[5], m[7]]])
    else:
        i, j, _, east, north, _ = tags[33922][:6]
        across, down, _ = tags[33550]
        matrix = np.array([[across, 0, east - i * across], [0, -down, north + j * down]])
    matrix[:, 2] += matrix[:, :2].sum(1) * half
    return matrix
