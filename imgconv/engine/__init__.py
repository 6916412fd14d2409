"""The arithmetic: from samples in memory and a kernel to responses and levels.

Hands out `run`, which the other wings call, `Step`, `Samples`, geometry and levels. The way down:
`step` says what is done, `plan` in which numbers (`sums`, `whole`, `fixed`, `real`, `mixing`);
`program`, `rings`, `moves` and `orders` write it down in `words` for pictures of a shape, `ready`
and `team` call the compiled `conductor` on threads, which calls what `parts`, `rows` and `vectors`
make. `native` compiles these and keeps the code; so it does with `packing`, which makes rows of a
file's differences and back. Never opens a picture, and knows neither formats nor the names of
channels.
"""
