"""Mixtures of program values: the expectation over which branch was taken, or over when a loop was left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from renderer.relax.comparisons import weighted_sum
from renderer.relax.program.array import SoftArray, wrap
from renderer.relax.program.errors import RelaxError, Undefined
from renderer.relax.program.index import SoftIndex
from renderer.relax.program.values import SoftBool, SoftInteger, is_soft, number_like, plain


def per_sample(p: Tensor, value: Tensor) -> Tensor:
    """Probabilities (B,) with dimensions of one, so that they broadcast over the elements of (B, ...)."""
    return p if p.dim() >= value.dim() or p.dim() == 0 else p.reshape(p.shape + (1,) * (value.dim() - p.dim()))


def mix_tensors(condition: SoftBool, a: Tensor, b: Tensor, *, finite: bool) -> Tensor:
    """p·a + (1 − p)·b; unless `finite` promises that there is none, an infinity or NaN of probability 0 is left out."""
    larger = a if a.dim() > b.dim() else b
    p = per_sample(condition.p, larger)
    if finite:
        return torch.lerp(b, a, p)
    q = per_sample(condition.q, larger)
    usable = a.isfinite() & b.isfinite()
    mixed = torch.lerp(torch.where(usable, b, 0.0), torch.where(usable, a, 0.0), p)
    return torch.where(usable, mixed, torch.where(q <= 0, a, torch.where(p <= 0, b, a + b)))


def times(mass: Tensor | None, p: Tensor) -> Tensor:
    """A running probability, None for 1, times another."""
    return p if mass is None else mass * p


class Mixer:
    """Merges the values that a soft branch leaves: `yes` where the condition holds, else `no`."""

    __slots__ = ("condition", "finite", "numbers", "p")

    def __init__(self, condition: SoftBool, *, finite: bool, numbers: dict[float, Tensor] | None = None) -> None:
        self.condition = condition
        self.p = condition.p
        self.finite = finite
        self.numbers = {} if numbers is None else numbers  # static numbers as tensors, kept for the next branch

    def _number(self, value: float) -> Tensor:
        if value not in self.numbers:
            self.numbers[value] = number_like(value, self.p)
        return self.numbers[value]

    def mix(self, yes: Any, no: Any) -> Any:
        if yes is no:
            return yes
        if type(yes) is Tensor and type(no) is Tensor and yes.dim() == no.dim():
            if self.finite and yes.dim() == self.p.dim():
                return torch.lerp(no, yes, self.p)
            return mix_tensors(self.condition, yes, no, finite=self.finite)
        if type(yes) is SoftInteger and type(no) is SoftInteger and yes.base is no.base:  # one counts on, one does not
            p = per_sample(self.p, no.base)
            return SoftInteger(torch.add(no.base, p, alpha=yes.shift - no.shift), no.shift)
        if isinstance(yes, Undefined) or isinstance(no, Undefined):
            return yes if isinstance(yes, Undefined) else no
        if isinstance(yes, SEQUENCES) or isinstance(no, SEQUENCES):
            return self._sequences(yes, no)
        if isinstance(yes, SoftIndex) or isinstance(no, SoftIndex):
            return self._indices(yes, no)
        return self._scalars(yes, no)

    def _scalars(self, yes: Any, no: Any) -> Any:
        kind = common_kind(yes, no)
        a, b = plain(yes), plain(no)
        if not isinstance(a, Tensor) and not isinstance(b, Tensor):
            if type(yes) is type(no) and yes == no:
                return yes
            if kind is SoftBool:
                return SoftBool(self.p) if yes else SoftBool(self.p).negated()
            if kind is SoftInteger and yes - no == 1 and no == 0:
                return SoftInteger(self.p)
            b = torch.full_like(self.p, float(b), requires_grad=False)
        if not isinstance(a, Tensor):
            a = self._number(a)
        elif not isinstance(b, Tensor):
            b = self._number(b)
        mixed = mix_tensors(self.condition, a, b, finite=self.finite)
        return mixed if kind is Tensor else kind(mixed)

    def _sequences(self, yes: Any, no: Any) -> Any:
        check_same_length(yes, no)
        if isinstance(yes, SoftArray) and isinstance(no, SoftArray):
            integer = yes.integer and no.integer
            if yes.is_whole() and no.is_whole():
                mixed = mix_tensors(self.condition, yes.tensor(), no.tensor(), finite=self.finite)
                return SoftArray(mixed, integer)
            return SoftArray(None, integer, [self.mix(a, b) for a, b in zip(yes.items(), no.items(), strict=True)])
        merged = [self.mix(a, b) for a, b in zip(yes, no, strict=True)]
        return tuple(merged) if isinstance(yes, tuple) and isinstance(no, tuple) else merged

    def _indices(self, yes: Any, no: Any) -> Any:
        declared = yes if isinstance(yes, SoftIndex) else no
        a, b = (index_weights(v, declared) for v in (yes, no))
        if a is None or b is None:  # an integer that is no longer one of the range
            return self._scalars(expected(yes), expected(no))
        p = self.p.unsqueeze(-1)
        shape = torch.broadcast_shapes(a.shape, b.shape, p.shape)
        return SoftIndex(torch.lerp(b.expand(shape), a.expand(shape), p), declared.start)


def mixture(weights: Sequence[Tensor], columns: Sequence[Sequence[Any]], *, finite: bool) -> list[Any]:
    """Σₖ weightsₖ · valueₖ for every column of values; the weights of one sample sum to 1.

    Columns of plain scalars are stacked, so that a loop costs four operators however many values it carries.
    """
    results: list[Any] = [None] * len(columns)
    together: list[tuple[int, type, list[Tensor]]] = []
    for c, values in enumerate(columns):
        first = values[0]
        if all(v is first for v in values):
            results[c] = first
            continue
        kind, tensors = _flat_scalars(values, weights[0])
        if kind is None:
            results[c] = _mixture_of(weights, values, finite)
        else:
            together.append((c, kind, tensors))
    if together:
        w = torch.stack(tuple(weights)).unsqueeze(1)
        flat = torch.stack([tensors[k] for k in range(len(weights)) for _, _, tensors in together])
        sums = _weighted_sum(w, flat.view(len(weights), len(together), -1), finite).unbind()
        for (c, kind, _), value in zip(together, sums, strict=True):
            results[c] = value if kind is Tensor else kind(value)
    return results


def _flat_scalars(values: Sequence[Any], like: Tensor) -> tuple[type | None, list[Tensor]]:
    """The kind of a column of scalars and its tensors (B,), or None for a column of something else."""
    if all(type(v) is Tensor for v in values):
        kind: type = Tensor
    elif all(isinstance(v, SCALARS) for v in values):
        kind = common_kind(*values)
    else:
        return None, []
    tensors = [as_tensor(v, like) for v in values]
    if any(t.shape != like.shape or t.dtype != like.dtype for t in tensors):
        return None, []
    return kind, tensors


SCALARS = (Tensor, SoftBool, SoftInteger, bool, int, float)
SEQUENCES = (list, tuple, SoftArray)
KINDS: dict[type, type] = {
    bool: SoftBool,
    SoftBool: SoftBool,
    int: SoftInteger,
    SoftInteger: SoftInteger,
    float: Tensor,
    Tensor: Tensor,
}


def _weighted_sum(w: Tensor, values: Tensor, finite: bool) -> Tensor:
    return (w * values).sum(0) if finite else weighted_sum(w, values, 0)


def _mixture_of(weights: Sequence[Tensor], values: Sequence[Any], finite: bool) -> Any:
    first = values[0]
    undefined = [v for v in values if isinstance(v, Undefined)]
    if undefined:
        return undefined[0]
    if any(isinstance(v, SEQUENCES) for v in values):
        for v in values[1:]:
            check_same_length(first, v)
        if all(isinstance(v, SoftArray) and v.is_whole() for v in values):
            tensors = torch.stack([v.tensor() for v in values])
            w = torch.stack(tuple(weights))
            w = w.reshape(w.shape + (1,) * (tensors.dim() - w.dim()))
            return SoftArray(_weighted_sum(w, tensors, finite), all(v.integer for v in values))
        items = mixture(weights, list(zip(*values, strict=True)), finite=finite)
        if all(isinstance(v, SoftArray) for v in values):
            return SoftArray(None, all(v.integer for v in values), items)
        return tuple(items) if isinstance(first, tuple) else items
    if any(isinstance(v, SoftIndex) for v in values):
        declared = next(v for v in values if isinstance(v, SoftIndex))
        parts = [part for v in values if (part := index_weights(v, declared)) is not None]
        if len(parts) == len(values):
            shares = torch.stack([w.unsqueeze(-1) * part for w, part in zip(weights, parts, strict=True)])
            return SoftIndex(shares.sum(0), declared.start)
        return _mixture_of(weights, [expected(v) for v in values], finite)
    if not any(is_soft(v) for v in values) and all(type(v) is type(first) and v == first for v in values):
        return first
    kind = common_kind(*values)
    tensors = torch.stack(torch.broadcast_tensors(*(as_tensor(v, weights[0]) for v in values)))
    w = torch.stack(tuple(weights))
    mixed = _weighted_sum(w.reshape(w.shape + (1,) * (tensors.dim() - w.dim())), tensors, finite)
    return mixed if kind is Tensor else kind(mixed)


def common_kind(*values: Any) -> type:
    """SoftBool, SoftInteger or Tensor: what a mixture of scalar values is. RelaxError for values that do not mix."""
    kinds = {KINDS.get(type(v)) or _kind(v) for v in values}
    if len(kinds) == 1:
        return kinds.pop()
    return SoftInteger if kinds == {SoftBool, SoftInteger} else Tensor


def _kind(value: Any) -> type:
    """As KINDS has it, of a subclass of one of those."""
    if isinstance(value, bool | SoftBool):
        return SoftBool
    if isinstance(value, int | SoftInteger):
        return SoftInteger
    if isinstance(value, float | Tensor):
        return Tensor
    raise RelaxError(
        f"a soft branch or loop leaves a {type(value).__name__} ({value!r}) in one case and something else in another: "
        "only numbers, arrays and sequences of equal length can be mixed"
    )


def as_tensor(value: Any, like: Tensor) -> Tensor:
    """A scalar value as a tensor of the type and shape of `like`."""
    tensor = plain(value)
    if isinstance(tensor, Tensor):
        return tensor if tensor.dim() else tensor.expand(like.shape)
    return torch.full_like(like, float(tensor), requires_grad=False)


def index_weights(value: Any, declared: SoftIndex) -> Tensor | None:
    """The weights over a declared range, or None for a value that is not an index of it."""
    if isinstance(value, SoftIndex):
        same = value.start == declared.start and value.size == declared.size
        return value.weights if same else None
    return declared.one_hot(value) if isinstance(value, int) and not isinstance(value, bool) else None


def expected(value: Any) -> Any:
    return value.expectation() if isinstance(value, SoftIndex) else value


def check_same_length(a: Any, b: Any) -> None:
    """Raises RelaxError unless both are sequences of one length."""
    if not (hasattr(a, "__len__") and hasattr(b, "__len__")) or len(a) != len(b):
        lengths = [f"length {len(v)}" if hasattr(v, "__len__") else repr(v) for v in (a, b)]
        raise RelaxError(f"a soft branch or loop changes a shape: {lengths[0]} in one case, {lengths[1]} in another")


def select(mask: Tensor, yes: Any, no: Any) -> Any:
    """`yes` for the samples of a mask (B,), `no` for the others; exact, for values and gradients."""
    if yes is no or isinstance(yes, Undefined) or isinstance(no, Undefined):
        return no
    if isinstance(no, SEQUENCES):
        check_same_length(yes, no)
        picked = [select(mask, a, b) for a, b in zip(yes, no, strict=True)]
        if isinstance(no, SoftArray):
            return SoftArray(None, no.integer, picked)
        return tuple(picked) if isinstance(no, tuple) else picked
    if isinstance(no, SoftIndex) and isinstance(yes, SoftIndex) and yes.size == no.size and yes.start == no.start:
        return SoftIndex(torch.where(mask.unsqueeze(-1), yes.weights, no.weights), no.start)
    if not is_soft(yes) and not is_soft(no):
        return no  # static: the same for all samples
    yes, no = expected(yes), expected(no)
    kind = common_kind(yes, no)
    like = next(t for t in (plain(no), plain(yes)) if isinstance(t, Tensor))
    a, b = as_tensor(yes, like), as_tensor(no, like)
    chosen = torch.where(per_sample(mask, like), a, b)
    return chosen if kind is Tensor else kind(chosen)


def detach(value: Any) -> Any:
    """A value without its gradient."""
    if isinstance(value, SoftArray):
        return wrap(value.tensor().detach(), value.integer)
    if isinstance(value, list | tuple):
        return type(value)(detach(v) for v in value)
    if isinstance(value, SoftIndex):
        return SoftIndex(value.weights.detach(), value.start)
    if isinstance(value, SoftBool | SoftInteger):
        return type(value)(plain(value).detach())
    return value.detach() if isinstance(value, Tensor) else value
