"""The words that programs and compiled code have in common: what stands where in memory.

Everything is an int64 unless it is said otherwise.
"""

# What a part is told: how many samples, where they go, its numbers, how many rows it reads, where
# to count samples clipped below and above (or to keep two ends), where in the source there is what
# will be read next, and then where each row is.
N, OUT, NUMBERS, COUNT, TOLD, AHEAD, INPUTS = range(7)

# How a total is rounded, and the numbers of `store`, `extent` and the fused parts. DIVIDING: 0 by a
# power of two, 1 by any divisor, 2 by one with which float32 multiplies. WITHIN: see
# `sums.Rounding`. MASK: which samples count. WIDE: pixels of 16 bits. KIND: which of its kinds the
# total has. PAIR: which ends are kept. SUM: the numbers of what is added up. Rounding is done in
# `parts`, and of sums of channels and of pairs in `matrices` and `pairs`.
PLAIN, SHIFT, DIVIDE, NARROW = range(4)
(
    ROUNDING, SIGN, TOP, BITS, HALF, ODD, DIVISOR, RECIPROCAL, WITHIN, DIVIDING, MASK, WIDE, KIND,
    PAIR, SUM,
) = range(15)  # fmt: skip

# So many rows of totals may be added up abreast, nine taps of each, so that each row is read once
# for all of them: where they go follows the rows that are read.
ABREAST = 4

# What is added up and rounded to bytes in one part: the kind of the totals, how many taps (-2: the
# second less the first, -3: three of weight 1), how it is rounded. What is divided is within the
# range of bytes.
FUSED = (
    ("int16", 9, PLAIN),
    ("int16", -3, DIVIDE),
    ("int16", -2, DIVIDE),
    ("int32", -2, NARROW),
)

# What `join` does with a response.
SQUARE, ADD, ADD_SQUARE, GREATEST, LEAST, OVER, SCALED, ROOT = range(8)

# What each `widen` makes of which kinds, what `join` joins, and of what `extent` keeps ends.
WIDENED = {
    "short": (("uint8", "int16"), ("uint16", "int16")),
    "whole": tuple((of, to) for to in ("int32", "int64") for of in ("uint8", "uint16")),
    "real": (
        *((of, "float32") for of in ("uint8", "uint16", "int16", "float64")),
        *((of, "float64") for of in ("uint8", "uint16", "int16", "int32", "int64", "float32")),
    ),
}
JOINED = ("float32", "float64")
TOTALS = ("int16", "int32", "int64", "float32", "float64")

# What `slide` adds up, as what.
SLIDING = (("uint8", "int16"), ("uint8", "int32"), ("uint16", "int32"))

# What `prefix` adds up: totals, of pixels of so many samples, or (0) of any.
PREFIXED = tuple((kind, depth) for kind in ("int16", "int32") for depth in (1, 3, 4, 0))

# As what products of pairs are added up by which part, what becomes of the sums, how they are
# rounded (see FUSED), and so many pairs at once, of which SUMMED are the most. Sums of so many are
# for others to be added to, and lie as registers have them; totals lie as samples do; bytes are
# made of products alone, or of sums and more.
TO_SUMS, TO_TOTALS, TO_BYTES, ON_TO_BYTES = range(4)
PAIRED = {
    "sums": (
        ("int16", TO_SUMS, PLAIN, 5), ("int32", TO_SUMS, PLAIN, 5),
        *((kind, TO_TOTALS, PLAIN, pairs) for kind in ("int16", "int32") for pairs in (3, 5)),
    ),
    "bytes": tuple(
        ("int16", becoming, PLAIN, pairs)
        for becoming in (TO_BYTES, ON_TO_BYTES) for pairs in (3, 4, 5)
    ),
    "divided": (
        ("int16", TO_BYTES, SHIFT, 3), ("int16", TO_BYTES, SHIFT, 5),
        ("int16", ON_TO_BYTES, SHIFT, 5),
        ("int16", TO_BYTES, DIVIDE, 5), ("int16", ON_TO_BYTES, DIVIDE, 5),
    ),
}  # fmt: skip
SUMMED = 5

# What `mix` reads and writes, bytes of a pixel, and whether none is clipped; and so many pixels at
# once, at most.
MIXED = ((3, 1, True), (3, 1, False), (3, 3, False), (4, 1, True), (4, 1, False), (4, 4, False))
MIXED_AT_ONCE = 64

# The kind of the masks and the counts beside totals: as wide as they are. Products of pairs take a
# mask IN_BITS.
LANE = {"uint16": "int16", "float32": "int32", "float64": "int64"}
IN_BITS = "bits"

# What the conductor is called with: everything else stands in the program, which nobody writes to.
# From LOW on samples clipped below and above are counted, or the ends of each output are kept.
PROGRAM, SOURCE, SOURCE_STEP, TARGET, TARGET_STEP, ROW, END, ROOM, LOW = range(9)

# A work that threads share: how many calls are begun, how many of these by who leads it, from the
# first on, and by helpers, from the last on; how many there are, the function, how many helpers
# have taken part, how many of them have left it, whether it has been led, how many helpers there
# are, and how many words a call has. Then for each helper where the word is to which the work is
# given, and the words of each call.
(
    BEGUN, BY_LEADER, BY_HELPERS, CALL_COUNT, CALLED, TAKEN, LEFT, LED, HELPER_COUNT, CALL_SIZE,
    HELPERS,
) = range(11)  # fmt: skip

# A program. From one output to the next it goes PITCH rows of the source on, from one tap to the
# next SPREAD. With a dilation, only outputs so many rows APART share what they read: they are a
# turn, and there are as many turns. CHUNK rows of a turn are done at a time. Then the tables, and
# where in the room a job and a raw row are written.
(
    PITCH, SPREAD, APART, CHUNK, PANELS, PANEL_COUNT, READERS, READER_COUNT, RINGS, RING_COUNT,
    JOB, RAW,
) = range(12)  # fmt: skip

# The room begins with the addresses that moves are from and to; then for each ring the slot in
# which the rows of the present output begin, and then for each how many rows have been filled.
AT_SOURCE, AT_RAW, AT_FILLING, AT_RING, SLOTS = range(5)

# A ring of rows: where in the room it begins, bytes of a row, how many rows (0: it is the target
# itself, which nothing reads), rows from one output to the next, and 1 if it holds addresses of
# rows that are elsewhere.
BASE, STEP, HELD, STRIDE, ELSEWHERE, RING_SIZE = range(6)

# A reader, which fills the ring of the same number: the function that does; how many rows an output
# reads; the table of the source's rows, -1 for a row that fills; bytes to the channel; what fills,
# from that channel on; and the ring of the rows' addresses in the source, -1 for none.
FILLER, READS, ROWS, CHANNEL, FILLING, ADDRESSES, READER_SIZE = range(7)

# A panel, some columns of the output: its groups of orders, where in a row of the target it goes,
# and for each reader its moves and how many bytes they make. A group is for all rows of a chunk,
# so many AT_ONCE, or only for the FIRST row of a turn and a call, or for LATER ones: a bit each.
GROUPS, GROUP_COUNT, PLACE, PANEL_SIZE = range(4)
MOVES, MOVE_COUNT, MADE, SHARE_SIZE = range(4)
ORDERS, ORDER_COUNT, WHEN, AT_ONCE, GROUP_SIZE = range(5)
FIRST, LATER = 0b01, 0b10

# A move or an order: a part, how many samples, its numbers. A move goes from an address of the room
# and bytes on to another and bytes on. An order goes to the present row of a ring (-1: the target)
# and bytes on, from rows: of a ring, so many from its slot on, and bytes on.
PART, SAMPLES, TABLE, TO, INTO = range(5)
FROM, BEGIN, MOVE_SIZE = range(5, 8)
TAPS, TAP_COUNT, ORDER_SIZE = range(5, 8)
TAP_RING, TAP_ROW, TAP_PLACE, TAP_SIZE = range(4)

# What `pack` and `unpack` are told. The samples: where they are, bytes from row to row, how many
# rows, how they lie. What is packed: bytes of a row without the one before it, and of a pixel,
# where it goes, and room for two rows. How rows differ, and the first of which `unpack` makes
# nothing, or the end.
(
    PIXELS, PIXELS_STEP, HEIGHT, LAYOUT, LENGTH, APART_BY, PACKED, LINES, DIFFERING, FAULT,
    PACK_SIZE,
) = range(11)  # fmt: skip

# How samples lie: as they are packed, as the first three of four bytes, the first and the last of
# four, or as numbers of 16 bits, of which the upper half is packed first, or which differ as such.
AS_PACKED, THREE_OF_FOUR, ENDS_OF_FOUR, OF_TWO, IN_WORDS = range(5)

# How rows differ: not at all, or as is best for each, behind a byte that tells it; or all from what
# is to the left, behind none.
AS_THEY_ARE, AT_BEST, FROM_LEFT = range(3)

# Bytes before a packed row, and after it, that are read as 0.
MARGIN = 64
