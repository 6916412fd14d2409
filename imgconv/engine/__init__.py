"""The arithmetic: from samples in memory and a kernel to responses and levels.

Hands out `run`, which the other wings call, `Step`, `Samples`, geometry and levels. The way down:
`step` says what is done, `plan` in which numbers (`sums`, `whole`, `fixed`, `real`, `mixing`);
`program`, `rings`, `moves`, `orders` and `pairs` write it down for pictures of a shape, `ready` and
`team` call the compiled conductor with it, on threads; `fourier` transforms what has too many taps,
on the threads of a `pool`. `results` has memory for what comes out. Never opens a picture, and
knows neither formats nor the names of channels.
"""
