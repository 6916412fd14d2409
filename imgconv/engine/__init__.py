"""The arithmetic: from samples in memory and a kernel to responses and levels.

The way down: `step` says what is done, `plan` (with `fixed` and `sums`) in which numbers, `program`
and `orders` write it down for a picture of a shape, `ready` calls the compiled `conductor` on
threads, and that calls `parts` and `rows`. `run` is what other wings call. Never opens a picture,
and knows neither formats nor the names of channels.
"""
