"""Steps over samples in memory: their programs, kept for the next picture of the shape.

Everything here raises what `Step` does, and OptionError for levels and threads that are none.
"""

from __future__ import annotations

import functools

from imgconv.engine import samples
from imgconv.engine.geometry import AS_IT_IS, Geometry
from imgconv.engine.levels import NONE, NOTHING, Ends, Rule, outermost, rule
from imgconv.engine.plan import IDENTITY
from imgconv.engine.ready import Ready, copying, ends_told, prepare
from imgconv.engine.samples import Samples
from imgconv.engine.step import Step
from imgconv.kernels.kernel import Kernel
from imgconv.kernels.recipes import Combined

ENDS = "ends"  # levels: only the ends of the responses are wanted


def respond(source: Samples, target: Samples, step: Step) -> None:
    """Write the unrounded responses to a target of floats."""
    _run(source, target, step, NONE, bytes([1]) * source.channels)


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
    """
    if levels == "stretch":
        if isinstance(step.work, Combined):  # its ends are known when all has been put together
            source, step, filtered = _put_together(source, step, filtered)
        ends = ends or extent(source, step, filtered) or NOTHING
    counts = _run(source, target, step, levels, filtered, ends)
    return sum(c[0] for c in counts), sum(c[1] for c in counts)


def ready(source: Samples, step: Step, result: str, depth: int, levels: str) -> Ready:
    """Return what is kept of a step, to be called on many samples of a shape; not for stretch."""
    target = samples.nowhere(result, depth)
    return _ready(*_known(source, step), target, levels, bytes([1]) * source.channels, None)


def extent(source: Samples, step: Step, filtered: bytes) -> Ends | None:
    """Return the least and the greatest finite response of the filtered channels, if any."""
    if isinstance(step.work, Combined):
        source, step, filtered = _put_together(source, step, filtered)
    found = _run(source, samples.nowhere("float32", 1), step, ENDS, filtered)
    plans = [plans[0] for plans in step.layer(source, "float32").outputs]
    return outermost(ends_told(each, plans) for each in found)


def grain(source: Samples, result: str, step: Step, rules: Rule = IDENTITY) -> tuple[int, int]:
    """Return rows and columns of the tiles of outputs that Fourier transforms make; 1, 1 for none.

    Part of an image gets the bytes of the whole where it begins and ends with such a tile. Of the
    source nobody reads the samples.
    """
    plan = step.layer(source, result, rules).transformed
    if not plan:
        return 1, 1
    from imgconv.engine import fourier

    return fourier.outputs(plan.size)


def sample(source: Samples, target: Samples, geometry: Geometry) -> None:
    """Copy the sample under the middle of the kernel, for channels that are not filtered."""
    middle = Geometry(geometry.rows.centre(), geometry.columns.centre(), 0)
    copying(source, target, middle).on(source, target, 1)


def _put_together(source: Samples, step: Step, filtered: bytes) -> tuple[Samples, Step, bytes]:
    """Responses of several kernels in memory, the step that leaves them so, and what counts."""
    between = samples.of_floats("float64", *step.shape(source))
    respond(source, between, step)
    same = Kernel([[1]])
    if outputs := step.outputs(len(step.channels) or source.channels):
        same = Kernel([[[[int(i == o)]] for i in range(outputs)] for o in range(outputs)])
        filtered = bytes([1]) * outputs
    return between, Step(same, AS_IT_IS, threads=step.threads), filtered


def _run(
    source: Samples,
    target: Samples,
    step: Step,
    levels: str,
    filtered: bytes,
    ends: Ends | None = None,
) -> list[list[int]]:
    """Do a step; return what each call has told."""
    there = samples.nowhere(target.kind, target.channels)
    ready = _ready(*_known(source, step), there, levels, filtered, ends)
    if ready.layer.transformed:
        from imgconv.engine import fourier

        return fourier.transform(source, target, ready, step.threads)
    return ready.on(source, target, step.threads)


def _known(source: Samples, step: Step) -> tuple[Samples, Step]:
    """All that decides how a step is done, but for what becomes of the responses."""
    shape = samples.nowhere(source.kind, source.channels, source.height, source.width)
    return shape, step._replace(threads=None)


@functools.lru_cache(maxsize=64)  # for the next picture of the shape
def _ready(
    source: Samples, step: Step, target: Samples, levels: str, filtered: bytes, ends: Ends | None
) -> Ready:
    """Have the program of a step written for samples of a shape."""
    rules = IDENTITY if levels in (NONE, ENDS) else rule(levels, target.kind, ends or NOTHING)
    geometries, layer = step.on(source), step.layer(source, target.kind, rules)
    return prepare(source, target, geometries, layer, filtered, ends=levels == ENDS)
