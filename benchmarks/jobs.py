"""What is measured of the core: jobs, pictures, and the rows that the two make."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import imgconv


@dataclass(frozen=True)
class Job:
    """A kernel, and by what other libraries choose their routine for it.

    `family` is dense, sobel, box, gaussian, sepia or luma; `sigma` is that of a gaussian.
    """

    name: str
    kernel: imgconv.Kernel
    family: str = "dense"
    sigma: float = 0


@dataclass(frozen=True)
class Picture:
    """The size and type of a picture; with one channel it is gray and has no axis for it."""

    width: int
    height: int
    channels: int = 3
    type: str = "uint8"

    @property
    def name(self) -> str:
        """The name that tables have for it."""
        colour = "RGB" if self.channels == 3 else "gray"
        kind = "" if self.type == "uint8" else f" {self.type}"
        return f"{self.width}x{self.height} {colour}{kind}"

    def noise(self) -> npt.NDArray[Any]:
        """Return such a picture; that of floats is between 0 and 1."""
        shape = (self.height, self.width, self.channels)[: 3 if self.channels > 1 else 2]
        random = np.random.default_rng(0)
        if self.type == "float32":
            return random.random(shape, np.float32)
        return random.integers(0, np.iinfo(self.type).max, shape, self.type, endpoint=True)


@dataclass(frozen=True)
class Row:
    """A job on a picture."""

    job: Job
    picture: Picture

    @property
    def name(self) -> str:
        """The names of both."""
        return f"{self.job.name}, {self.picture.name}"

    def call(self) -> Callable[[], Any]:
        """Return what does it by imgconv, on a picture made now."""
        image, kernel = self.picture.noise(), self.job.kernel
        return lambda: imgconv.apply(image, kernel)


def whole(side: int) -> Job:
    """Return a dense kernel of whole numbers."""
    weights = np.random.default_rng(side).integers(-3, 6, (side, side))
    return Job(f"whole {side}x{side}", imgconv.Kernel(np.where(weights, weights, 1)))


def real(side: int) -> Job:
    """Return a dense kernel of real numbers, whose magnitudes add up to 1."""
    weights = np.random.default_rng(side).normal(size=(side, side))
    return Job(f"real {side}x{side}", imgconv.Kernel(weights / np.abs(weights).sum()))


def box(side: int) -> Job:
    """Return the mean of a square."""
    return Job(f"box {side}x{side}", imgconv.load_kernel(f"box(size={side})"), "box")


def gaussian(sigma: float) -> Job:
    """Return a gaussian, which is cut off at 4 sigma."""
    kernel = imgconv.load_kernel(f"gaussian(sigma={sigma:g})")
    return Job(f"gaussian sigma {sigma:g}", kernel, "gaussian", sigma)


SOBEL = Job("sobel-right 3x3", imgconv.load_kernel("sobel-right"), "sobel")
JOBS = (
    SOBEL, Job("emboss 3x3", imgconv.load_kernel("emboss")), whole(5), real(7), real(15),
    *map(box, (3, 7, 15, 51, 101)), *map(gaussian, (1, 3, 10, 30)),
)  # fmt: skip
# Sums over the channels, of colours only: 3 outputs and 1.
OF_COLOURS = (
    Job("sepia", imgconv.load_kernel("sepia"), "sepia"),
    Job("luma", imgconv.Kernel([[[[0.299]], [[0.587]], [[0.114]]]]), "luma"),
)
PICTURES = (
    Picture(64, 64, 1), Picture(64, 64), Picture(256, 256), Picture(512, 512, 1),
    Picture(512, 512), Picture(1920, 1080), Picture(4000, 3000, 1), Picture(4000, 3000),
)  # fmt: skip
OF_TYPES = (SOBEL, real(7), gaussian(3))


def rows() -> Iterator[Row]:
    """Yield all that is measured: 8-bit pictures, then a few of other types."""
    for picture in PICTURES:
        for job in JOBS if picture.channels == 1 else (*JOBS, *OF_COLOURS):
            yield Row(job, picture)
    for kind in ("uint16", "float32"):
        for picture in (Picture(1920, 1080, 3, kind), Picture(4000, 3000, 1, kind)):
            for job in OF_TYPES:
                yield Row(job, picture)
