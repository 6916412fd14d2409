"""What Pillow would read wrongly: told by the head alone, so that another reader takes it."""

from __future__ import annotations

from PIL import ImageFile

from imgconv.errors import ImageError
from imgconv.pictures.picture import JPEG, NO_SAMPLES, YCBCR, Reading, refuse_samples

DEEP = "bits a channel"  # what Pillow would cut
UNKNOWN = "has a layout that Pillow does not read"
BITS, COMPRESSION, PHOTOMETRIC, STRIPS, PLANES = 258, 259, 262, 273, 284
COLOUR_MAP, TILE_WIDTH, TILES, EXTRA_SAMPLES, FORMAT = 320, 322, 324, 338, 339
CLEAR = (2, 3, 4, 6)  # faxes and old JPEG, of which black is known where nothing says it
FOREIGN = (34676, 34677, 50001)  # packed as SGILog or WebP, of which Pillow makes nothing


def fault(image: ImageFile.ImageFile, how: Reading) -> str:
    """Return why Pillow must not decode an image: it would cut or change samples; "" if not."""
    if image.format == "TIFF":
        return _of_tiff(image, how)
    transparent = "transparency" in image.info
    if image.mode in ("I;16", "I;16B", "F"):
        return "has 16 bits and a transparent value" * (transparent and not how.shallow)
    arguments = str(image.tile[0].args) if image.tile else ""
    if image.format == "PPM":
        deep = image.mode not in ("I", "F") and _maximum(image) > 255
    else:
        deep = ";16" in arguments
    # Pillow compares the cut samples with the whole transparent value.
    return f"has 16 {DEEP}" * (deep and (transparent or not how.shallow))


def _of_tiff(image: ImageFile.ImageFile, how: Reading) -> str:
    tags = image.tag_v2  # type: ignore[attr-defined]
    if not image.tile:  # Pillow would show the page before
        raise ImageError(NO_SAMPLES)
    if 0 in (tags.get(STRIPS) or tags.get(TILES)) or (STRIPS in tags and TILE_WIDTH in tags):
        return "has strips or tiles that Pillow does not find"  # but others in their places
    kinds, bits = tags.get(FORMAT, (1,)), max(tags.get(BITS, (1,)))
    colours, coded = tags.get(PHOTOMETRIC, 0), tags.get(COMPRESSION, 1)
    refuse_samples(bits, kinds, colours)
    if PHOTOMETRIC not in tags and coded not in CLEAR:  # to Pillow white is 0, to others black
        return "does not say whether black is 0"
    if "P" in image.mode and max(tags.get(COLOUR_MAP, (0,))) < 256:  # all black to Pillow
        return "has a palette of 8 bits"
    if coded in FOREIGN or (coded in JPEG and bits > 8):
        return UNKNOWN
    if colours == YCBCR and (coded not in JPEG or tags.get(PLANES, 1) == 2):
        return "has YCbCr colours"
    if bits not in (1, 2, 4, 8, 16, 32, 64):
        return f"has samples of {bits} bits"
    if {0, 1} & set(others := tags.get(EXTRA_SAMPLES, ())) or len(others) > 1:
        return "has channels beside its colours"
    if bits <= 8:
        return "has gray and alpha in planes" * (tags.get(PLANES, 1) == 2 and image.mode == "LA")
    # Pillow mixes up planes of 16 bits and the bytes of reals that libtiff has put in order, and
    # does not turn white at 0 into black.
    swapped = image.mode == "F" and tags.prefix == b"MM" and coded != 1
    odd = tags.get(PLANES, 1) == 2 or colours == 0 or swapped
    if not odd and (how.shallow or image.mode in ("I;16", "I;16B", "F")):
        return ""
    return "has colours of real numbers" if 3 in kinds else f"has {bits} {DEEP}"


def _maximum(image: ImageFile.ImageFile) -> int:
    """What a PPM calls white."""
    arguments = image.tile[0].args if image.tile else ()
    found = arguments[1] if isinstance(arguments, tuple) and len(arguments) > 1 else 255
    return found if isinstance(found, int) else 255


def is_cuttable(fault: str) -> bool:
    """Return whether Pillow could decode a TIFF if its samples were to be cut to 8 bits."""
    return fault.endswith(DEEP)
