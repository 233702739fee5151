"""SoftArray: a tensor (B, n, ...) that a program sees as a sequence of n elements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from renderer.relax.program.errors import RelaxError
from renderer.relax.program.values import SoftInteger, is_integer, plain


class SoftArray:
    """A tensor with a leading batch and at least one more dimension; elements are made when first asked for.

    Written elements live in a list, which is then the truth; `tensor()` stacks it again. `integer` arrays have
    `SoftInteger` elements.
    """

    __slots__ = ("_items", "_tensor", "integer")
    soft_tensor = True

    def __init__(self, tensor: Tensor | None, integer: bool = False, items: list | None = None) -> None:
        self._tensor = tensor
        self._items = items
        self.integer = integer

    def items(self) -> list:
        """The n elements; from here on they are the truth."""
        if self._items is None:
            assert self._tensor is not None
            self._items = [wrap(t, self.integer) for t in self._tensor.unbind(1)]
            self._tensor = None
        return self._items

    def is_whole(self) -> bool:
        """Whether no element has been asked for yet."""
        return self._items is None

    def tensor(self) -> Tensor:
        """All elements as one tensor (B, n, ...)."""
        if self._items is None:
            assert self._tensor is not None
            return self._tensor
        return stack(self._items)

    def replace(self, items: list) -> None:
        self._items, self._tensor = items, None

    def copy(self) -> SoftArray:
        return SoftArray(self._tensor, self.integer, None if self._items is None else list(self._items))

    def __len__(self) -> int:
        return len(self._items) if self._items is not None else self._tensor.shape[1]  # type: ignore[union-attr]

    def __iter__(self) -> Iterator[Any]:
        return iter(list(self.items()))

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, tuple):
            return self._at(key)
        if isinstance(key, slice) and self._items is None:
            return SoftArray(self.tensor()[:, key], self.integer)
        if isinstance(key, slice):
            return SoftArray(None, self.integer, self._items[key])  # type: ignore[index]
        return self.items()[key]

    def _at(self, key: tuple) -> Any:
        if self._items is None or any(isinstance(k, slice) for k in key):
            picked = (slice(None), *key)
            return wrap(self.tensor()[picked], self.integer)
        value: Any = self
        for k in key:
            value = value[k]
        return value

    @property
    def shape(self) -> torch.Size:
        """The shape of one sample."""
        if self._items is None:
            return self._tensor.shape[1:]  # type: ignore[union-attr]
        first = self._items[0] if self._items else None
        return torch.Size((len(self._items), *(first.shape if isinstance(first, SoftArray) else ())))

    def _combine(self, other: Any, function: Callable[[Any, Any], Any], *, exact: bool = True) -> Any:
        """`function` of the aligned tensors; an `exact` one keeps integers integers."""
        a, b = align(self.tensor(), plain(other))
        return wrap(function(a, b), exact and self.integer and is_integer(other))

    def __add__(self, other: Any) -> Any:
        return self._combine(other, lambda a, b: a + b)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self._combine(other, lambda a, b: a - b)

    def __rsub__(self, other: Any) -> Any:
        return self._combine(other, lambda a, b: b - a)

    def __mul__(self, other: Any) -> Any:
        return self._combine(other, lambda a, b: a * b)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        return self._combine(other, lambda a, b: a / b, exact=False)

    def __rtruediv__(self, other: Any) -> Any:
        return self._combine(other, lambda a, b: b / a, exact=False)

    def __pow__(self, other: Any) -> Any:
        return self._combine(other, lambda a, b: a**b, exact=False)

    def __neg__(self) -> SoftArray:
        return SoftArray(-self.tensor(), self.integer)

    def __abs__(self) -> SoftArray:
        return SoftArray(self.tensor().abs(), self.integer)

    def __bool__(self) -> bool:
        return len(self) > 0

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        args = plain(args)
        if len(args) == 2 and getattr(function, "__name__", "") in ARITHMETIC:
            return wrap(function(*align(*args)), False)
        return function(*args, **plain(kwargs or {}))


# Operators of two tensors that have to be aligned after the batch dimension, not at the last one.
ARITHMETIC = {
    *("add", "sub", "mul", "div", "true_divide", "pow", "minimum", "maximum", "rsub"),
    *("__add__", "__radd__", "__sub__", "__rsub__", "__mul__", "__rmul__", "__truediv__", "__rtruediv__", "__rdiv__"),
    *("__pow__", "__rpow__"),
}


def align(a: Any, b: Any) -> tuple[Any, Any]:
    """Two tensors with dimensions of one inserted behind the batch, so that samples broadcast as NumPy arrays do."""
    if not isinstance(a, Tensor) or not isinstance(b, Tensor) or a.dim() == b.dim() or 0 in (a.dim(), b.dim()):
        return a, b
    rank = max(a.dim(), b.dim())
    a, b = (t.reshape(t.shape[0], *(1,) * (rank - t.dim()), *t.shape[1:]) for t in (a, b))
    return a, b


def wrap(tensor: Tensor, integer: bool) -> Any:
    """A tensor as a program's value: an array if it has more than the batch dimension, else a scalar."""
    if tensor.dim() > 1:
        return SoftArray(tensor, integer)
    return SoftInteger(tensor) if integer else tensor


def stack(items: list | tuple) -> Tensor:
    """Elements (B, ...), static numbers among them, as one tensor (B, n, ...)."""
    parts = [stack(v) if isinstance(v, list | tuple) else plain(v) for v in items]
    tensors = [p for p in parts if isinstance(p, Tensor)]
    if not tensors:
        raise RelaxError("a list of static numbers: expected at least one tensor among them")
    dims = max(t.dim() for t in tensors)  # torch.compile does not trace max with a key
    largest = next(t for t in tensors if t.dim() == dims)
    dtype = next((t.dtype for t in tensors if t.is_floating_point()), largest.dtype)
    parts = [
        p
        if isinstance(p, Tensor) and p.shape == largest.shape and p.dtype == dtype
        else torch.as_tensor(p, dtype=dtype, device=largest.device).expand(largest.shape)
        for p in parts
    ]
    return torch.stack(parts, 1)
