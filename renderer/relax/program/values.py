"""The values of a relaxed program: SoftBool and SoftInteger; a soft real is a plain tensor (B, ...).

A static Python value stays what it is. A `SoftInteger` is the expectation of an integer: it computes like a real and is
compared like an integer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from renderer.relax.program.errors import RelaxError


class SoftBool:
    """A probability `p` (B, ...) of being true; 1 − p is kept beside it as precisely as it is known."""

    __slots__ = ("_complement", "_q", "p")

    def __init__(self, p: Tensor, q: Tensor | None = None, complement: Callable[[], Tensor] | None = None) -> None:
        self.p = p
        self._q = q
        self._complement = complement

    @property
    def q(self) -> Tensor:
        """1 − p."""
        if self._q is None:
            self._q = 1 - self.p if self._complement is None else self._complement()
        return self._q

    def negated(self) -> SoftBool:
        return SoftBool(self.q, self.p)

    def number(self) -> SoftInteger:
        """False and True as the integers 0 and 1."""
        return SoftInteger(self.p)

    def __bool__(self) -> bool:
        raise RelaxError("a soft condition has no truth value outside of a relaxed program")

    def __add__(self, other: Any) -> Any:
        return self.number() + other

    def __radd__(self, other: Any) -> Any:
        return other + self.number()

    def __sub__(self, other: Any) -> Any:
        return self.number() - other

    def __rsub__(self, other: Any) -> Any:
        return other - self.number()

    def __mul__(self, other: Any) -> Any:
        return self.number() * other

    def __rmul__(self, other: Any) -> Any:
        return other * self.number()

    def __truediv__(self, other: Any) -> Any:
        return self.number() / other

    def __rtruediv__(self, other: Any) -> Any:
        return other / self.number()

    def __neg__(self) -> Any:
        return -self.number()

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        return function(*plain(args), **plain(kwargs or {}))


class SoftInteger:
    """The expectation `value` (B, ...) of an integer: `base` plus a static `shift`, so that counting is free."""

    __slots__ = ("base", "shift")

    def __init__(self, base: Tensor, shift: int = 0) -> None:
        self.base = base
        self.shift = shift

    @property
    def value(self) -> Tensor:
        if self.shift:
            self.base, self.shift = self.base + self.shift, 0
        return self.base

    def _combine(self, other: Any, function: Callable[[Any, Any], Any]) -> Any:
        if isinstance(other, SoftBool):
            other = other.number()
        if isinstance(other, SoftInteger):
            return SoftInteger(function(self.value, other.value))
        if isinstance(other, int):
            return SoftInteger(function(self.value, other))
        if isinstance(other, float | Tensor):
            return function(self.value, other)
        return NotImplemented

    def __add__(self, other: Any) -> Any:
        if isinstance(other, int):
            return SoftInteger(self.base, self.shift + other)
        return self._combine(other, lambda a, b: a + b)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        if isinstance(other, int):
            return SoftInteger(self.base, self.shift - other)
        return self._combine(other, lambda a, b: a - b)

    def __rsub__(self, other: Any) -> Any:
        return self._combine(other, lambda a, b: b - a)

    def __mul__(self, other: Any) -> Any:
        return self._combine(other, lambda a, b: a * b)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        return self.value / plain(other)

    def __rtruediv__(self, other: Any) -> Any:
        return plain(other) / self.value

    def __pow__(self, other: Any) -> Any:
        if isinstance(other, int) and not isinstance(other, bool) and other >= 0:
            return SoftInteger(self.value**other)
        return self.value ** plain(other)

    def __rpow__(self, other: Any) -> Any:
        return plain(other) ** self.value

    def __neg__(self) -> SoftInteger:
        return SoftInteger(-self.value)

    def __pos__(self) -> SoftInteger:
        return self

    def __abs__(self) -> SoftInteger:
        return SoftInteger(self.value.abs())

    def __bool__(self) -> bool:
        raise RelaxError("a soft integer has no truth value outside of a relaxed program")

    def __index__(self) -> int:
        raise RelaxError("a soft integer is not a size: range and list lengths have to be static")

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        return function(*plain(args), **plain(kwargs or {}))


class Shared(NamedTuple):
    """A tensor from outside of the program as an operand: it has no batch, even if its size is that of one."""

    value: Tensor


def plain(value: Any) -> Any:
    """The tensor behind a soft value, and behind those in lists, tuples and dicts; anything else as it is."""
    if type(value) in AS_IT_IS:
        return value
    if isinstance(value, SoftBool):
        return value.p
    if isinstance(value, SoftInteger):
        return value.value
    if isinstance(value, list | tuple):
        return type(value)(plain(v) for v in value)
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    return value.tensor() if hasattr(value, "soft_tensor") else value


def is_soft(value: Any) -> bool:
    """Whether a value is, or a list or tuple holds, more than static Python."""
    if type(value) in SOFT:
        return True
    if isinstance(value, Tensor) or hasattr(value, "soft_tensor"):
        return True
    return isinstance(value, list | tuple) and any(is_soft(v) for v in value)


def is_integer(value: Any) -> bool:
    """Whether a value is compared like an integer."""
    return isinstance(value, INTEGERS) or getattr(value, "integer", False)


# Types as they occur most, in tuples and not in unions: a union is made anew wherever it is written.
SOFT = (Tensor, SoftBool, SoftInteger)
AS_IT_IS = (Tensor, int, float, bool)
INTEGERS = (int, SoftInteger, SoftBool)


def number_like(value: float, like: Tensor) -> Tensor:
    """A static number as a tensor of shape () that broadcasts with `like`."""
    return torch.full((), float(value), dtype=like.dtype, device=like.device)
