"""The loops that are compiled for this machine, once, and how their code is kept and found again.

Hands out `native`, which gives the address of a part by its name, and `words`, what stands where in
the memory that parts are given. The `conductor` does the way of a row, for which it calls what
`parts`, `rows` and `places` make; `packing` makes rows of a file's differences and back; what
Numba's own language lacks is in `machine`, `vectors`, `pairs` and `matrices`. `native` has Numba
compile them for the `processor`, as far as `memory` allows, with a process `beside` it, `linker`
makes an image of that, and `cache` keeps it. Never allocates or raises in a loop, and never knows
what is computed: the engine writes that down.
"""
