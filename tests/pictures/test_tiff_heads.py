"""What the heads of TIFF files tell, the same whether they are read whole or piece by piece."""

import contextlib
import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import ImageCms

from imgconv.errors import ImageError
from imgconv.pictures import decode, tiff_pieces
from imgconv.pictures.picture import Reading

STRIP_OFFSETS, PRIVATE = 273, 65000


def without_offsets(data: bytes, page: int) -> bytes:
    """Return a TIFF in which the StripOffsets of a page are a private tag."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        at = file.pages[page].tags[STRIP_OFFSETS].offset
    return data[:at] + struct.pack("<H", PRIVATE) + data[at + 2 :]


def refusals(data: bytes, path) -> set[str]:
    """Return the messages of all ways to read a file; an empty one where it is read."""
    (path / "x.tif").write_bytes(data)
    return {
        fault_of(lambda: decode.read(data)),
        fault_of(lambda: decode.read(data, Reading(shallow=True))),
        fault_of(lambda: tiff_pieces.File(str(path / "x.tif"), Reading()).close()),
    }


def fault_of(read) -> str:
    """Return the message of an error, if there is one."""
    try:
        read()
    except ImageError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("colour", ["minisblack", "rgb"])
@pytest.mark.parametrize("page", [0, 1])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_page_without_data_is_refused_rather_than_shown_as_the_one_before(
    kind, colour, page, compression, tmp_path
):
    """A page that has lost its StripOffsets is nothing, not the samples of its neighbour."""
    out = io.BytesIO()
    with tifffile.TiffWriter(out, byteorder="<") as file:
        for value in (50, 200):
            array = np.full((8, 6, 3)[: 3 if colour == "rgb" else 2], value, kind)
            file.write(array, photometric=colour, compression=compression, metadata=None)
    whole = out.getvalue()
    assert refusals(whole, tmp_path) == {""}
    found = refusals(without_offsets(whole, page), tmp_path)
    assert all(message.startswith("broken image: ") for message in found), found
    with tifffile.TiffFile(io.BytesIO(whole)) as file:
        last = file.pages[page].offset
    assert "" not in refusals(whole[: last + 2 + 12 * 9], tmp_path)


@pytest.mark.parametrize(
    ("tags", "name"), [([(50706, 1, 4, b"\1\4\0\0", True)], "DNG"), ([], "raw")]
)
@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_a_thumbnail_is_not_taken_for_the_picture(kind, tags, name, tmp_path):
    """A raw file, whose picture is in a SubIFD of a thumbnail, is refused by its name."""
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as file:
        thumbnail, raw = np.zeros((12, 16, 3), kind), np.zeros((64, 48), "uint16")
        options = {"photometric": "rgb", "subfiletype": 1, "subifds": 1}
        file.write(thumbnail, **options, extratags=tags, metadata=None)
        file.write(raw, metadata=None)
    (message,) = refusals(out.getvalue(), tmp_path)
    assert message.startswith(f"is a {name} file, whose first picture is a thumbnail")


def test_a_picture_with_smaller_ones_beside_it_is_read(tmp_path):
    """SubIFDs of a pyramid are smaller than their page, which is the picture."""
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as file:
        file.write(np.zeros((64, 48), "uint8"), subifds=1, metadata=None)
        file.write(np.zeros((32, 24), "uint8"), subfiletype=1, metadata=None)
    assert refusals(out.getvalue(), tmp_path) == {""}


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
def test_a_stack_in_one_page_is_not_cut_to_its_first_image(kind, tmp_path):
    """ImageJ writes large stacks as one page and the other images behind it."""
    for truncate, told in ((True, "is an ImageJ stack of 10 images in one page"), (False, "")):
        out, stack = io.BytesIO(), np.zeros((10, 48, 64), kind)
        tifffile.imwrite(out, stack, imagej=True, truncate=truncate, metadata={"axes": "ZYX"})
        (message,) = refusals(out.getvalue(), tmp_path)
        assert message.startswith(told)
        assert bool(message) == truncate


def answers(data: bytes, path, frame: int | None = None) -> set[str]:
    """Return what all ways to read a file say: means of its frames, or the refusal."""
    file = path / "x.tif"
    file.write_bytes(data)
    how = Reading(frame=frame)
    found = []

    def whole() -> None:
        found.append([float(f.array().mean()) for f in decode.read(data, how).frames])

    def pieces() -> None:
        opened = tiff_pieces.File(str(file), how)
        pages = [page.read(*map(range, page.shape)) for page in opened.pages]
        found.append([float(page.mean()) for page in pages])
        opened.close()

    return {fault_of(read) or str(found.pop()) for read in (whole, pieces)}


def changed(data: bytes, at: int, new: bytes) -> bytes:
    """Return data with other bytes in a place."""
    return data[:at] + new + data[at + len(new) :]


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_a_frame_is_read_where_others_are_broken(kind, big, tmp_path):
    """All frames, and those that are not there, are refused in the same words by every way."""
    out = io.BytesIO()
    with tifffile.TiffWriter(out, byteorder="<", bigtiff=big) as file:
        for value in (50, 200):
            file.write(np.full((8, 6), value, kind), metadata=None)
    data = out.getvalue()
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        first, second = file.pages
        tags, entry, link = len(first.tags), 20 if big else 12, "<Q" if big else "<I"
        after = first.offset + (8 if big else 2) + entry * tags
    assert answers(data, tmp_path) == {"[50.0, 200.0]"}
    assert answers(data, tmp_path, 1) == {"[200.0]"}
    assert answers(data, tmp_path, 7) == {"has no frame 7; its frames are 0 to 1"}
    circle = changed(data, after, struct.pack(link, first.offset))
    assert answers(circle, tmp_path) == answers(circle, tmp_path, 0) == {"[50.0]"}
    assert answers(circle, tmp_path, 1) == {"has no frame 1; its frames are 0 to 0"}
    assert "leads back" in decode.read(circle).lost[0]
    for broken, fault in (
        (changed(data, after, struct.pack(link, 1 << 30)), "it ends before all of frame 1"),
        (changed(data, second.offset, b"\xff\xff"), "it ends before all of frame 1"),
        (data[: second.offset + 40], "it ends before all of frame 1"),
        (without_offsets(data, 1), "a page has no samples"),
        (changed(data, second.tags[257].valueoffset, b"\0\0"), "it is 6x0"),
    ):
        assert answers(broken, tmp_path, 0) == {"[50.0]"}
        for frame in (None, 1):
            (message,) = answers(broken, tmp_path, frame)
            assert message.startswith(f"broken image: {fault}")


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("side", [{"tile": (16, 16)}, {"rowsperstrip": 8}], ids=str)
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_what_is_left_out_is_black_and_what_is_missing_is_told(kind, side, compression, tmp_path):
    """A part of no place and no length is empty, as GDAL writes it; one of the two is broken."""
    out = io.BytesIO()
    tifffile.imwrite(out, np.full((32, 32), 40, kind), compression=compression, **side)
    data = out.getvalue()
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        names = ("TileOffsets", "TileByteCounts") if "tile" in side else (
            "StripOffsets", "StripByteCounts")  # fmt: skip
        places, lengths = (file.pages[0].tags[name] for name in names)
    sizes = {3: 2, 4: 4}
    step = [sizes[int(tag.dtype)] for tag in (places, lengths)]
    unplaced = changed(data, places.valueoffset + step[0], bytes(step[0]))
    empty = changed(unplaced, lengths.valueoffset + step[1], bytes(step[1]))
    assert answers(empty, tmp_path) == {"[30.0]"}
    (message,) = answers(unplaced, tmp_path)
    assert message.startswith("broken image: a strip or tile has no place, or no length")
    fewer = changed(data, places.offset + 4, struct.pack("<I", 3))
    assert answers(fewer, tmp_path) == {
        "broken image: it has 3 strips or tiles, with 4 lengths, and needs 4; get a sound copy"
    }
    far = changed(data, places.valueoffset + step[0], b"\xff" * step[0])
    assert answers(far, tmp_path) == {"broken image: it is cut off; get the whole file"}


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("side", [{"tile": (16, 16)}, {"rowsperstrip": 8}], ids=str)
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_strips_and_tiles_are_counted_by_the_size(kind, side, compression, tmp_path):
    """More than there is room for would be shown in the place of others."""
    out = io.BytesIO()
    image = np.random.default_rng(3).integers(0, 256, (32, 32)).astype(kind)
    tifffile.imwrite(out, image, compression=compression, byteorder="<", **side)
    data = out.getvalue()
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        tags = file.pages[0].tags
        length = tags["ImageLength"].valueoffset
        tiles = [tags[code].offset for code in (324, 325) if code in tags]
    (message,) = answers(changed(data, length, b"\x10\0"), tmp_path)
    assert message.startswith("broken image: it has 4 strips or tiles, with 4 lengths, and needs")
    for at, code in zip(tiles, (273, 279), strict=False):  # where old writers put them
        data = changed(data, at, struct.pack("<H", code))
    assert answers(data, tmp_path) == {str([float(image.mean())])}


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_a_broken_note_is_no_reason_to_refuse_samples(kind, tmp_path):
    """By no way of reading; a broken word on the samples themselves is, in the same words."""
    out = io.BytesIO()
    notes = [(315, 2, 9, "somebody", True), (700, 1, 6, b"<xmp/>", True)]  # who made it, and XMP
    tifffile.imwrite(out, np.full((8, 6), 7, kind), metadata=None, extratags=notes)
    data = out.getvalue()
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        tags = file.pages[0].tags
        artist, coder, width = (tags[code].offset for code in (315, 259, 256))
    far = changed(data, artist + 8, b"\xff\xff\xff\x7f")
    assert answers(far, tmp_path) == {"[7.0]"}
    opened = tiff_pieces.File(str(tmp_path / "x.tif"), Reading())
    opened.close()
    for found in (opened, decode.read(far)):  # what follows is not lost with it
        assert found.metadata[0].xmp == b"<xmp/>"
        assert list(found.lost) == ["EXIF (broken)"]
    assert (tmp_path / "x.tif").read_bytes() == far
    assert answers(changed(data, artist + 2, b"\x63\0"), tmp_path) == {"[7.0]"}
    assert answers(changed(data, coder + 2, b"\x63\0"), tmp_path) == {
        "broken image: its tag 259 is not a whole number; get a sound copy"
    }
    assert answers(changed(data, width + 4, b"\2\0"), tmp_path) == {
        "broken image: its tag 256 is not a whole number; get a sound copy"
    }
    for number, name in ((34676, "SGILOG"), (9999, "compression 9999")):
        packed = changed(data, coder + 8, struct.pack("<H", number))
        assert answers(packed, tmp_path) == {
            f"is packed as {name}, which is not read; save it anew"
        }


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("code", [33723, 34377])
def test_iptc_is_said_to_be_lost_by_every_way(kind, code, tmp_path):
    """Its tag, or Photoshop's that holds it."""
    note = (code, 7, 12, b"8BIM\4\4\0\0\0\0\0\0", True)
    tifffile.imwrite(tmp_path / "x.tif", np.zeros((8, 6), kind), metadata=None, extratags=[note])
    opened = tiff_pieces.File(str(tmp_path / "x.tif"), Reading())
    opened.close()
    read = decode.read((tmp_path / "x.tif").read_bytes())
    for (kept,) in (opened.metadata, read.metadata):
        assert kept.lost == ("IPTC",)


def tagged(image: np.ndarray, code: int, value: int, **options) -> bytearray:
    """Return a TIFF with a tag that tifffile would not write."""
    out = io.BytesIO()
    tifffile.imwrite(out, image, extratags=[(PRIVATE, 3, 1, value, True)], **options)
    with tifffile.TiffFile(io.BytesIO(out.getvalue())) as file:
        at = file.pages[0].tags[PRIVATE].offset
    return bytearray(changed(out.getvalue(), at, struct.pack("<H", code)))


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("compression", [None, "packbits", "zlib"])
def test_samples_whose_bits_are_turned_round_are_turned_back(kind, compression, tmp_path):
    """FillOrder 2, as fax programs write it."""
    image = np.random.default_rng(3).integers(0, 256, (24, 16), kind)
    data = tagged(image, 266, 2, compression=compression, rowsperstrip=8)
    turned = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        (page,) = file.pages
        for start, count in zip(page.dataoffsets, page.databytecounts, strict=True):
            data[start : start + count] = data[start : start + count].translate(turned)
    assert answers(bytes(data), tmp_path) == {str([float(image.mean())])}


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("compression", [None, "packbits"])
def test_differences_that_are_not_compressed_are_refused(kind, compression, tmp_path):
    """The standard has them for LZW alone; libtiff passes over what tifffile adds up."""
    data = tagged(np.zeros((8, 6), kind), 317, 2, compression=compression)
    (message,) = answers(bytes(data), tmp_path)
    assert message.startswith("has a predictor without compression")


@pytest.mark.parametrize("tag", [256, 257, 278])
def test_a_tiff_without_rows_or_columns_is_refused(tag, tmp_path):
    """By its size, and before anything is divided by it."""
    out = io.BytesIO()
    options = {"rowsperstrip": 4, "compression": "zlib", "metadata": None}
    tifffile.imwrite(out, np.zeros((8, 6), "uint16"), **options)
    data = bytearray(out.getvalue())
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        place = file.pages[0].tags[tag].valueoffset
    data[place : place + 2] = bytes(2)
    assert all(m.startswith("broken image: ") for m in refusals(bytes(data), tmp_path))


def test_a_tiff_without_a_page_is_refused(tmp_path):
    """Whose first directory lies behind its end."""
    assert refusals(b"II+\0\10\0\0\0" + struct.pack("<Q", 1 << 50), tmp_path) != {""}
    (tmp_path / "x.tif").write_bytes(b"II*\0" + struct.pack("<I", 1 << 20))
    fault = fault_of(lambda: tiff_pieces.File(str(tmp_path / "x.tif"), Reading()))
    assert fault.startswith("broken image: it ")


def test_other_stacks_in_one_page_are_not_cut_either(tmp_path):
    """MetaMorph's, which has a tag with six numbers for each plane, and tifffile's."""
    stack = np.zeros((2, 8, 6), "uint16")
    out = io.BytesIO()
    tifffile.imwrite(out, stack, truncate=True, byteorder="<")
    (message,) = refusals(out.getvalue(), tmp_path)
    assert message.startswith("is a stack of tifffile's in one page")
    for planes in (1, 2):
        out = io.BytesIO()
        tag = (33629, 5, planes, tuple(range(1, 2 * planes + 1)), True)
        tifffile.imwrite(out, stack[0], metadata=None, extratags=[tag], byteorder="<")
        told = "is a MetaMorph stack of 2 images in one page"
        (message,) = refusals(out.getvalue() + stack.tobytes(), tmp_path)
        assert message.startswith(told if planes == 2 else ""), message
        assert bool(message) == (planes == 2)


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("first", [True, False])
def test_what_one_page_says_is_not_said_of_another(kind, first):
    """Its profile, its XMP and how that has it turned, its resolution."""
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="3"/></x:xmpmeta>'
    tags = [(34675, 7, len(profile), profile, True), (700, 1, len(xmp), xmp, True)]
    array = np.random.default_rng(1).integers(0, 255, (8, 6, 3)).astype(kind)
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as file:
        for said in (first, not first):
            options = {"extratags": tags, "resolution": (72, 72)} if said else {}
            file.write(array, photometric="rgb", metadata=None, **options)
    for frame in (None, 0, 1):
        picture = decode.read(out.getvalue(), Reading(frame=frame))
        says = (first, not first) if frame is None else (frame == (not first),)
        for pixels, told, said in zip(picture.frames, picture.metadata, says, strict=True):
            assert (bool(told.icc), bool(told.xmp), bool(told.resolution)) == (said,) * 3
            np.testing.assert_array_equal(pixels.array(), array[::-1, ::-1] if said else array)


@pytest.mark.parametrize("value", [0, 9, b"\x06"])
def test_an_orientation_that_is_none_turns_nothing(value, tmp_path):
    """The same whole and in pieces: numbers out of range, and one of another type."""
    array = np.arange(48, dtype="uint8").reshape(8, 6)
    kind = 1 if isinstance(value, bytes) else 3
    tifffile.imwrite(tmp_path / "a.tif", array, extratags=[(274, kind, 1, value, True)])
    whole = decode.read((tmp_path / "a.tif").read_bytes()).frames[0].array()
    file = tiff_pieces.File(str(tmp_path / "a.tif"), Reading())
    for found in (whole, file.pages[0].read(range(8), range(6))):
        np.testing.assert_array_equal(found[:, :, 0], array)
    file.close()


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_bits_in_the_other_order_are_put_right(kind, compression, tmp_path):
    """FillOrder 2: each byte's bits stand the other way round, of plain samples too."""
    array = np.random.default_rng(1).integers(0, 255, (8, 6)).astype(kind)
    out = io.BytesIO()
    tag = (PRIVATE, 3, 1, 2, True)
    tifffile.imwrite(
        out, array, byteorder="<", metadata=None, compression=compression, extratags=[tag]
    )
    data = bytearray(out.getvalue())
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        (start,), (size,) = file.pages[0].dataoffsets, file.pages[0].databytecounts
        tags = sorted(file.pages[0].tags.values(), key=lambda tag: tag.offset)
    entries = [bytearray(data[tag.offset : tag.offset + 12]) for tag in tags]
    entries[-1][:2] = struct.pack("<H", 266)
    entries.sort(key=lambda entry: struct.unpack("<H", entry[:2]))
    data[tags[0].offset : tags[0].offset + 12 * len(tags)] = b"".join(entries)
    turned = bytes(int(f"{byte:08b}"[::-1], 2) for byte in data[start : start + size])
    data[start : start + size] = turned
    (tmp_path / "a.tif").write_bytes(data)
    whole = decode.read(bytes(data)).frames[0].array()
    file = tiff_pieces.File(str(tmp_path / "a.tif"), Reading())
    for found in (whole, file.pages[0].read(range(8), range(6))):
        np.testing.assert_array_equal(found[:, :, 0], array)
    file.close()


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_iptc_that_is_left_out_is_told_in_every_way(kind, tmp_path):
    """A tag of its own that has no place in what is written."""
    out = tmp_path / "a.tif"
    tag = (33723, 7, 8, b"\x1c\2\0\0" * 2, True)
    tifffile.imwrite(out, np.zeros((8, 6), kind), extratags=[tag])
    file = tiff_pieces.File(str(out), Reading())
    for told in (decode.read(out.read_bytes()).metadata, file.metadata):
        assert told[0].lost == ("IPTC",)
    file.close()


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_tags_that_contradict_each_other_are_told_alike(kind, tmp_path):
    """None of them is believed by one way of reading and not by the other."""
    out = io.BytesIO()
    image = np.zeros((32, 32), kind)
    tifffile.imwrite(out, image, tile=(16, 16), metadata=None)
    data = out.getvalue()
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        tags = file.pages[0].tags
        wide, lengths = tags["TileWidth"].valueoffset, tags["TileByteCounts"].offset
    assert answers(data, tmp_path) == {"[0.0]"}
    lost = changed(data, lengths, struct.pack("<H", PRIVATE))
    assert "does not say how long" in answers(lost, tmp_path).pop()
    for odd in (
        changed(data, wide, b"\0\0"),
        bytes(tagged(image, 284, 3, tile=(16, 16))),
        bytes(tagged(image, 273, 8, tile=(16, 16))),
    ):
        (message,) = answers(odd, tmp_path)
        assert message == "broken image: its tags do not say how its samples lie; get a sound copy"


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_tiles_in_the_place_of_strips_are_tiles(kind, tmp_path):
    """As old programs wrote them: what their sides are decides."""
    out = io.BytesIO()
    image = np.random.default_rng(5).integers(0, 256, (40, 24), kind)
    tifffile.imwrite(out, image, tile=(16, 16), metadata=None)
    data = out.getvalue()
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        for code, other in ((324, 273), (325, 279)):
            data = changed(data, file.pages[0].tags[code].offset, struct.pack("<H", other))
    (frame,) = decode.read(data).frames
    np.testing.assert_array_equal(frame.array()[:, :, 0], image)
    assert answers(data, tmp_path) == {str([float(image.mean())])}


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_a_page_has_no_profile_of_the_page_before(kind, tmp_path):
    """Each page says by itself what its colours are."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    with tifffile.TiffWriter(tmp_path / "x.tif") as file:
        for options in ({"iccprofile": profile}, {}):
            file.write(np.zeros((8, 6, 3), kind), photometric="rgb", metadata=None, **options)
    with contextlib.closing(tiff_pieces.File(str(tmp_path / "x.tif"), Reading())) as opened:
        for found in (opened, decode.read((tmp_path / "x.tif").read_bytes())):
            assert [kept.icc for kept in found.metadata] == [profile, b""]


def test_a_strip_that_says_it_is_longer_than_the_file_is_read_if_all_is_there(tmp_path):
    """What is not compressed is as long as its rows."""
    out = io.BytesIO()
    tifffile.imwrite(out, np.full((8, 6), 7, "uint8"), metadata=None)
    with tifffile.TiffFile(out := io.BytesIO(out.getvalue())) as file:
        at = file.pages[0].tags[279].valueoffset
        data = changed(out.getvalue(), at, b"\xff\xff\xff")
    assert answers(data, tmp_path) == {"[7.0]"}


def test_old_jpeg_is_decoded_as_a_whole(tmp_path):
    """Where tifffile's coder reads other samples than libtiff, or none."""
    out = io.BytesIO()
    tifffile.imwrite(out, np.zeros((32, 64), "uint8"), metadata=None)
    with tifffile.TiffFile(io.BytesIO(out.getvalue())) as file:
        coder = file.pages[0].tags[259].valueoffset
    (tmp_path / "x.tif").write_bytes(changed(out.getvalue(), coder, b"\6"))
    message = fault_of(lambda: tiff_pieces.File(str(tmp_path / "x.tif"), Reading()))
    assert message == "is packed as old JPEG, which is decoded as a whole; leave out --tile"
