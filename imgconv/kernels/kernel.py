"""A kernel: exact weights with a divisor and a bias, and what follows from them alone."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from imgconv.errors import KernelError
from imgconv.kernels.numbers import (
    MAX_REAL,
    Number,
    by,
    each,
    exact_number,
    listed,
    nested,
    shape_of,
    short,
    total,
    turned,
)
from imgconv.kernels.separable import Separable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

FIELDS = ("weights", "name", "divisor", "bias", "summary", "source")
# Control characters, line ends and half characters, which a terminal or a file might not survive.
CONTROLS = "[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]"


class _OfDataclass:
    """What `dataclasses` asks a class for, made when it asks."""

    def __set_name__(self, _: type, name: str) -> None:
        self._name = name

    def __get__(self, _: object, owner: type) -> Any:
        return getattr(_dataclass(), self._name)


@functools.cache
def _dataclass() -> type:
    from dataclasses import field, make_dataclass

    defaults = {"name": "", "divisor": 1, "bias": 0, "summary": "", "source": ""}
    others = [(name, Any, field(default=d, kw_only=True)) for name, d in defaults.items()]
    return make_dataclass("Kernel", [("weights", Any), *others], frozen=True)


class Kernel:
    """A correlation kernel: response = sum(weights * samples) / divisor + bias.

    Parameters
    ----------
    weights : nested sequence or array of shape (KH, KW), (IN, KH, KW) or (OUT, IN/GROUPS, KH, KW)
        Real numbers, at most 255 a side. Kept as tuples of exact int or float; whole floats become
        int. Columns times rows, as families make long ones, may have 4095 a side. Two dimensions
        are for each channel by itself; three add up the channels to one output; four are torch's,
        and the channels of the image decide how many groups there are.
    name : str, optional
        What the catalogue calls it.
    divisor : int or float, default 1
        Not 0.
    bias : int, float or a sequence of OUT of them, default 0
        In units of the samples.
    summary, source : str, optional
        One line on what it does, and where its numbers come from.

    Raises
    ------
    KernelError
        If the weights are empty, ragged, too many, or not finite real numbers; if the divisor is 0;
        if there is not one bias for each output.

    Notes
    -----
    The shape (OUT, IN/GROUPS, KH, KW) is that of torch.nn.Conv2d, PyTorch documentation.
    """

    weights: tuple[Any, ...] | Separable
    name: str
    divisor: Number
    bias: Number | tuple[Number, ...]
    summary: str
    source: str

    def __init__(
        self,
        weights: Any,  # anything that looks like rows of numbers is taken, see above
        *,
        name: str = "",
        divisor: Any = 1,
        bias: Any = 0,
        summary: str = "",
        source: str = "",
    ) -> None:
        for field, text in (("name", name), ("summary", summary), ("source", source)):
            plain = isinstance(text, str) and text.isascii() and text.isprintable()
            if not plain and (not isinstance(text, str) or re.search(CONTROLS, text)):
                raise KernelError(f"{field} is {short(text)}, not one line of plain text")
        vars(self).update(weights=nested(weights), name=name, summary=summary, source=source)
        vars(self).update(divisor=exact_number(divisor, "the divisor"))
        vars(self).update(bias=self._checked_bias(bias))
        if self.divisor == 0:
            raise KernelError("the divisor is 0; give 1 where nothing is to be divided")
        if abs(self.divisor) < 1 / MAX_REAL:
            raise KernelError(f"the divisor is {self.divisor:g}, too small; give larger weights")

    # It is a frozen dataclass, without what takes a tenth of a start to be imported.
    __match_args__ = ("weights",)
    __dataclass_fields__, __dataclass_params__ = _OfDataclass(), _OfDataclass()

    def __setattr__(self, name: str, value: object) -> NoReturn:
        from dataclasses import FrozenInstanceError

        raise FrozenInstanceError(f"a kernel's {name} stays as it is; make another Kernel")

    def __delattr__(self, name: str) -> NoReturn:
        self.__setattr__(name, None)

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return all(getattr(self, field) == getattr(other, field) for field in FIELDS)

    def __repr__(self) -> str:
        said = (f"{field}={getattr(self, field)!r}" for field in FIELDS)
        return f"{type(self).__name__}({', '.join(said)})"

    def _replace(self, **changes: Any) -> Kernel:
        """Return the kernel with other values in some fields."""
        return type(self)(**({field: getattr(self, field) for field in FIELDS} | changes))

    __replace__ = _replace  # what copy.replace calls

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any], name: str = "") -> Kernel:
        """Make a kernel of a mapping with this class's fields, as found in TOML and JSON.

        Raises
        ------
        KernelError
            If a field is unknown or missing, or has a value it cannot take.
        """
        for key in fields:
            if key not in FIELDS:
                raise KernelError(f"unknown key {short(key)}; a kernel has {', '.join(FIELDS)}")
        if "weights" not in fields:
            raise KernelError("no weights; write them as rows, weights = [[1, 0, -1]]")
        return cls(**{"name": name, **fields})

    def _checked_bias(self, bias: Any) -> Number | tuple[Number, ...]:
        bias = listed(bias)
        if not isinstance(bias, (list, tuple)):
            return exact_number(bias, "the bias")
        outputs = self.shape[0] if len(self.shape) == 4 else 1
        if len(bias) != outputs:
            raise KernelError(
                f"bias has {len(bias)} numbers, and weights of {by(self.shape)} have {outputs} "
                "outputs; give one number for all, or one for each output"
            )
        found = tuple(exact_number(b, f"the bias of output {i}") for i, b in enumerate(bias, 1))
        return found if len(found) > 1 else found[0]

    def __hash__(self) -> int:
        return self._hash

    @functools.cached_property
    def _hash(self) -> int:
        """Of all weights: plans and programs are looked up by their kernel."""
        return hash((self.weights, self.divisor, self.bias, self.name))

    @functools.cached_property
    def shape(self) -> tuple[int, ...]:
        """The shape of the weights: (KH, KW), (IN, KH, KW) or (OUT, IN/GROUPS, KH, KW)."""
        return shape_of(self.weights)

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the weights."""
        return self.shape[-2], self.shape[-1]

    @functools.cached_property
    def outputs(self) -> tuple[Kernel, ...]:
        """A kernel of two dimensions for each output, its inputs' rows one below the other.

        A kernel for each channel by itself is its only one.
        """
        if len(self.shape) == 2:
            return (self,)
        stacked = self.weights if len(self.shape) == 4 else (self.weights,)
        biases = self.bias if isinstance(self.bias, tuple) else (self.bias,) * len(stacked)
        return tuple(
            self._replace(weights=tuple(row for plane in planes for row in plane), bias=bias)
            for planes, bias in zip(stacked, biases, strict=True)
        )

    def reads(self, channels: int) -> tuple[range, ...]:
        """Return which of an image's channels each output adds up; nothing: each by itself.

        Raises
        ------
        KernelError
            If the weights are not for so many channels.
        """
        if len(self.shape) == 2:
            return ()
        outputs, inputs = len(self.outputs), self.shape[-3]
        groups, rest = divmod(channels, inputs)
        if rest or not groups or (groups > 1 and len(self.shape) == 3):
            raise KernelError(
                f"has {channels} channel{'s' * (channels > 1)}, and kernel {self._called()} takes "
                f"{inputs}; choose channels (--channels gray, rgb, r,g,b, ...) or another kernel"
            )
        if outputs % groups:
            raise KernelError(
                f"has {channels} channels, {groups} groups of the {inputs} that kernel "
                f"{self._called()} takes, and its {outputs} outputs cannot be shared among them; "
                f"give it {channels} inputs, or a multiple of {groups} outputs"
            )
        each = outputs // groups
        return tuple(range(o // each * inputs, (o // each + 1) * inputs) for o in range(outputs))

    def _called(self) -> str:
        return f"{self.name or 'custom'} of {by(self.shape)}"

    @property
    def sum(self) -> Number:
        """The sum of all weights, before the divisor."""
        if isinstance(self.weights, Separable):
            return self.weights.total
        return total(w for k in self.outputs for row in k.weights for w in row)

    @property
    def gain(self) -> float:
        """What a flat image is multiplied by: sum / divisor; of several outputs their mean."""
        return self.sum / self.divisor / len(self.outputs)

    def response_range(self, low: float = 0, high: float = 255) -> tuple[float, float]:
        """Return the least and greatest response to samples between low and high."""
        if len(self.shape) > 2:
            lows, highs = zip(*(k.response_range(low, high) for k in self.outputs), strict=True)
            return min(lows), max(highs)
        assert not isinstance(self.bias, tuple)
        if isinstance(self.weights, Separable):
            negative, positive = sorted(n / self.divisor for n in self.weights.signs())
            least, greatest = negative * high + positive * low, negative * low + positive * high
            return least + self.bias, greatest + self.bias
        flat = [w / self.divisor for row in self.weights for w in row]
        least = math.fsum(min(w * low, w * high) for w in flat)
        return least + self.bias, math.fsum(max(w * low, w * high) for w in flat) + self.bias

    def with_weights(self, change: Callable[[Number], Number]) -> Kernel:
        """Return the kernel with each weight changed, of `Separable` ones by a factor."""
        return self._replace(weights=each(self.weights, change))

    def flipped(self) -> Kernel:
        """Return the kernel turned by 180 degrees, which makes a correlation a true convolution."""
        return self._replace(weights=turned(self.weights, len(self.shape)))

    @property
    def array(self) -> npt.NDArray[np.float64]:
        """The weights as a float64 array of their shape, before the divisor."""
        import numpy

        if isinstance(self.weights, Separable):
            return self.weights.array()
        return numpy.array(self.weights, dtype=numpy.float64)
