"""One kernel over samples: the geometry, the plan with its levels, the run."""

from __future__ import annotations

from fractions import Fraction

from imgconv import bands
from imgconv.errors import GeometryError
from imgconv.geometry import Geometry, Layout
from imgconv.kernel import Kernel
from imgconv.levels import LEVELS, MAXIMUM, SAMPLES, rule
from imgconv.plan import make_plan
from imgconv.samples import Samples


def geometry_of(source: Samples, kernel: Kernel, layout: Layout) -> Geometry:
    """Return the geometry of a kernel on samples.

    Raises
    ------
    GeometryError
        If no output pixel remains, or the fill is no sample of this kind.
    """
    geometry = layout.on((source.height, source.width), kernel.size)
    maximum = MAXIMUM[source.kind]
    whole = isinstance(layout.fill, int) or layout.fill.is_integer()
    if maximum > 1 and not (whole and 0 <= layout.fill <= maximum):
        raise GeometryError(
            f"fill {layout.fill:g} is not a {source.kind} sample; "
            f"choose a whole number from 0 to {maximum}"
        )
    return geometry


def respond(
    source: Samples,
    target: Samples,
    kernel: Kernel,
    geometry: Geometry,
    *,
    magnitude: float = 0,
    threads: int | None = None,
) -> None:
    """Write the unrounded responses to a target of floats.

    `magnitude` is the greatest absolute value of float samples, where it is known.
    """
    outputs = _outputs(source, geometry)
    plan = make_plan(kernel, source.kind, target.kind, magnitude=magnitude, outputs=outputs)
    bands.run(source, target, plan, geometry, bytes([1]) * source.channels, threads)


def to_pixels(
    source: Samples,
    target: Samples,
    kernel: Kernel,
    geometry: Geometry,
    levels: str,
    filtered: bytes,
    *,
    magnitude: float = 0,
    threads: int | None = None,
) -> tuple[int, int]:
    """Write samples of the target's kind; return how many were clipped below and above.

    `filtered` holds for each channel a 1 if it counts for clipping and stretch, else a 0.
    """
    ends, outputs = (Fraction(0), Fraction(0)), _outputs(source, geometry)
    if levels == "stretch":
        plan = make_plan(kernel, source.kind, "float32", magnitude=magnitude, outputs=outputs)
        ends = bands.extent(source, plan, geometry, filtered, threads)
    rules = rule(levels, target.kind, *ends)
    plan = make_plan(kernel, source.kind, target.kind, rules, magnitude, outputs)
    return bands.run(source, target, plan, geometry, filtered, threads)


def _outputs(source: Samples, geometry: Geometry) -> int:
    """How many samples come out; 0 where strides or dilations make that no measure of work."""
    axes = geometry.rows, geometry.columns
    if any(axis.stride > 1 or axis.dilation > 1 for axis in axes):
        return 0
    return geometry.shape[0] * geometry.shape[1] * source.channels


def warm(kernel: Kernel) -> None:
    """Have compiled what a kernel needs on every kind of sample, with every levels."""
    for kind in SAMPLES:
        for masked in (b"\1", b"\1\0"):
            bands.warm(make_plan(kernel, kind, "float32"), masked)
            for levels in LEVELS:
                ends = Fraction(-7), Fraction(1000)  # as good as any for a stretch
                bands.warm(make_plan(kernel, kind, kind, rule(levels, kind, *ends)), masked)


def warm_combined(kernel: Kernel) -> None:
    """Have compiled what a kernel needs as one of several that are put together."""
    for kind in SAMPLES:
        bands.warm(make_plan(kernel, kind, "float64"), b"\1")
