"""The way of a row, compiled: one call does a thread's share of a picture.

A program (see `program`) says everything; what it says where is in `words`. For each panel of
columns and each turn of rows, the readers move rows of the source with their border into rings;
then the orders take rows from rings to rings, and at last to the target. All loops over samples are
in `parts`, `rows` and `places`, called by their addresses, so that nothing here knows of kinds of
samples; so is `fill`, whose place another filler may take.
"""

from numba import njit

from imgconv.compiled.machine import (
    again,
    call,
    clear,
    exchanged,
    increased,
    inline,
    pause,
    polled,
    read,
    write,
)
from imgconv.compiled.words import *

word, put, noted = read["int64"], write["int64"], again["int64"]
# What is called from one place is put there by Numba, in less time than it compiles a function.
function = njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)


@inline
def have_done(what, job, out):
    """Call the part of a move or of an order; the job tells already what it reads."""
    put(job, N, word(what, SAMPLES))
    put(job, OUT, out)
    put(job, NUMBERS, word(what, TABLE))
    call(word(what, PART), job)


@inline
def target_row(program, panel, whole, turn, j):
    """The address from which the j-th output of a turn stands in the target."""
    y = turn + j * word(program, APART)
    return word(whole, TARGET) + y * word(whole, TARGET_STEP) + word(panel, PLACE)


@inline
def source_ahead(program, panel, whole, turn, j):
    """The address in the source of a row beyond those that the first reader has for an output."""
    reader, y = word(program, READERS), turn + j * word(program, APART)
    row = y * word(program, PITCH) + word(reader, READS)
    return word(whole, SOURCE) + row * word(whole, SOURCE_STEP) + word(panel, PLACE)


def fill(program, panel, whole, r, turn, j):
    """Fill the rows of ring r that the j-th output of a turn reads and none before it has."""
    room = word(whole, ROOM)
    reader = word(program, READERS) + 8 * READER_SIZE * r
    ring = word(program, RINGS) + 8 * RING_SIZE * r
    share = panel + 8 * (PANEL_SIZE + SHARE_SIZE * r)
    job, mark = room + word(program, JOB), SLOTS + word(program, RING_COUNT) + r
    begin, filled, held = j * word(ring, STRIDE), noted(room, mark), word(ring, HELD)
    put(room, AT_RING, target_row(program, panel, whole, turn, j))
    put(room, AT_FILLING, word(reader, FILLING))
    for row in range(filled if filled > begin else begin, begin + word(reader, READS)):
        if held > 0:
            put(room, AT_RING, room + word(ring, BASE) + row % held * word(ring, STEP))
        at = word(word(reader, ROWS), turn * word(program, PITCH) + row * word(program, SPREAD))
        source = word(whole, SOURCE) + at * word(whole, SOURCE_STEP) + word(reader, CHANNEL)
        source = source if at >= 0 else word(reader, FILLING)
        put(room, AT_SOURCE, source)
        if word(reader, ADDRESSES) >= 0:
            other = word(program, RINGS) + 8 * RING_SIZE * word(reader, ADDRESSES)
            slot = room + word(other, BASE) + row % held * word(other, STEP)
            put(slot, 0, source + word(panel, PLACE))
        for m in range(word(share, MOVE_COUNT)):
            move = word(share, MOVES) + 8 * MOVE_SIZE * m
            put(job, INPUTS, noted(room, word(move, FROM)) + word(move, BEGIN))
            have_done(move, job, noted(room, word(move, TO)) + word(move, INTO))
    put(room, mark, begin + word(reader, READS))


@function
def row_of(program, room, r, ahead):
    """The address of a row of ring r, so many from its slot on."""
    ring = word(program, RINGS) + 8 * RING_SIZE * r
    slot = noted(room, SLOTS + r) + ahead
    if slot >= word(ring, HELD):
        slot -= word(ring, HELD)
    at = room + word(ring, BASE) + slot * word(ring, STEP)
    return noted(at, 0) if word(ring, ELSEWHERE) else at


@inline
def perform(program, whole, order, target, ahead):
    """Carry out an order for an output row, which stands at an address."""
    room, taps, into = word(whole, ROOM), word(order, TAP_COUNT), word(order, TO)
    job = room + word(program, JOB)
    for t in range(taps):
        tap = word(order, TAPS) + 8 * TAP_SIZE * t
        row = row_of(program, room, word(tap, TAP_RING), word(tap, TAP_ROW))
        put(job, INPUTS + t, row + word(tap, TAP_PLACE))
    put(job, COUNT, taps)
    put(job, AHEAD, ahead + word(order, INTO))
    out = target if into < 0 else row_of(program, room, into, 0)
    have_done(order, job, out + word(order, INTO))


@inline
def do_group(program, panel, whole, group, turn, j):
    """Carry out a group of orders for the j-th output of a turn."""
    for r in range(word(program, RING_COUNT)):
        ring = word(program, RINGS) + 8 * RING_SIZE * r
        held = word(ring, HELD)  # most hold one row: a division takes as long as a short row
        slot = j * word(ring, STRIDE) % held if held > 1 else 0
        put(word(whole, ROOM), SLOTS + r, slot)
    ahead = source_ahead(program, panel, whole, turn, j)
    target = target_row(program, panel, whole, turn, j)
    for o in range(word(group, ORDER_COUNT)):
        perform(program, whole, word(group, ORDERS) + 8 * ORDER_SIZE * o, target, ahead)


@inline
def do_turn(program, panel, whole, turn):
    """Do the rows of a turn, a chunk at a time: fill the rings, then group after group."""
    apart, readers = word(program, APART), word(program, READER_COUNT)
    start = (word(whole, ROW) - turn + apart - 1) // apart
    end = (word(whole, END) - turn + apart - 1) // apart
    for r in range(readers):
        put(word(whole, ROOM), SLOTS + word(program, RING_COUNT) + r, 0)
    for begin in range(start, end, word(program, CHUNK)):
        stop = begin + word(program, CHUNK)
        stop = stop if stop < end else end
        for j in range(begin, stop):
            for r in range(readers):
                filler = word(word(program, READERS) + 8 * READER_SIZE * r, FILLER)
                call(filler, program, panel, whole, r, turn, j)
        for g in range(word(panel, GROUP_COUNT)):
            group = word(panel, GROUPS) + 8 * GROUP_SIZE * g
            # Some are beyond the last, unread. A range would divide first, for each row.
            j = begin
            while j < stop:
                if word(group, WHEN) >> (j != start) & 1:
                    do_group(program, panel, whole, group, turn, j)
                j += word(group, AT_ONCE)


@inline
def clear_ends(program, panel, room):
    """Clear what stands in the readers' rings beyond what moves make: vectors reach there."""
    for r in range(word(program, READER_COUNT)):
        ring = word(program, RINGS) + 8 * RING_SIZE * r
        made = word(panel + 8 * (PANEL_SIZE + SHARE_SIZE * r), MADE)
        for slot in range(word(ring, HELD)):
            at = room + word(ring, BASE) + slot * word(ring, STEP)
            clear(at + made, word(ring, STEP) - made)


@function
def take_part(work, leading):
    """Do calls of a work as long as there are some: the leader the first, helpers the last.

    So each goes on next to where it was. Where one begins when another ends, in one large page of
    new memory, both of them clear it.
    """
    last, calls = word(work, CALL_COUNT) - 1, work + 8 * (HELPERS + word(work, HELPER_COUNT))
    while increased(work, BEGUN, 1) <= last:
        i = increased(work, BY_LEADER, 1) if leading else last - increased(work, BY_HELPERS, 1)
        call(word(work, CALLED), calls + 8 * word(work, CALL_SIZE) * i)


@inline
def serve(given, turns):
    """Wait for works in a word, so many turns; take part in each, and tell when this has left."""
    turn = 0
    while turn < turns:
        work = exchanged(given, 0, 0) if polled(given, 0) != 0 else 0
        if work != 0:
            take_part(work, False)
            increased(work, LEFT, 1)
            turn = 0
        else:
            pause()
            turn += 1


@inline
def lead(work, turns):
    """Give a work to helpers, do it with them; wait, some turns, until they have left.

    An interrupt may have this called once more: what has been led only waits.
    """
    if exchanged(work, LED, 1) == 0:
        for h in range(word(work, HELPER_COUNT)):
            exchanged(word(work, HELPERS + h), 0, work)
        take_part(work, True)
        for h in range(word(work, HELPER_COUNT)):
            if exchanged(word(work, HELPERS + h), 0, 0) == 0:
                increased(work, TAKEN, 1)
    for _ in range(turns):
        if polled(work, LEFT) == polled(work, TAKEN):
            break
        pause()


def share(address, turns, leading):
    """Lead a work, or serve whatever works are given to a word."""
    if leading:
        lead(address, turns)
    else:
        serve(address, turns)


def conduct(whole):
    """Do the rows from ROW to END of a picture."""
    program, room = word(whole, PROGRAM), word(whole, ROOM)
    put(room + word(program, JOB), TOLD, whole + 8 * LOW)
    put(room, AT_RAW, room + word(program, RAW))
    size = 8 * (PANEL_SIZE + SHARE_SIZE * word(program, READER_COUNT))
    for p in range(word(program, PANEL_COUNT)):
        panel = word(program, PANELS) + p * size
        clear_ends(program, panel, room)
        for turn in range(word(program, APART)):
            do_turn(program, panel, whole, turn)
