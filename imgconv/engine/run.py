"""Steps over samples in memory: their programs, kept for the next picture of the shape."""

from __future__ import annotations

import functools
from typing import Any

from imgconv.engine import fourier, program, samples
from imgconv.engine.geometry import AS_IT_IS, Cut, Geometry, Layout
from imgconv.engine.levels import NONE, NOTHING, Ends, Rule, outermost, rule
from imgconv.engine.plan import IDENTITY
from imgconv.engine.ready import Ready, conduct, copying, ends_told, no_ends
from imgconv.engine.samples import Samples
from imgconv.engine.step import Step
from imgconv.kernels.kernel import Kernel
from imgconv.kernels.recipes import Combined


def respond(source: Samples, target: Samples, step: Step) -> None:
    """Write the unrounded responses to a target of floats.

    Raises
    ------
    GeometryError, KernelError
        As `Step.shape` does.
    """
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

    Raises
    ------
    GeometryError, KernelError
        As `Step.shape` does.
    """
    if levels != "stretch":
        return _run(source, target, step, levels, filtered)
    if isinstance(step.work, Combined):  # its ends are known when all of it has been put together
        source, step, filtered = _put_together(source, step, filtered)
    ends = ends or extent(source, step, filtered) or NOTHING
    return _run(source, target, step, levels, filtered, ends)


def ready(source: Samples, step: Step, result: str, depth: int, levels: str) -> Ready:
    """Return what is kept of a step, to be called on many samples of a shape; not for stretch.

    Raises
    ------
    GeometryError, KernelError
        As `Step.shape` does.
    """
    filtered = bytes([1]) * source.channels
    return _ready(*_key(source, step), result, depth, levels, filtered, None)


def extent(source: Samples, step: Step, filtered: bytes) -> Ends | None:
    """Return the least and the greatest finite response of the filtered channels, if there is one.

    Raises
    ------
    GeometryError, KernelError
        As `Step.shape` does.
    """
    if isinstance(step.work, Combined):
        source, step, filtered = _put_together(source, step, filtered)
    ready = _ready(*_key(source, step), "float32", 1, "ends", filtered, None)
    plans = [plans[0] for plans in ready.layer.outputs]
    nowhere = Samples(0, 0, 0, 1, 0, "float32", None)
    if ready.layer.transformed:
        found = fourier.transform(source, nowhere, ready, filtered, step.threads, ends=True)
    else:
        found = conduct(source, nowhere, ready, step.threads, no_ends(plans))
    return outermost(ends_told(each, plans) for each in found)


def grain(source: Samples, result: str, step: Step, rules: Rule = IDENTITY) -> tuple[int, int]:
    """Return rows and columns of the tiles of outputs that Fourier transforms make; 1, 1 for none.

    Part of an image gets the bytes of the whole where it begins and ends with such a tile. Of the
    source nobody reads the samples.
    """
    plan = step.layer(source, result, rules).transformed
    return fourier.outputs(plan.size) if plan else (1, 1)


def sample(source: Samples, target: Samples, geometry: Geometry) -> None:
    """Copy the sample under the middle of the kernel, for channels that are not filtered."""
    middle = Geometry(geometry.rows.centre(), geometry.columns.centre(), 0)
    conduct(source, target, copying(source, target, middle), 1, [])


def _put_together(source: Samples, step: Step, filtered: bytes) -> tuple[Samples, Step, bytes]:
    """Responses of several kernels in memory, the step that leaves them so, and what counts."""
    between = samples.of_floats("float64", *step.shape(source))
    respond(source, between, step)
    same = Kernel([[1]])
    if outputs := step.outputs(len(step.channels) or source.channels):
        same = Kernel([[[[int(i == o)]] for i in range(outputs)] for o in range(outputs)])
        filtered = bytes([1]) * outputs
    return between, Step(same, AS_IT_IS, threads=step.threads), filtered


# ---- programs that are kept -------------------------------------------------------------------


def _key(source: Samples, step: Step) -> tuple[Any, ...]:
    """All that decides how a step is done, but for what becomes of the responses."""
    kind = source.height, source.width, source.channels, source.kind
    return kind, step.work, step.layout, step.channels, step.magnitude


@functools.lru_cache(maxsize=64)  # for the next picture of the shape
def _ready(
    source: tuple[int, int, int, str],
    work: Kernel | Combined,
    shape: Layout | Cut,
    channels: tuple[int, ...],
    magnitude: float,
    kind: str,
    depth: int,
    levels: str,
    filtered: bytes,
    ends: Ends | None,
) -> Ready:
    """Write the program of a step on samples of a shape."""
    height, width, inputs, sample_kind = source
    image = Samples(0, height, width, inputs, 0, sample_kind, None)
    target = Samples(0, 0, 0, depth, 0, kind, None)
    step = Step(work, shape, channels, magnitude)
    rules = rule(levels, kind, ends or NOTHING) if levels not in (NONE, "ends") else IDENTITY
    geometries, layer = step.on(image), step.layer(image, kind, rules)
    rows, columns = geometries[0].shape
    taps = rows * columns * layer.taps * (1 if layer.reads else inputs)
    if layer.transformed:
        return Ready(layer, geometries, None, rows, taps)
    wanted = levels == "ends"
    written = program.write(image, target, geometries, layer, filtered, ends=wanted)
    return Ready(layer, geometries, written, rows, taps)


def _run(
    source: Samples,
    target: Samples,
    step: Step,
    levels: str,
    filtered: bytes,
    ends: Ends | None = None,
) -> tuple[int, int]:
    """Do a step; return how many samples were clipped below and above."""
    key = _key(source, step)
    ready = _ready(*key, target.kind, target.channels, levels, filtered, ends)
    if ready.layer.transformed:
        counts = fourier.transform(source, target, ready, filtered, step.threads)
    else:
        counts = conduct(source, target, ready, step.threads, (0, 0))
    return sum(c[0] for c in counts), sum(c[1] for c in counts)
