"""One step over samples, a kernel or several combined: the geometry, the layer, the run."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from imgconv import bands, samples
from imgconv.errors import GeometryError
from imgconv.geometry import Geometry, Layout
from imgconv.kernel import Kernel
from imgconv.layers import make_layer
from imgconv.levels import LEVELS, MAXIMUM, SAMPLES, Rule, rule
from imgconv.plan import IDENTITY
from imgconv.recipes import Combined
from imgconv.samples import Samples


class Step(NamedTuple):
    """What is done to samples: kernels, their layout, and what is known of the samples.

    `channels` are the places of the channels in a pixel in memory, for kernels that add them up;
    () are all. `magnitude` is the greatest absolute value of float samples, 0 if not known.
    """

    work: Kernel | Combined
    layout: Layout
    channels: tuple[int, ...] = ()
    magnitude: float = 0
    threads: int | None = None

    @property
    def kernels(self) -> tuple[Kernel, ...]:
        """The kernel, or those that are combined."""
        return (self.work,) if isinstance(self.work, Kernel) else self.work.kernels

    def on(self, source: Samples) -> tuple[Geometry, ...]:
        """Return the geometry of each kernel on samples.

        Raises
        ------
        GeometryError
            If no output pixel remains, or the fill is no sample of this kind.
        """
        maximum, fill = MAXIMUM[source.kind], self.layout.fill
        whole = isinstance(fill, int) or fill.is_integer()
        if maximum > 1 and not (whole and 0 <= fill <= maximum):
            raise GeometryError(
                f"fill {fill:g} is not a {source.kind} sample; "
                f"choose a whole number from 0 to {maximum}"
            )
        shape = source.height, source.width
        return tuple(self.layout.on(shape, kernel.size) for kernel in self.kernels)

    def shape(self, source: Samples) -> tuple[int, int, int]:
        """Return rows, columns and samples a pixel that come out.

        Raises
        ------
        GeometryError, KernelError
            If no output pixel remains, or the kernel is for another number of channels.
        """
        outputs = self.outputs(len(self.channels) or source.channels)
        return *self.on(source)[0].shape, outputs or source.channels

    def outputs(self, channels: int) -> int:
        """Return how many channels sums over so many channels make; 0: each is by itself.

        Raises
        ------
        KernelError
            If the kernel is for another number of channels.
        """
        return len(self.kernels[0].reads(channels))


def respond(source: Samples, target: Samples, step: Step) -> None:
    """Write the unrounded responses to a target of floats.

    Raises
    ------
    GeometryError, KernelError
        As `Step.shape` does.
    """
    _run(source, target, step, IDENTITY, bytes([1]) * source.channels)


def to_pixels(
    source: Samples, target: Samples, step: Step, levels: str, filtered: bytes
) -> tuple[int, int]:
    """Write samples of the target's kind; return how many were clipped below and above.

    `filtered` holds for each channel in memory a 1 if it counts for clipping and stretch, else a 0.

    Raises
    ------
    GeometryError, KernelError
        As `Step.shape` does.
    """
    if levels != "stretch":
        return _run(source, target, step, rule(levels, target.kind), filtered)
    if isinstance(step.work, Combined):  # its ends are known when all of it has been put together
        return _stretched(source, target, step, filtered)
    return stretch(source, target, step, extent(source, step, filtered), filtered)


def extent(source: Samples, step: Step, filtered: bytes) -> tuple[Fraction, ...]:
    """Return the least and the greatest finite response of a step of one kernel, if there is one.

    Raises
    ------
    GeometryError, KernelError
        As `Step.shape` does.
    """
    channels, (geometry,) = step.channels or tuple(range(source.channels)), step.on(source)
    layer = make_layer(
        step.work, source.kind, "float32", channels, IDENTITY, step.magnitude,
        _count(source, geometry),
    )  # fmt: skip
    return bands.extent(source, layer, geometry, filtered, step.threads)


def stretch(
    source: Samples, target: Samples, step: Step, ends: tuple[Fraction, ...], filtered: bytes
) -> tuple[int, int]:
    """Write samples that span the range of the target's kind where responses span the ends.

    Raises
    ------
    GeometryError, KernelError
        As `Step.shape` does.
    """
    return _run(source, target, step, rule("stretch", target.kind, *ends), filtered)


def _stretched(source: Samples, target: Samples, step: Step, filtered: bytes) -> tuple[int, int]:
    """Write the responses to memory first, then stretch them from there."""
    between = samples.of_floats("float64", *step.shape(source))
    respond(source, between, step)
    same, layout = Kernel([[1]]), step.layout._replace(padding=None, stride=(1, 1))
    if outputs := step.outputs(len(step.channels) or source.channels):
        same = Kernel([[[[int(i == o)]] for i in range(outputs)] for o in range(outputs)])
        filtered = bytes([1]) * outputs
    after = Step(same, layout, threads=step.threads)
    return to_pixels(between, target, after, "stretch", filtered)


def _run(
    source: Samples, target: Samples, step: Step, rules: Rule, filtered: bytes
) -> tuple[int, int]:
    channels, geometries = step.channels or tuple(range(source.channels)), step.on(source)
    layer = make_layer(
        step.work, source.kind, target.kind, channels, rules, step.magnitude,
        _count(source, geometries[0]),
    )  # fmt: skip
    return bands.run(source, target, layer, geometries, filtered, step.threads)


def _count(source: Samples, geometry: Geometry) -> int:
    """How many samples come out; 0 where strides or dilations make that no measure of work."""
    axes = geometry.rows, geometry.columns
    if any(axis.stride > 1 or axis.dilation > 1 for axis in axes):
        return 0
    return geometry.shape[0] * geometry.shape[1] * source.channels


def warm(work: Kernel | Combined) -> None:
    """Have compiled what kernels need on every kind of sample, with every levels."""
    first = work if isinstance(work, Kernel) else work.kernels[0]
    channels = tuple(range(first.shape[-3] if len(first.shape) > 2 else 1))
    for kind in SAMPLES:
        for masked in (b"\1", b"\1\0"):
            bands.warm(make_layer(work, kind, "float32", channels), "float32", masked)
            for levels in LEVELS:
                ends = Fraction(-7), Fraction(1000)  # as good as any for a stretch
                layer = make_layer(work, kind, kind, channels, rule(levels, kind, *ends))
                bands.warm(layer, kind, masked)
