"""imgconv: run convolution kernels over images, exactly and fast."""

from __future__ import annotations

TYPE_CHECKING = False  # as type checkers know it, without what `typing` takes to load
if TYPE_CHECKING:
    from typing import Any

    from imgconv.arrays import apply as apply
    from imgconv.arrays import correlate as correlate
    from imgconv.errors import ImgconvError as ImgconvError
    from imgconv.kernels.kernel import Kernel as Kernel
    from imgconv.kernels.spec import list_kernels as list_kernels
    from imgconv.kernels.spec import load_kernel as load_kernel

__version__ = "0.1.0"

# Names are loaded when first used, so that the command line pays only for what it needs.
_HOMES = {
    "Kernel": "kernels.kernel",
    "ImgconvError": "errors",
    "apply": "arrays",
    "correlate": "arrays",
    "list_kernels": "kernels.spec",
    "load_kernel": "kernels.spec",
}
__all__ = ["ImgconvError", "Kernel", "apply", "correlate", "list_kernels", "load_kernel"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
