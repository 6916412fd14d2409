"""The public operation on Dask arrays: the same numbers as on NumPy's, chunk by chunk, lazily."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from imgconv import arrays
from imgconv.engine import run, samples
from imgconv.engine.geometry import OUTSIDE, Axis, Layout, Window
from imgconv.engine.levels import NONE, Ends, outermost, rule
from imgconv.engine.plan import IDENTITY
from imgconv.engine.samples import Samples
from imgconv.engine.step import Step, make_layer
from imgconv.errors import ImageError
from imgconv.kernels.kernel import Kernel
from imgconv.kernels.spec import load_kernel
from imgconv.light import NamedTuple
from imgconv.pipeline.layout import Padding, Pair, layout

try:
    import dask.array as da
    from dask.base import optimize, tokenize
    from dask.highlevelgraph import HighLevelGraph
    from dask.task_spec import Task, TaskRef
    from dask.typing import Key
except ImportError:
    raise ImportError("Dask is missing; pip install 'imgconv[dask]' brings it") from None

# Outputs of a chunk of the result along an axis, where padding makes more than twice what was.
MOST = 1024
# Ends of so many blocks along each axis are put together by one task.
FAN_IN = 4
UNPADDED = (0, 0, 0, 0)

Tasks = dict[Key, Any]
Place = tuple[int, ...]
Array = npt.NDArray[Any]
Indices = npt.NDArray[np.int64]
Pieces = list[list[Array]]


def correlate(
    array: Any,
    kernel: Any,
    *,
    padding: Padding = "same",
    border: str = "edge",
    fill: float = 0,
    stride: Pair = 1,
    dilation: Pair = 1,
) -> da.Array:
    """Correlate a Dask array with a kernel, lazily; the kernel is not flipped.

    Parameters
    ----------
    array : dask.array.Array of shape (H, W) or (H, W, C); uint8, uint16 or float32
        Chunks may be of any size. Where a kernel adds up channels they are put into one chunk.
    kernel, padding, border, fill, stride, dilation
        As `imgconv.correlate` takes them. The border is at the edges of the array, not of chunks.

    Returns
    -------
    dask.array.Array of shape (OH, OW) or (OH, OW, C), float32
        What `imgconv.correlate` returns for the whole array: the same bits where the weights are
        whole and the samples integers. Each output is in the chunk of the sample under the middle
        of its kernel, and a chunk reads only its own and the margins of those beside it.

    Raises
    ------
    KernelError, OptionError, GeometryError, ImageError
        As `imgconv.correlate` does, before anything is computed.

    Notes
    -----
    In place of `dask_image.ndfilters.correlate` and `convolve`:

    - No kernel is flipped: for `convolve` give `weights[::-1, ::-1]`. An even side is centred on
      element (k - 1)//2 as by that; SciPy's and dask-image's `correlate` take k//2, here
      `padding=(k//2, (k - 1)//2, (k - 1)//2, k//2)`. There is no other `origin`.
    - The border has our words, or SciPy's after "scipy:": their default, `mode="reflect"`, is
      `border="scipy:reflect"`. `cval` is `fill`.
    - The last of three axes are channels, each filtered by itself, where there a kernel has as many
      axes as the array.
    - Responses are float32, where there they are cut to the array's type; `apply` rounds them.
    """
    shape = layout(padding, border, fill, stride, dilation)
    return _lazily(array, BlockWork(load_kernel(kernel), NONE, fill), shape)


def apply(
    array: Any,
    kernel: Any,
    *,
    levels: str = "clip",
    padding: Padding = "same",
    border: str = "edge",
    fill: float = 0,
    stride: Pair = 1,
    dilation: Pair = 1,
) -> da.Array:
    """Filter a Dask array lazily: `correlate`, then responses made into samples of its type.

    Parameters
    ----------
    array, kernel, padding, border, fill, stride, dilation
        As `correlate` takes them.
    levels : "clip", "abs", "offset", "stretch" or "none"
        As `imgconv.apply` takes them. For "stretch" the array is computed twice, so that it need
        not be kept in memory in between; `.persist()` it where it fits.

    Returns
    -------
    dask.array.Array of shape (OH, OW) or (OH, OW, C), of the array's type (float32 for "none")
        Of the shape and the chunks that `correlate` returns.

    Raises
    ------
    KernelError, OptionError, GeometryError, ImageError
        As `imgconv.apply` does, before anything is computed.
    """
    shape = layout(padding, border, fill, stride, dilation)
    return _lazily(array, BlockWork(load_kernel(kernel), levels, fill), shape)


@dataclass(frozen=True)
class BlockWork:
    """What is done to every block: a kernel, how its responses become samples, the border's fill.

    The graph holds it once, by a key: a large kernel in every task would outweigh the rest.
    """

    kernel: Kernel
    levels: str
    fill: float


class Part(NamedTuple):
    """A range of the rows or columns of a chunk."""

    chunk: int
    start: int
    stop: int


@dataclass(frozen=True)
class Lines:
    """The rows or columns that `count` outputs read, and how a kernel goes over them.

    They are those of the parts, one after the other, or where there is an index those it names.
    """

    count: int
    parts: tuple[Part, ...]
    index: Indices | None
    stride: int
    dilation: int


def _lazily(array: Any, work: BlockWork, shape: Layout) -> da.Array:
    """Return the filtered array, of which only the graph is made."""
    array = da.asarray(array)
    outputs = _checked(array, work, shape)
    if outputs and array.ndim == 3:
        array = array.rechunk({2: -1})
    depths = array.chunks[2:] if not outputs else ((outputs,),) if outputs > 1 else ()
    geometry = shape.on(array.shape[:2], work.kernel.size)
    rows = _cut(geometry.rows, array.chunks[0])
    columns = _cut(geometry.columns, array.chunks[1])
    token = tokenize(array.name, work, shape)
    name, shared = f"imgconv-{token}", f"imgconv-kernel-{token}"
    tasks: Tasks = {shared: work}
    keys: Mapping[Key, Key] = {}
    ends: list[Key] = []
    if work.levels == "stretch":
        extents: dict[Place, Key] = {}
        for place, block in _blocks(tasks, array, rows, columns, f"extent-{token}", {}):
            extents[place] = (f"imgconv-extent-{token}", *place)
            tasks[extents[place]] = (_extent, shared, *block)
        ends.append(_put_together(tasks, f"imgconv-ends-{token}", extents))
        keys = _again(tasks, array, token, ends[0])
    for place, block in _blocks(tasks, array, rows, columns, token, keys):
        # The result may have channels where the array has none, and the other way round.
        key: Key = (name, *(*place, 0)[: 2 + len(depths)])
        tasks[key] = (_filtered, shared, *block, *ends)
    chunks = (tuple(line.count for line in rows), tuple(line.count for line in columns), *depths)
    graph = HighLevelGraph.from_collections(name, tasks, dependencies=[array])
    kind = "float32" if work.levels == NONE else array.dtype.name
    return da.Array(graph, name, chunks, meta=np.empty((0,) * len(chunks), kind))


def _checked(array: da.Array, work: BlockWork, shape: Layout) -> int:
    """Check what is checked of NumPy's; return how many outputs add up channels, 0 for none."""
    if any(map(math.isnan, array.shape)):
        raise ImageError(
            f"array of shape {array.shape}, not yet known; call its .compute_chunk_sizes() first"
        )
    arrays.check(array.shape, array.dtype)
    height, width, *rest = array.shape
    depth, kind = rest[0] if rest else 1, array.dtype.name
    step = Step(work.kernel, shape)
    step.shape(Samples(0, height, width, depth, width * depth, kind, None))
    # What a stretch multiplies by is known only when the responses are.
    exact = work.levels in (NONE, "stretch")
    rules, result = (IDENTITY, "float32") if exact else (rule(work.levels, kind), kind)
    make_layer(work.kernel, kind, result, tuple(range(depth)), rules)
    return step.outputs(depth)


def _cut(axis: Axis, chunks: Sequence[int]) -> list[Lines]:
    """Cut the outputs of an axis into chunks, each with the sample under its kernel's middle."""
    middle = axis.dilation * (axis.taps - 1) // 2 - axis.before
    most = 2 * max(*chunks, MOST)
    found: list[Lines] = []
    first = 0
    for end in itertools.accumulate(chunks):
        last = axis.outputs if end == axis.size else -((middle - end) // axis.stride)
        last = min(max(last, first), axis.outputs)
        parts = -(-(last - first) // most)
        ends = [first + (last - first) * n // parts for n in range(1, parts + 1)]
        found += [_read(axis, a, b, chunks) for a, b in itertools.pairwise([first, *ends])]
        first = last
    return found


def _read(axis: Axis, first: int, last: int, chunks: Sequence[int]) -> Lines:
    """Return what outputs first..last read from chunks of so many samples."""
    count, stride, dilation = last - first, axis.stride, axis.dilation
    start, steps_over = first * stride - axis.before, (count - 1) * stride + 1
    length = steps_over + dilation * (axis.taps - 1)
    positions = [range(start, start + length)]
    if count * axis.taps < length:  # each tap has lines of its own, and those between are left out
        firsts = (start + tap * dilation for tap in range(axis.taps))
        positions = [range(p, p + steps_over, stride) for p in firsts]
        stride, dilation = 1, count
    lines = np.array(Window(axis, positions, {}).sources())
    parts, index = _parts(lines, chunks)
    return Lines(count, parts, index, stride, dilation)


def _parts(lines: Indices, chunks: Sequence[int]) -> tuple[tuple[Part, ...], Indices | None]:
    """Return the least parts of chunks that hold lines, and where in them each line is."""
    starts = np.cumsum([0, *chunks[:-1]])
    read = np.unique(lines[lines != OUTSIDE])
    if not len(read):  # all is border; a line that nobody reads keeps the shape
        read = np.zeros(1, np.int64)
    of = np.searchsorted(starts, read, side="right") - 1
    parts, index, at = [], np.full(len(lines), OUTSIDE), 0
    for chunk in np.unique(of).tolist():
        low, high = (int(read[of == chunk][end]) for end in (0, -1))
        here = (lines >= low) & (lines <= high)
        index[here] = lines[here] - low + at
        parts.append(Part(chunk, low - int(starts[chunk]), high + 1 - int(starts[chunk])))
        at += high + 1 - low
    as_they_are = at == len(index) and bool((index == np.arange(at)).all())
    return tuple(parts), None if as_they_are else index


def _blocks(
    tasks: Tasks,
    array: da.Array,
    rows: list[Lines],
    columns: list[Lines],
    token: str,
    keys: Mapping[Key, Key],
) -> Iterator[tuple[Place, tuple[list[list[Key]], Lines, Lines]]]:
    """Give the place of each block of the result, and the pieces of chunks that it reads.

    What is less than a chunk gets a task that cuts it out, so that only this much is kept or sent.
    `keys` are those of chunks that have another than the array's.
    """

    def piece(row: Part, column: Part, depth: tuple[int, ...]) -> Key:
        chunk: Key = (array.name, row.chunk, column.chunk, *depth)
        own = keys.get(chunk, chunk)
        whole = array.chunks[0][row.chunk], array.chunks[1][column.chunk]
        if (row.stop - row.start, column.stop - column.start) == whole:
            return own
        key: Key = (f"imgconv-part-{token}", *row, *column, *depth)
        tasks[key] = (_part, own, row[1:], column[1:])
        return key

    for (i, down), (j, across) in itertools.product(enumerate(rows), enumerate(columns)):
        for depth in np.ndindex(array.numblocks[2:]):
            pieces = [[piece(r, c, depth) for c in across.parts] for r in down.parts]
            yield (i, j, *depth), (pieces, down, across)


def _put_together(tasks: Tasks, name: str, places: dict[Place, Key]) -> Key:
    """Add tasks that find the ends of all blocks, and return the key of the last one.

    Squares of blocks come first: of rows of them Dask would keep a third of all chunks in memory.
    """
    level = 0
    while len(places) > 1 or not level:
        squares: dict[Place, list[Key]] = {}
        for (i, j, *_), key in places.items():
            squares.setdefault((i // FAN_IN, j // FAN_IN), []).append(key)
        places = {place: (name, level, *place) for place in squares}
        tasks |= {places[place]: (outermost, keys) for place, keys in squares.items()}
        level += 1
    return places[0, 0]


def _again(tasks: Tasks, array: da.Array, token: str, after: Key) -> Mapping[Key, Key]:
    """Add the tasks of an array once more, to run after a task; return the key of each by its old.

    From the same tasks for two passes Dask would keep every chunk from the first to the second.
    What is in memory anyway keeps its key. (`graph_manipulation.bind` and `clone` leave tasks of
    `dask.task_spec` tied to the old keys.)
    """
    nodes = dict(optimize(array)[0].dask)
    keys: dict[Key, Key] = {}
    for key, node in nodes.items():
        if isinstance(node, Task) or not node.dependencies.isdisjoint(nodes):
            first, *rest = key if isinstance(key, tuple) else (key,)
            keys[key] = (f"{first}-{token}", *rest)
    for old, new in keys.items():
        node = nodes[old]
        if node.dependencies.isdisjoint(keys):
            tasks[new] = Task(new, _first, node, TaskRef(after))
        else:
            tasks[new] = node.substitute(keys, key=new)
    return keys


def _first(value: Any, _: Ends | None) -> Any:
    """The value alone; the other one had to be there before."""
    return value


def _part(chunk: Array, rows: tuple[int, int], columns: tuple[int, int]) -> Array:
    """A copy of a part, which does not keep the chunk in memory."""
    return np.array(chunk[slice(*rows), slice(*columns)])


def _extent(work: BlockWork, pieces: Pieces, rows: Lines, columns: Lines) -> Ends | None:
    """The least and the greatest response of a block, if one is finite."""
    image, step = _gathered(work, pieces, rows, columns)
    source = samples.of_array(image)
    return run.extent(source, step, bytes([1]) * source.channels)


def _filtered(
    work: BlockWork, pieces: Pieces, rows: Lines, columns: Lines, ends: Ends | None = None
) -> Array:
    """A block of the result; `ends` are those of all responses, for a stretch."""
    image, step = _gathered(work, pieces, rows, columns)
    if work.levels == NONE:
        return arrays.respond(image, step)
    source, out = samples.of_array(image), arrays.room(image, step, image.dtype.name)
    target, filtered = samples.of_array(out), bytes([1]) * source.channels
    run.to_pixels(source, target, step, work.levels, filtered, ends)
    return out


def _gathered(work: BlockWork, pieces: Pieces, rows: Lines, columns: Lines) -> tuple[Array, Step]:
    """The samples that a block reads, its border among them, and the step that needs no other."""
    kind = pieces[0][0].dtype.newbyteorder("=")
    image = np.concatenate([np.concatenate(row, axis=1) for row in pieces]).astype(kind, copy=False)
    for axis, lines in enumerate((rows, columns)):
        if lines.index is not None:
            image = image.take(lines.index, axis=axis)
            image[(slice(None),) * axis + (lines.index == OUTSIDE,)] = work.fill
    strides, dilations = (rows.stride, columns.stride), (rows.dilation, columns.dilation)
    valid = Layout(UNPADDED, "edge", 0, strides, dilations)
    # Dask runs several blocks at once; more threads within them would be in each other's way.
    return np.ascontiguousarray(image), Step(work.kernel, valid, threads=1)
