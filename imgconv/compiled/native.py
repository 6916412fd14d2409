"""From the parts and the conductor to C functions: compiled once, kept as code, mapped later.

Numba and its 600 ms are needed for the first call of a part on a machine; later processes map the
code that was kept (see `linker`; llvmlite links it where that cannot), by everything that decides
it. Whatever is wrong with the cache, the function is compiled in this process instead: the result
never depends on it.

The code refers to a few Python and Numba symbols, all of them on paths that cannot be reached:
the loops raise nothing, so the error exit of the C wrapper is dead, and they allocate nothing.
Those symbols are linked to `abort`, which the tests would notice.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import os
import sys
import threading
from collections.abc import Callable

from imgconv.compiled import cache, linker, memory, processor
from imgconv.errors import heed_cause
from imgconv.light import blake2b, sha256

# All that is compiled: the conductor and what fills its rings, and what makes each of the others in
# `parts`, `rows`, `places` or `packing`, for the kinds that follow.
CONDUCTOR = "conduct"
PARTS = (
    CONDUCTOR, "fill", "share", "copy", "pick", "interleave",
    "widen short", "widen whole", "widen real",
    "total int16 int16", "total int16 int32", "total int32 int32", "total int64 int64",
    "total float32 float32", "total float64 float64", "fixed", "slide", "prefix",
    "fused", "paired sums", "paired bytes", "paired divided", "mix", "join", "extent",
    "pack", "unpack",
    "store int16 uint8", "store uint16 uint8", "store int32 uint8", "store int32 uint16",
    "store int64 uint8 uint16", "store float32 uint8 uint16", "store float64 uint8 uint16",
)  # fmt: skip
# Of these, what is written in instructions of AVX2, and what no kernel takes.
OF_VECTORS = ("paired sums", "paired bytes", "paired divided", "mix")
OF_FILES = "pack", "unpack"
# What compiled loops may really call.
LIBRARY = ("sqrt", "sqrtf", "memcpy", "memmove", "memset", "rint", "rintf")
# What decides the code of a part.
SOURCES = (
    "conductor", "linker", "machine", "matrices", "native", "packing", "pairs", "parts", "places",
    "processor", "rows", "vectors", "words",
)  # fmt: skip
IMAGE = b"image\n"  # what an entry begins with that is mapped as it is

_expected: list[str] = []

_lock = threading.Lock()


def _forked() -> None:
    """Make the lock anew: a thread that held it is not in a process that was forked."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)

_prototype = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


@functools.cache
def conductor() -> Callable[[int], None]:
    """Return the conductor; a call lets go of the GIL."""
    return _prototype(part(CONDUCTOR))


@functools.cache
def conductor_address() -> int:
    """Return the address of the conductor, without a wait for the lock of parts."""
    return part(CONDUCTOR)


@functools.cache
def sharing() -> Callable[[int, int, bool], None]:
    """Return what leads a work or serves works, see `team`; a call lets go of the GIL likewise."""
    return ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(part("share"))


@functools.cache
def alone(name: str) -> Callable[[int], None]:
    """Return one of PARTS that takes a job of its own; a call lets go of the GIL."""
    return _prototype(part(name))


def expect(name: str) -> None:
    """Have one of PARTS compiled when there is time, which will be asked for later."""
    _expected[:] = [name]


def part(name: str) -> int:
    """Return the address of one of PARTS."""
    with _lock:
        return _part(name)


@functools.cache
def _part(name: str) -> int:
    key = _key(name)
    entry = cache.load(key) or _compiled_beside(name, key)
    if entry:
        try:
            return _link(entry)
        except (OSError, RuntimeError, ValueError) as error:
            heed_cause(error)
            cache.hint(f"cached code cannot be linked, it is compiled again: {error}")
    entry = _compile(name)
    cache.save(key, entry)
    return _link(entry)


def _compiled_beside(name: str, key: bytes) -> bytes | None:
    """What a process beside this one has compiled; where there is none, begin one if it helps.

    That is the conductor, which is asked for last, and takes as long as all others of a plain
    command. Where it has to be waited for, there is time for what is expected.
    """
    from imgconv.compiled import beside  # not at each start

    if beside.has(name):
        while _expected:
            _part(_expected.pop())
        compiling(False)
        beside.wait_for(name)
        compiling(True)
        return cache.load(key)
    if helped and name != CONDUCTOR and not cache.load(_key(CONDUCTOR)) and cache.is_usable():
        beside.begin([CONDUCTOR])
    return None


def parts() -> list[str]:
    """Return those of PARTS that plans for this processor take."""
    left_out = () if processor.has_vectors() else OF_VECTORS
    return [name for name in PARTS if name not in left_out]


def compile_all() -> None:
    """Compile those that are not in the cache, every other one in a process of its own."""
    from imgconv.compiled import beside

    wanted = [name for name in parts() if not cache.load(_key(name))]
    theirs = wanted[::2] if helped else []
    if theirs:
        beside.begin(theirs)
    for name in (*(n for n in wanted if n not in theirs), *theirs):
        part(name)


def kept() -> list[str]:
    """Return which of these are in the cache."""
    return [name for name in parts() if cache.load(_key(name))]


def _be_silent(_: bool) -> None:
    """Tell nothing."""


# Whether a process may be begun to compile beside this one, as the program may, and no library.
helped = False
# Told that a compilation begins or is done; the command line replaces this to show it.
compiling: Callable[[bool], None] = _be_silent


def _key(wanted: str) -> bytes:
    return sha256(f"{wanted}\n{_circumstances()}".encode()).digest()


@functools.cache
def _circumstances() -> str:
    """Everything but the function itself that decides its machine code."""
    packages = [_version(name) for name in ("numba", "llvmlite")]
    ours = [blake2b(_source(name), digest_size=20).hexdigest() for name in SOURCES]
    settings = sorted(f"{k}={v}" for k, v in os.environ.items() if k.startswith("NUMBA_"))
    with contextlib.suppress(OSError):  # where Numba looks for more of them
        found = os.stat(".numba_config.yaml")
        settings.append(repr((found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)))
    return repr(
        (sys.version_info[:2], sys.platform, packages, ours, processor.described(), settings)
    )


def _source(name: str) -> bytes:
    with open(os.path.join(os.path.dirname(__file__), f"{name}.py"), "rb", buffering=0) as file:
        return file.read()


def _version(package: str) -> str:
    """What tells one version of a package from another, without importing it."""
    for place in sys.path:
        with (
            contextlib.suppress(OSError),
            open(os.path.join(place, package, "_version.py")) as file,
        ):
            return file.read()
    from importlib.metadata import version  # takes 10 ms to import

    return version(package)


def _compile(name: str) -> bytes:
    """Return an entry: an image, or object code after the names that llvmlite needs to link it."""
    memory.ask_for("llvmlite")
    compiling(False)
    import llvmlite.binding as llvm
    import numba
    from numba.core.registry import cpu_target

    from imgconv.compiled import conductor, packing, parts, places, rows

    what, *kinds = name.split()
    makers = {k: v for file in (parts, rows, places, packing) for k, v in vars(file).items()}
    made = makers[what](*kinds) if what in makers else getattr(conductor, what)
    python = getattr(made, "py_func", made)
    # `contract` lets a multiplication and an addition become one rounding; nothing is reordered,
    # so the bytes do not depend on where a band or a block begins.
    codegen = cpu_target.target_context.codegen()
    target = llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(
        cpu=processor.level() or llvm.get_host_cpu_name(),
        features=_features(),
        opt=3,
        reloc="pic",
        codemodel="small",
    )
    # Numba's optimizer asks this machine how wide a vector is best.
    numbas, codegen._tm = codegen._tm, target
    collecting = gc.isenabled()
    gc.disable()  # of a million objects that Numba makes few go: a tenth of the time is saved
    try:
        takes = ", ".join(["int64"] * python.__code__.co_argcount)
        code = numba.cfunc(f"void({takes})", fastmath={"contract"}, error_model="numpy")(python)
    finally:
        codegen._tm = numbas
        if collecting:
            gc.enable()
    module = llvm.parse_assembly(code.inspect_llvm())
    outside = [v.name for v in (*module.functions, *module.global_variables) if v.is_declaration]
    imports = " ".join(n for n in outside if not n.startswith("llvm."))
    compiled: bytes = target.emit_object(module)
    compiling(True)
    try:
        return IMAGE + linker.flatten(compiled, code.native_name)
    except linker.UnknownObjectError:  # another machine or system: llvmlite will link it
        return f"{code.native_name}\n{imports}\n".encode() + compiled


def _features() -> str:
    """The features of the processor, with vectors of 512 bits where it has them.

    LLVM prefers 256 for fear of a lower clock, which processors since 2019 no longer have: 5x5 and
    larger kernels gain 15 to 35 %.
    """
    import llvmlite.binding as llvm

    if processor.level():
        return ""
    features: str = llvm.get_host_cpu_features().flatten()
    return features + ",-prefer-256-bit" * ("+avx512bw" in features)


def _link(entry: bytes) -> int:
    """Put an entry's machine code into this process and return the function's address."""
    if entry.startswith(IMAGE):
        address, memory = linker.load(entry[len(IMAGE) :], _address)
        _linked.append(memory)
        return address
    import llvmlite.binding as llvm

    symbol, imports, compiled = entry.split(b"\n", 2)
    library = llvm.JITLibraryBuilder().add_object_img(compiled).export_symbol(symbol.decode())
    for name in {*LIBRARY, *imports.decode().split()}:
        library.import_symbol(name, _address(name))
    linked = library.link(_jit(), f"imgconv-{len(_linked)}")
    _linked.append(linked)
    return int(linked[symbol.decode()])


# What was linked is unloaded with the last reference to it, so these are kept.
_linked: list[object] = []


def _address(name: str) -> int:
    """The address of a library function, or of `abort` for one that cannot be reached."""
    found = getattr(_library(), name if name in LIBRARY else "abort")
    return ctypes.cast(found, ctypes.c_void_p).value or 0


@functools.cache
def _library() -> ctypes.CDLL:
    """The C library: what this process has, or on Windows, where that is not to be had, its own."""
    return ctypes.CDLL("ucrtbase" if sys.platform == "win32" else None)


@functools.cache
def _jit():  # type: ignore[no-untyped-def]
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.create_lljit_compiler()
