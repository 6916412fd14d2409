"""One step over samples, a kernel or several combined: its geometry, the plan of each output."""

from __future__ import annotations

import functools

from imgconv.compiled import processor
from imgconv.compiled.words import PLAIN
from imgconv.engine.geometry import Fill, Geometry, Placing, fills
from imgconv.engine.levels import MAXIMUM, Rule
from imgconv.engine.mixing import Mix, make_mix
from imgconv.engine.plan import IDENTITY, is_whole, make_plan
from imgconv.engine.samples import Samples
from imgconv.engine.sums import EXACT, Plan, Rounding, Sum
from imgconv.errors import GeometryError, KernelError
from imgconv.kernels.kernel import Kernel
from imgconv.kernels.recipes import Combined
from imgconv.light import NamedTuple


class Step(NamedTuple):
    """What is done to samples: kernels, their layout, and what is known of the samples.

    `channels` are the places of the channels in a pixel in memory, for kernels that add them up;
    () are all. `magnitude` is the greatest absolute value of float samples, 0 if not known.

    Raises
    ------
    GeometryError
        By methods, if no output pixel remains, or the fill is no sample of this kind.
    KernelError
        By methods, if a kernel is for other channels, or too large for exact arithmetic.
    """

    work: Kernel | Combined
    layout: Placing
    channels: tuple[int, ...] = ()
    magnitude: float = 0
    threads: int | None = None

    @property
    def kernels(self) -> tuple[Kernel, ...]:
        """The kernel, or those that are combined."""
        return (self.work,) if isinstance(self.work, Kernel) else self.work.kernels

    def on(self, source: Samples) -> tuple[Geometry, ...]:
        """Return the geometry of each kernel on samples."""
        refuse_fill(self.layout.fill, source.kind)
        shape = source.height, source.width
        return tuple(self.layout.on(shape, kernel.size) for kernel in self.kernels)

    def shape(self, source: Samples) -> tuple[int, int, int]:
        """Return rows, columns and samples a pixel that come out."""
        outputs = self.outputs(len(self.channels) or source.channels)
        return *self.on(source)[0].shape, outputs or source.channels

    def outputs(self, channels: int) -> int:
        """Return how many channels sums over so many channels make; 0: each is by itself."""
        return len(self.kernels[0].reads(channels))

    def layer(self, source: Samples, result: str, rule: Rule = IDENTITY) -> Layer:
        """Return how its outputs are computed, with the rule of the levels folded in."""
        channels = self.channels or tuple(range(source.channels))
        shape = source.height, source.width
        count = self.layout.outputs(shape, self.kernels[0].size) * source.channels
        return make_layer(self.work, source.kind, result, channels, rule, self.magnitude, count)


def refuse_fill(fill: Fill, kind: str) -> None:
    """Raise an error for what no sample of a kind can be."""
    maximum = MAXIMUM[kind]
    for number in fills(fill):
        whole = isinstance(number, int) or number.is_integer()
        if maximum > 1 and not (whole and 0 <= number <= maximum):
            raise GeometryError(
                f"fill {number:g} is not a {kind} sample; choose a whole number from 0 to {maximum}"
            )


class Join(NamedTuple):
    """How responses are put together, as `kind`, and become samples: times scale, plus shift."""

    how: str
    kind: str
    scale: float
    shift: float
    rounding: Rounding


class Layer(NamedTuple):
    """The outputs of a step, each with one plan, or with those of several kernels to be joined.

    `reads` are the channels that each output adds up; empty, one is done to each channel by itself.
    `mix` are sums over all three channels of pixels of bytes.
    """

    outputs: tuple[tuple[Plan, ...], ...]
    reads: tuple[tuple[int, ...], ...] = ()
    join: Join | None = None
    mix: Mix | None = None

    @property
    def cost(self) -> int:
        """What a sample takes, or all of a pixel where there are `reads`, as `Plan.cost`.

        A join is like six taps, and a sum of a mix like eight on each channel.
        """
        if self.mix:
            return 8 * len(self.mix.rows)
        cost = sum(plan.cost for plans in self.outputs for plan in plans)
        return cost + 6 * len(self.outputs) * bool(self.join)

    @property
    def transformed(self) -> Plan | None:
        """The plan that uses Fourier transforms, which is then the only one."""
        first = self.outputs[0][0]
        return first if first.transform else None


def as_it_is(kind: str) -> Layer:
    """Return what copies samples, as a kind."""
    copied = Sum(kind, "", ((0, 0),), (1,))
    return Layer(((Plan(kind, (1, 1), copied, Rounding(PLAIN, 1, 0)),),))


@functools.lru_cache(maxsize=64)  # a batch asks for the same one again and again
def make_layer(
    work: Kernel | Combined,
    sample: str,
    result: str,
    channels: tuple[int, ...],
    rule: Rule = IDENTITY,
    magnitude: float = 0,
    outputs: int = 0,
) -> Layer:
    """Choose how to compute a step on samples of a kind; the arguments are those of `make_plan`.

    `channels` are where in a pixel in memory the channels are that kernels may add up.
    """
    if isinstance(work, Kernel):
        reads = _reads(work, channels)
        if reads:
            outputs = 0  # sums over channels are not transformed
        plans = [make_plan(k, sample, result, rule, magnitude, outputs) for k in work.outputs]
        mix = None
        if work.size == (1, 1) and sample == result == "uint8" and set(reads) == {(0, 1, 2)}:
            mix = make_mix(work.outputs, rule) if processor.has_vectors() else None
        return Layer(tuple((plan,) for plan in plans), reads, mix=mix)
    reads = _reads(work.kernels[0], channels)
    if any(_reads(kernel, channels) != reads for kernel in work.kernels):
        raise KernelError("kernels that are combined must have the same outputs of the same inputs")
    kind = _kind(work, sample, result, magnitude)
    several = zip(*(kernel.outputs for kernel in work.kernels), strict=True)
    planned = tuple(
        tuple(make_plan(k, sample, kind, magnitude=magnitude) for k in kernels)
        for kernels in several
    )
    parts = len(work.kernels) if work.how == "mean" else 1
    rounding = Rounding(PLAIN, -1 if rule.absolute else 1, MAXIMUM[result])
    join = Join(work.how, kind, float(rule.scale / parts), float(rule.shift), rounding)
    return Layer(planned, reads, join)


def _reads(kernel: Kernel, channels: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(channels[i] for i in read) for read in kernel.reads(len(channels)))


def _kind(work: Combined, sample: str, result: str, magnitude: float) -> str:
    """float32 where its rounding cannot be seen in pixels, else float64."""
    if result.startswith("float") or sample == "float64":
        return "float64"
    span = magnitude or MAXIMUM[sample]
    reach = max(max(map(abs, k.response_range(-span, span))) for k in work.kernels)
    if work.how == "magnitude":
        return "float32" if reach * (len(work.kernels) + 20) * 2**-22 < 0.1 else "float64"
    outputs = [kernel for several in work.kernels for kernel in several.outputs]
    whole = all(kernel.divisor == 1 and is_whole(kernel) for kernel in outputs)
    whole = whole and not sample.startswith("float")
    return "float32" if whole and reach * len(work.kernels) < EXACT else "float64"
