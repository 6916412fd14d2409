"""One step over samples, a kernel or several combined: the geometry, the layer, the run."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from imgconv.engine import bands, fourier, samples
from imgconv.engine.geometry import Cut, Geometry, Layout, layout
from imgconv.engine.layers import Layer, make_layer
from imgconv.engine.levels import LEVELS, MAXIMUM, NOTHING, SAMPLES, Ends, Rule, rule
from imgconv.engine.plan import IDENTITY
from imgconv.engine.samples import Samples
from imgconv.errors import GeometryError
from imgconv.kernels.kernel import Kernel
from imgconv.kernels.recipes import Combined


class Step(NamedTuple):
    """What is done to samples: kernels, their layout, and what is known of the samples.

    `channels` are the places of the channels in a pixel in memory, for kernels that add them up;
    () are all. `magnitude` is the greatest absolute value of float samples, 0 if not known.
    """

    work: Kernel | Combined
    layout: Layout | Cut
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
    source: Samples,
    target: Samples,
    step: Step,
    levels: str,
    filtered: bytes,
    ends: Ends | None = None,
) -> tuple[int, int]:
    """Write samples of the target's kind; return how many were clipped below and above.

    `filtered` holds for each channel in memory a 1 if it counts for clipping and stretch, else a 0.
    `ends` are the responses that a stretch spans, where the samples are a part of what it is for.

    Raises
    ------
    GeometryError, KernelError
        As `Step.shape` does.
    """
    if levels != "stretch":
        return _run(source, target, step, rule(levels, target.kind), filtered)
    if isinstance(step.work, Combined):  # its ends are known when all of it has been put together
        source, step, filtered = _put_together(source, step, filtered)
    ends = ends or extent(source, step, filtered) or NOTHING
    return _run(source, target, step, rule(levels, target.kind, ends), filtered)


def extent(source: Samples, step: Step, filtered: bytes) -> Ends | None:
    """Return the least and the greatest finite response of the filtered channels, if there is one.

    Raises
    ------
    GeometryError, KernelError
        As `Step.shape` does.
    """
    if isinstance(step.work, Combined):
        source, step, filtered = _put_together(source, step, filtered)
    (geometry,) = step.on(source)
    layer = _layer(source, "float32", step, IDENTITY)
    return bands.extent(source, layer, geometry, filtered, step.threads)


def grain(source: Samples, result: str, step: Step, rules: Rule = IDENTITY) -> tuple[int, int]:
    """Return rows and columns of the tiles of outputs that Fourier transforms make; 1, 1 for none.

    Part of an image gets the bytes of the whole where it begins and ends with such a tile. Of the
    source nobody reads the samples.
    """
    layer = _layer(source, result, step, rules)
    return fourier.outputs(layer.plans[0].size) if layer.transformed else (1, 1)


def _put_together(source: Samples, step: Step, filtered: bytes) -> tuple[Samples, Step, bytes]:
    """Responses of several kernels in memory, the step that leaves them so, and what counts."""
    between = samples.of_floats("float64", *step.shape(source))
    respond(source, between, step)
    same = Kernel([[1]])
    if outputs := step.outputs(len(step.channels) or source.channels):
        same = Kernel([[[[int(i == o)]] for i in range(outputs)] for o in range(outputs)])
        filtered = bytes([1]) * outputs
    return between, Step(same, layout(), threads=step.threads), filtered


def _run(
    source: Samples, target: Samples, step: Step, rules: Rule, filtered: bytes
) -> tuple[int, int]:
    layer = _layer(source, target.kind, step, rules)
    return bands.run(source, target, layer, step.on(source), filtered, step.threads)


def _layer(source: Samples, result: str, step: Step, rules: Rule) -> Layer:
    channels = step.channels or tuple(range(source.channels))
    shape = source.height, source.width
    count = step.layout.outputs(shape, step.kernels[0].size) * source.channels
    return make_layer(step.work, source.kind, result, channels, rules, step.magnitude, count)


def warm(work: Kernel | Combined) -> None:
    """Have compiled what kernels need on every kind of sample, with every levels."""
    first = work if isinstance(work, Kernel) else work.kernels[0]
    channels = tuple(range(first.shape[-3] if len(first.shape) > 2 else 1))
    for kind in SAMPLES:
        for masked in (b"\1", b"\1\0"):
            bands.warm(make_layer(work, kind, "float32", channels), "float32", masked)
            for levels in LEVELS:
                ends = Fraction(-7), Fraction(1000)  # as good as any for a stretch
                layer = make_layer(work, kind, kind, channels, rule(levels, kind, ends))
                bands.warm(layer, kind, masked)
