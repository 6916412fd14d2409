"""The way of a row, compiled: one call does a thread's share of a picture.

A program (see `program`) says everything; what it says where is in `words`. For each panel of
columns and each turn of rows, the readers fill rings of rows with samples and their border; then
the orders take rows from rings to rings, and at last to the target. All loops over samples are
`parts`, called by their addresses, so that nothing here knows of kinds of samples.
"""

from numba import njit

from imgconv.engine.machine import again, call, clear, copy, read, write
from imgconv.engine.words import *

word, put, noted = read["int64"], write["int64"], again["int64"]
function = njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)

LONG = 16  # from so many pixels on a run is worth a call of its own


@function
def convert(reader, job, out, source, pixels):
    """Put pixels that lie side by side into a ring."""
    if word(reader, CONVERT) == 0:
        copy(out, source, pixels * word(reader, MADE))
    else:
        put(job, N, pixels * word(reader, DEPTH))
        put(job, OUT, out)
        put(job, NUMBERS, word(reader, FACTORS))
        put(job, INPUTS, source)
        call(word(reader, CONVERT), job)


@function
def pick(reader, job, out, source, pixels):
    """Put pixels that do not lie side by side into a raw row."""
    put(job, N, pixels)
    put(job, OUT, out)
    put(job, NUMBERS, word(reader, PICKED))
    put(job, INPUTS, source)
    call(word(reader, PICK), job)


@function
def fill(reader, line, room, job, out, source):
    """Fill a row of a ring: long runs from where they are, what is between them gathered first.

    What is gathered stands in a raw row, where it would in the ring, until the next long run.
    """
    raw, taken, made = room + word(reader, RAW), word(reader, TAKEN), word(reader, MADE)
    pixel, done, reached = word(reader, PIXEL), 0, 0
    for r in range(word(line, RUN_COUNT)):
        run = word(line, RUNS) + 8 * RUN_SIZE * r
        into, first, step, many = word(run, INTO), word(run, FROM), word(run, BY), word(run, MANY)
        start, reached = source + first * pixel, into + many
        if first >= 0 and many >= LONG:
            if step * pixel == taken:
                convert(reader, job, out + done * made, raw + done * taken, into - done)
                convert(reader, job, out + into * made, start, many)
                done = reached
            else:
                pick(reader, job, raw + into * taken, start, many)
        else:
            for i in range(many):
                one = start + i * step * pixel if first >= 0 else word(reader, FILLING)
                copy(raw + (into + i) * taken, one, taken)
    convert(reader, job, out + done * made, raw + done * taken, reached - done)


@function
def read_rows(program, panel, whole, r, turn, j):
    """Have a reader fill the rows that the j-th output of a turn reads and none before it has."""
    room = word(whole, ROOM)
    reader = word(program, READER) + 8 * READER_SIZE * r
    ring = word(program, RING) + 8 * RING_SIZE * r
    line = panel + 8 * (PANEL_SIZE + LINE_SIZE * r)
    job, mark = room + word(program, JOB), word(program, RINGS) + r
    step, length = word(ring, STEP), word(line, LENGTH)
    row = j * word(ring, STRIDE)
    end, filled = row + word(reader, TAPS), noted(room, mark)
    if filled > row:
        row = filled
    while row < end:
        out = room + word(ring, BASE) + row % word(ring, SLOTS) * step
        at = word(word(reader, SOURCES), turn * word(program, PITCH) + row * word(program, SPREAD))
        if at < 0:
            convert(reader, job, out, word(reader, FILLING), length)
        else:
            source = word(whole, SOURCE) + at * word(whole, SOURCE_STEP) + word(reader, CHANNEL)
            fill(reader, line, room, job, out, source)
        held = length * word(reader, MADE)
        clear(out + held, step - held)  # for vectors that reach beyond the end
        row += 1
    if end > filled:
        put(room, mark, end)


@function
def perform(program, panel, whole, order, y):
    """Carry out an order for the output row y."""
    room, rings = word(whole, ROOM), word(program, RING)
    job, taps = room + word(program, JOB), word(order, TAP_COUNT)
    for t in range(taps):
        tap = word(order, TAP_TABLE) + 8 * TAP_SIZE * t
        ring = rings + 8 * RING_SIZE * word(tap, TAP_RING)
        slot = noted(room, word(tap, TAP_RING)) + word(tap, TAP_ROW)
        if slot >= word(ring, SLOTS):
            slot -= word(ring, SLOTS)
        row = word(ring, BASE) + slot * word(ring, STEP)
        put(job, INPUTS + t, room + row + word(tap, TAP_PLACE))
    into = word(order, INTO_RING)
    if into < 0:
        out = word(whole, TARGET) + y * word(whole, TARGET_STEP) + word(panel, PLACE)
    else:
        ring = rings + 8 * RING_SIZE * into
        out = room + word(ring, BASE) + noted(room, into) * word(ring, STEP)
    out += word(order, INTO_ROW)
    if word(order, PART) == 0:
        copy(out, noted(job, INPUTS), word(order, SAMPLES))
    else:
        put(job, N, word(order, SAMPLES))
        put(job, OUT, out)
        put(job, NUMBERS, word(order, TABLE))
        put(job, COUNT, taps)
        call(word(order, PART), job)


@function
def turn_to(program, room, j):
    """Note in which row of each ring the j-th output of a turn begins."""
    for r in range(word(program, RINGS)):
        ring = word(program, RING) + 8 * RING_SIZE * r
        put(room, r, j * word(ring, STRIDE) % word(ring, SLOTS))


@function
def do_turn(program, panel, whole, turn):
    """Do the rows of a turn, some at a time: read, the first orders one by one, then row by row."""
    room, apart, readers = word(whole, ROOM), word(program, APART), word(program, READERS)
    code = word(panel, CODE)
    orders, then = code + 8 * CODE_SIZE, code + 8 * (CODE_SIZE + ORDER_SIZE * word(code, FIRST))
    start = (word(whole, ROW) - turn + apart - 1) // apart
    end = (word(whole, END) - turn + apart - 1) // apart
    for r in range(readers):
        put(room, word(program, RINGS) + r, 0)
    for begin in range(start, end, word(program, CHUNK)):
        stop = begin + word(program, CHUNK)
        if stop > end:
            stop = end
        for j in range(begin, stop):
            for r in range(readers):
                read_rows(program, panel, whole, r, turn, j)
        for o in range(word(code, FIRST)):
            for j in range(begin, stop):
                turn_to(program, room, j)
                perform(program, panel, whole, orders + 8 * ORDER_SIZE * o, turn + j * apart)
        for j in range(begin, stop):
            turn_to(program, room, j)
            for o in range(word(code, THEN)):
                perform(program, panel, whole, then + 8 * ORDER_SIZE * o, turn + j * apart)


def conduct(whole):
    """Do the rows from ROW to END of a picture."""
    program = word(whole, PROGRAM)
    put(word(whole, ROOM) + word(program, JOB), TOLD, whole + 8 * LOW)
    size = 8 * (PANEL_SIZE + LINE_SIZE * word(program, READERS))
    for p in range(word(program, PANELS)):
        for turn in range(word(program, APART)):
            do_turn(program, word(program, PANEL) + p * size, whole, turn)
