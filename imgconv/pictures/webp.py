"""WebP: animations, and whether anything was lost by how one is coded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, Any

from PIL import Image

from imgconv.pictures.picture import Picture


def is_lossless(data: bytes) -> bool:
    """Return whether no frame of a WebP is coded as VP8, which loses something."""
    at, kinds = 12, set()
    while at + 8 <= len(data):
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        kinds.add(kind)
        at += 8 + (16 if kind == b"ANMF" else length + length % 2)  # a frame has chunks of its own
    return b"VP8L" in kinds and b"VP8 " not in kinds


def write(
    out: IO[bytes], images: Sequence[Image.Image], picture: Picture, options: dict[str, Any]
) -> list[str]:
    """Write frames as an animation by Pillow; return what its encoder has left out."""
    if picture.durations:
        options = options | {"duration": [round(d) for d in picture.durations]}
    if picture.loop is not None:
        options = options | {"loop": picture.loop}
    start, count = out.tell(), len(images)
    images[0].save(out, "WEBP", save_all=True, append_images=[_Others(images)], **options)
    out.seek(start)
    with Image.open(out, formats=["WEBP"]) as image:
        fewer = count - getattr(image, "n_frames", 1)
    return [f"{fewer} of {count} frames, equal to the one before,"] * bool(fewer)


class _Others:
    """All frames but the first as one image of Pillow's, which makes each when it is sought."""

    def __init__(self, images: Sequence[Image.Image]) -> None:
        self._images, self.n_frames = images, len(images) - 1
        self.seek(0)

    def seek(self, index: int) -> None:
        """Become one of the frames."""
        self._now = self._images[index + 1]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._now, name)
