"""The words that programs and compiled code have in common: what stands where in memory.

Everything is an int64 unless it is said otherwise.
"""

# What a part is told: how many samples, where they go, its numbers, how many rows it reads, where
# to count samples clipped below and above (or to keep two ends), and then where each row is.
N, OUT, NUMBERS, COUNT, TOLD, INPUTS = range(6)

# How `store` rounds a total, and the numbers of `store`, `respond`, `extent` and `fused`. DIVIDED:
# by no power of two. MASK: which samples count. WIDE: pixels of 16 bits. KIND: which of its kinds
# the total has. PAIR: which ends are kept. ADDED: the numbers of what is added up.
PLAIN, SHIFT, DIVIDE = range(3)
(
    ROUNDING, SIGN, TOP, BITS, HALF, ODD, DIVISOR, RECIPROCAL,
    DIVIDED, MASK, WIDE, KIND, PAIR, ADDED,
) = range(14)  # fmt: skip

# What `join` does with a response.
SQUARE, ADD, ADD_SQUARE, GREATEST, LEAST, SCALED, ROOT = range(7)

# From which kinds `widen` makes each, `respond` makes each, and those of which `extent` keeps ends.
WIDENED = {
    "int16": ("uint8",),
    "int32": ("uint8", "uint16"),
    "int64": ("uint8", "uint16"),
    "float32": ("uint8", "uint16", "float64"),
    "float64": ("uint8", "uint16", "float32"),
}
RESPONDING = {
    "float32": ("int16", "float32"),
    "float64": ("int16", "int32", "int64", "float64"),
}
TOTALS = ("int16", "int32", "int64", "float32", "float64")

# The kind of the masks and the counts beside totals: as wide as they are.
LANE = {"uint16": "int16", "float32": "int32", "float64": "int64"}

# What the conductor is called with: everything else stands in the program, which nobody writes to.
# From LOW on samples clipped below and above are counted, or the ends of each output are kept.
PROGRAM, SOURCE, SOURCE_STEP, TARGET, TARGET_STEP, ROW, END, ROOM, LOW = range(9)

# A program. From one output to the next it goes PITCH rows of the source on, from one tap to the
# next SPREAD. With a dilation, only outputs so many rows APART share what they read: they are a
# turn, and there are as many turns. Of CHUNK rows of a turn all first orders are done before the
# others. Then the tables, and where in the room jobs are written.
(
    PITCH, SPREAD, APART, CHUNK, PANELS, PANEL, READERS, READER, RINGS, RING, JOB,
) = range(11)  # fmt: skip

# A ring of rows: where in the room it begins, bytes of a row, how many rows, rows from one output
# to the next. The room begins with a word for each, in which of its rows the present output begins,
# and another for each, how many rows of the turn were filled.
BASE, STEP, SLOTS, STRIDE, RING_SIZE = range(5)

# A reader, which fills the ring of the same number: rows of taps; the table of the source's rows;
# bytes to the channel; bytes of a pixel that is taken, from pixel to pixel, of a pixel in the ring;
# samples of a pixel; the part that converts (0: none) and its numbers; a row of what fills; the
# part that takes pixels which are not side by side and its numbers; where raw rows are written.
(
    TAPS, SOURCES, CHANNEL, TAKEN, PIXEL, MADE, DEPTH, CONVERT, FACTORS, FILLING, PICK, PICKED, RAW,
    READER_SIZE,
) = range(14)  # fmt: skip

# A panel, some columns of the output: its code, where in a row of the target it goes; and then for
# each reader its runs, how many there are, and how many pixels of a row. A run is: pixels into the
# row, pixel of the source or -1 for what fills, from one to the next, how many: of the border one.
CODE, PLACE, PANEL_SIZE = range(3)
RUNS, RUN_COUNT, LENGTH, LINE_SIZE = range(4)
INTO, FROM, BY, MANY, RUN_SIZE = range(5)

# Code: how many orders are for all rows of a chunk, how many row by row; the orders. An order is: a
# part (0 copies bytes), the ring that it writes to (-1: the target) and where in the row, how many
# samples, numbers, and the rows that it reads: ring, row of taps, bytes into it.
FIRST, THEN, CODE_SIZE = range(3)
PART, INTO_RING, INTO_ROW, SAMPLES, TABLE, TAP_COUNT, TAP_TABLE, ORDER_SIZE = range(8)
TAP_RING, TAP_ROW, TAP_PLACE, TAP_SIZE = range(4)
