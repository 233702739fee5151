"""SoftIndex: an index that is not decided, as a categorical distribution over a declared range."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from renderer.relax.program.errors import RelaxError
from renderer.relax.program.values import SoftBool, SoftInteger, plain


class SoftIndex:
    """Probabilities `weights` (B, n), or (n,) while static, of the integers start, …, start + n − 1."""

    __slots__ = ("start", "weights")
    soft_tensor = True

    def __init__(self, weights: Tensor, start: int = 0) -> None:
        self.weights = weights
        self.start = start

    @property
    def size(self) -> int:
        return self.weights.shape[-1]

    def expectation(self) -> SoftInteger:
        values = torch.arange(self.start, self.start + self.size, dtype=self.weights.dtype, device=self.weights.device)
        return SoftInteger(self.weights @ values)

    def tensor(self) -> Tensor:
        return self.expectation().value

    def one_hot(self, value: int) -> Tensor:
        """The weights of a static integer of the declared range."""
        k = value - self.start
        if not 0 <= k < self.size:
            last = self.start + self.size - 1
            raise RelaxError(f"index: expected a value of the declared range {self.start} to {last}, got {value}")
        one_hot = torch.zeros(self.size, dtype=self.weights.dtype, device=self.weights.device)
        one_hot[k] = 1
        return one_hot

    def below(self, k: int) -> Tensor:
        """P(index < k)."""
        count = min(max(k - self.start, 0), self.size)
        return self.weights[..., :count].sum(-1)

    def at(self, k: int) -> Tensor:
        """P(index = k)."""
        inside = 0 <= k - self.start < self.size
        return self.weights[..., k - self.start] if inside else torch.zeros_like(self.weights[..., 0])

    def compare(self, op: str, k: int) -> SoftBool:
        """The exact probability of a comparison with a static integer."""
        below, equal = self.below(k), self.at(k)
        return {
            "<": lambda: SoftBool(below),
            "<=": lambda: SoftBool(below + equal),
            ">": lambda: SoftBool(self.weights.sum(-1) - below - equal, below + equal),
            ">=": lambda: SoftBool(self.weights.sum(-1) - below, below),
            "==": lambda: SoftBool(equal),
            "!=": lambda: SoftBool(equal).negated(),
        }[op]()

    def __add__(self, other: Any) -> Any:
        if isinstance(other, int):
            return SoftIndex(self.weights, self.start + other)
        return self.expectation() + _expected(other)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self + -other if isinstance(other, int) else self.expectation() - _expected(other)

    def __rsub__(self, other: Any) -> Any:
        return _expected(other) - self.expectation()

    def __mul__(self, other: Any) -> Any:
        return self.expectation() * _expected(other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        return self.expectation() / _expected(other)

    def __rtruediv__(self, other: Any) -> Any:
        return _expected(other) / self.expectation()

    def __neg__(self) -> SoftInteger:
        return -self.expectation()

    def __bool__(self) -> bool:
        raise RelaxError("a soft index has no truth value outside of a relaxed program")

    def __index__(self) -> int:
        raise RelaxError("a soft index is not a size: range and list lengths have to be static")

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        return function(*plain(args), **plain(kwargs or {}))


def _expected(value: Any) -> Any:
    return value.expectation() if isinstance(value, SoftIndex) else value


def index(value: int, size: int) -> int:
    """Declares an index over range(size): in a relaxed program it merges as a categorical over that range.

    In plain Python it is `value` itself. Without it, an integer that soft branches assign merges to its expectation.

        best = index(0, len(a))
        for i in range(len(a)):
            if a[i] > a[best]:
                best = i

    Raises ValueError unless 0 <= value < size.
    """
    if not 0 <= value < size:
        raise ValueError(f"value: expected 0 <= value < size = {size}, got {value}")
    return value
