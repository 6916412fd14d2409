"""One picture through its kernels: channels once at the start, levels once at the end."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from imgconv.engine import run, samples
from imgconv.engine.geometry import fills
from imgconv.engine.levels import MAXIMUM, NONE, NOTHING, Ends, outermost, rule
from imgconv.engine.samples import Samples
from imgconv.engine.step import Step
from imgconv.errors import ImageError
from imgconv.kernels.kernel import Kernel
from imgconv.kernels.recipes import Combined
from imgconv.kernels.separable import Separable
from imgconv.light import NamedTuple
from imgconv.pictures import pixels
from imgconv.pictures.metadata import Grid
from imgconv.pictures.pixels import NAMELESS, Pixels
from imgconv.pipeline.views import Band, Outline, Tile, View, Whole
from imgconv.pipeline.work import CHANNELS, Clipped, Link, Work


def filter_pixels(picture: Pixels | Tile | Band, work: Work) -> tuple[Pixels, Clipped]:
    """Return the filtered pixels, and how many samples were clipped.

    Raises
    ------
    ImageError, GeometryError
        If the picture lacks a channel, or no pixel remains.
    """
    view = _prepared(picture, work)
    if _is_luma(view, work):
        return _filter_luma(view, work)
    chosen = _chosen(view, work)
    if _is_weighted(view, work):
        from imgconv.pipeline.weighted import filter_weighted

        out, clipped = filter_weighted(view, work, chosen)
        counted = (len(out.names) if work.sums else sum(chosen)) - 1
    else:
        out, clipped = _filter_chosen(view, work, chosen)
        counted = len(out.names) if work.sums else sum(chosen)
    out = _with_unfiltered(out, view, work, chosen)
    width, height = out.size
    return out, Clipped(*clipped, width * height * counted)


def foretell(picture: Outline, work: Work) -> Outline:
    """Return the outline of what `filter_pixels` makes of a picture, and raise what it raises."""
    view = _prepared(picture, work)
    kind = _kind(view, work)
    if _is_luma(view, work):
        chain = _chain(view.changed(_brightness), work, [True])
        _refuse_brightnesses(chain.names)
        return Outline(pixels.white(view.names, view.kind), chain.size(kind))
    chosen = _chosen(view, work)
    if _is_weighted(view, work):
        from imgconv.pipeline.weighted import foretell_weighted

        names, size = foretell_weighted(view, work, chosen)
        kind = "float32" if work.levels == NONE else view.kind
    else:
        chain = _chain(view, work, chosen)
        names, size = chain.names if work.sums else view.names, chain.size(kind)
    return Outline(pixels.white(_names_beside(names, view, work, chosen), kind), size)


def find_extent(picture: Pixels | Tile, work: Work) -> Ends | None:
    """Return the least and the greatest response that levels would be made of, if there is one.

    Raises
    ------
    ImageError, GeometryError
        As `filter_pixels` does.
    """
    view = _prepared(picture, work)
    if _is_luma(view, work):
        view = view.changed(_brightness)
    chosen = _chosen(view, work)
    if _is_weighted(view, work):
        from imgconv.pipeline.weighted import weighted_extent

        return weighted_extent(view, work, chosen)
    chain = _chain(view, work, chosen)

    def last(source: Samples, step: Step) -> Ends | None:
        return run.extent(source, step, chain.mask)

    found: Ends | None = view.run(_samples, chain.links(last))
    return found


def over_all(work: Work, found: Iterable[Ends | None]) -> Work:
    """Return the work whose stretch spans the responses of all frames of a file."""
    return work._replace(ends=outermost(found) or NOTHING)


def find_grain(picture: Tile, work: Work) -> tuple[int, int]:
    """Return of what rows and columns tiles must consist to have the bytes of the whole."""
    view = _prepared(picture, work)
    return (1, 1) if _is_weighted(view, work) else _grains(view, work)[-1]


def is_by_rows(outline: Outline, work: Work) -> bool:
    """Return whether rows of a picture's output are the same, whichever are made with them."""
    view = _prepared(outline, work)
    return not _is_weighted(view, work) and max(_grains(view, work)) == (1, 1)


def _grains(view: View, work: Work) -> list[tuple[int, int]]:
    """What is made at once of the responses of each kernel."""
    if _is_luma(view, work):
        view = view.changed(_brightness)
    chain, kind = _chain(view, work, _chosen(view, work)), work.result or view.kind
    last = [run.grain(chain.source, "float32", chain.step)]
    if work.levels != NONE:
        rules = rule(work.levels, kind, work.ends or NOTHING)
        last.append(run.grain(chain.source, kind, chain.step, rules))
    return [*(link.grain for link in chain.before), max(last)]


def _samples(picture: Pixels) -> Samples:
    return picture.view()


def _prepared(picture: Pixels | Tile | Whole, work: Work) -> View:
    """The picture laid upon the background, in the channels that are asked for."""
    view = picture if isinstance(picture, (Tile, Whole)) else Whole(picture)
    if (background := work.background) and view.names.endswith("a"):
        view = view.changed(lambda p: pixels.flattened(p, background))
    channels = work.channels
    if view.names.startswith(NAMELESS) and channels != "auto":
        raise ImageError("is an array, whose channels have no names; leave out --channels")
    if channels == "gray" and not view.names.startswith("l"):
        return view.changed(lambda p: p.gray())
    if channels == "rgb" and not view.names.startswith("rgb"):
        return view.changed(lambda p: p.colour())
    if channels == "luma" and view.names.startswith("cmyk"):
        raise ImageError("is CMYK, which has no brightness of its own; --channels rgb makes it RGB")
    return view


def _is_luma(view: View, work: Work) -> bool:
    if work.channels != "luma" or not view.names.startswith("rgb"):
        return False
    if work.levels == NONE:
        raise ImageError("has no response under --channels luma; choose gray, or other levels")
    return True


def _is_weighted(view: View, work: Work) -> bool:
    return work.alpha == "weighted" and view.names.endswith("a")


def _kind(view: View, work: Work) -> str:
    """The kind of the samples that come out."""
    return "float32" if work.levels == NONE else work.result or view.kind


def _with_unfiltered(out: Pixels, view: View, work: Work, chosen: list[bool]) -> Pixels:
    """Put the channels that are not filtered beside those that are."""
    if all(chosen):
        return out
    names = _names_beside(out.names, view, work, chosen)
    places = [i for i, yes in enumerate(chosen) if not yes]
    taken = [p.of_kind(out.kind) for p in view.sampled(steps_of(work), places)]
    sampled = dict(zip(places, taken, strict=True))
    if not work.sums:
        channels = [sampled.get(i) or out.channel(i) for i in range(len(chosen))]
        return out.merged(channels)
    made = [out.channel(i) for i in range(len(out.names))]
    if _is_alpha_alone(view, chosen):
        return pixels.put_together([*made, *taken], names)
    each = iter(made)
    channels = [sampled.get(i) or next(each) for i in range(len(chosen))]
    return pixels.put_together(channels, names)


def _is_alpha_alone(view: View, chosen: list[bool]) -> bool:
    """Whether alpha is the one channel that is not filtered."""
    return view.names.endswith("a") and chosen.index(False) == len(chosen) - 1


def _names_beside(made: str, view: View, work: Work, chosen: list[bool]) -> str:
    """The names of all channels that come out, where so many are made of those that are filtered.

    Raises
    ------
    ImageError
        If it is not clear which of the others stands where.
    """
    if all(chosen):
        return made
    if work.sums and _is_alpha_alone(view, chosen):
        return f"{made}a"
    if work.sums and len(made) != sum(chosen):
        raise ImageError(
            f"has channels beside the {sum(chosen)} named, and the kernel makes {len(made)} "
            "of them; name all channels, or take a kernel with as many outputs"
        )
    return view.names


def _chosen(view: View, work: Work) -> list[bool]:
    """Which channels are filtered, by their letters; alpha always where colours are weighted."""
    names, letters = view.names, work.channels.split(",")
    if work.channels in CHANNELS:
        letters = ["l"] if work.channels == "luma" else [name for name in names if name != "a"]
    missing = [letter for letter in letters if letter not in names]
    if missing:
        raise ImageError(f"has no channel {missing[0]!r}; it has {','.join(names)}")
    return [name in letters or (name == "a" and _is_weighted(view, work)) for name in names]


def _brightness(picture: Pixels) -> Pixels:
    return picture.gray().channel(0)


def _filter_luma(view: View, work: Work) -> tuple[Pixels, Clipped]:
    """Filter the brightness and move each colour by as much as it moved."""
    gray = view.changed(_brightness)
    after, clipped = _filter_chosen(gray, work, [True])
    _refuse_brightnesses(after.names)
    path = steps_of(work)
    (before,) = gray.sampled(path, [0])
    channels = view.sampled(path, range(len(view.names)))
    moved = [pixels.moved(colour, before, after) for colour in channels[:3]]
    width, height = before.size
    out = pixels.put_together([*moved, *channels[3:]], view.names)
    return out, Clipped(*clipped, width * height)


def _refuse_brightnesses(names: str) -> None:
    if names != "l":
        raise ImageError("has one brightness, and the kernel makes more of it; leave out luma")


class _Chain(NamedTuple):
    """The steps of a chain, what comes out of the last one, and what of it counts."""

    before: tuple[Link, ...]
    step: Step
    names: str
    depth: int
    mask: bytes
    source: Samples  # what the last step reads, without the samples

    def size(self, kind: str) -> tuple[int, int]:
        """Width and height of what comes out, if it can be computed."""
        self.step.layer(self.source, kind)
        height, width, _ = self.step.shape(self.source)
        return width, height

    def links(self, last: Callable[[Samples, Step], Any]) -> list[Link]:
        """All links, the last of which makes what is wanted."""
        return [*self.before, Link(self.step, last)]


def _filter_chosen(view: View, work: Work, chosen: list[bool]) -> tuple[Pixels, tuple[int, int]]:
    """Apply the kernels one after the other, unrounded in between."""
    chain = _chain(view, work, chosen)
    kind = _kind(view, work)

    def last(source: Samples, step: Step) -> tuple[Pixels, tuple[int, int]]:
        height, width, _ = step.shape(source)
        names = chain.names if work.sums else view.names
        target, finished = view.room(names, kind, height, width, chain.depth)
        if work.levels == NONE:
            run.respond(source, target, step)
            return finished(), (0, 0)
        clipped = run.to_pixels(source, target, step, work.levels, chain.mask, work.ends)
        return finished(), clipped

    found: tuple[Pixels, tuple[int, int]] = view.run(_samples, chain.links(last))
    return found


def _chain(view: View, work: Work, chosen: list[bool]) -> _Chain:
    """Decide what each step reads and makes."""
    source = Samples(0, *view.shape, view.depth, 0, view.kind, None)
    return _decided(source, view.names, work, tuple(chosen))


@functools.lru_cache(maxsize=8)
def _decided(source: Samples, held: str, work: Work, chosen: Sequence[bool]) -> _Chain:
    """Decide it for samples of a shape, in channels of such names."""
    given = source.kind
    places, mask = _places(chosen, source.channels), _mask(chosen, source.channels)
    names = "".join(name for name, yes in zip(held, chosen, strict=True) if yes)
    low, high = 0.0, float(MAXIMUM[given])
    magnitude = high
    before: list[Link] = []
    for i, kernel in enumerate(work.kernels, 1):
        layout = work.laid(held, given, source.channels)
        step = Step(kernel, layout, places, magnitude, work.threads)
        height, width, channels = step.shape(source)
        if outputs := step.outputs(len(places)):
            places, mask = tuple(range(outputs)), bytes([1]) * outputs
            held = names = pixels.of_outputs(names, outputs)
        if i == len(work.kernels):
            break
        filled = fills(layout.fill)
        low, high = kernel.response_range(min(low, *filled), max(high, *filled))
        magnitude = max(abs(low), abs(high))
        kind = _between(magnitude, work.kernels[i:], max(map(_taps, step.kernels)))
        before.append(Link(step, _responding(kind), run.grain(source, kind, step)))
        source = Samples(0, height, width, channels, 0, kind, None)
    return _Chain(tuple(before), step, names, 0 if outputs else channels, mask, source)


def _responding(kind: str) -> Callable[[Samples, Step], Samples]:
    """What makes responses in memory."""

    def make(source: Samples, step: Step) -> Samples:
        responses = samples.of_floats(kind, *step.shape(source))
        run.respond(source, responses, step)
        return responses

    return make


def _between(reach: float, following: tuple[Kernel | Combined, ...], taps: int) -> str:
    """float32 for the responses in between, unless later kernels would blow up its rounding."""
    gain = math.prod(
        math.fsum(_magnification(k) for k in (s.kernels if isinstance(s, Combined) else (s,)))
        for s in following
    )
    return "float32" if reach * gain * (taps / 9 + 13) * 2**-24 < 0.1 else "float64"


def _taps(kernel: Kernel) -> int:
    return len(kernel.outputs[0].weights) * kernel.size[1]


def _magnification(kernel: Kernel) -> float:
    """How many times as large as samples a response may be."""
    if isinstance(kernel.weights, Separable):
        negative, positive = kernel.weights.signs()
        return (positive - negative) / abs(kernel.divisor)
    return max(
        math.fsum(abs(w / kernel.divisor) for row in output.weights for w in row)
        for output in kernel.outputs
    )


def _places(chosen: Sequence[bool], channels: int) -> tuple[int, ...]:
    """Where in a pixel in memory the filtered channels are."""
    places = [i for i, yes in enumerate(chosen) if yes]
    if len(chosen) == 2 and channels == 4:  # gray stands three times, before alpha
        places = [3 * i for i in places]
    return tuple(places)


def _mask(chosen: Sequence[bool], channels: int) -> bytes:
    """Which samples of a pixel in memory are filtered channels; a fourth of RGB is nobody's."""
    places = set(_places(chosen, channels))  # there may be thousands
    return bytes([int(i in places) for i in range(channels)])


def steps_of(work: Work) -> list[Step]:
    """Return the steps of a chain, as far as their geometry goes."""
    return [Step(kernel, work.layout) for kernel in work.kernels]


@functools.lru_cache(maxsize=8)
def grid_of(work: Work) -> Grid:
    """Return where on the picture the samples under the anchors of the outputs lie."""
    grid = Grid()
    for step in steps_of(work):
        starts = work.layout.starts(step.kernels[0].size)
        grid = Grid(
            *(
                (apart * stride, first + apart * start)
                for (apart, first), stride, start in zip(
                    grid, work.layout.stride, starts, strict=True
                )
            )
        )
    return grid
