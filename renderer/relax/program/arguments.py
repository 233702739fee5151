"""From tensors with a leading batch to the values of a program, and back."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from renderer.relax.program.array import SoftArray, stack, wrap
from renderer.relax.program.errors import RelaxError, Undefined
from renderer.relax.program.values import SoftBool, is_soft, plain


class Batch(NamedTuple):
    """What the tensor arguments of a call have in common."""

    size: int
    dtype: torch.dtype
    device: torch.device


def tensors(values: Any) -> Iterator[Tensor]:
    """All tensors among nested arguments."""
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, list | tuple):
        for v in values:
            yield from tensors(v)
    elif isinstance(values, dict):
        yield from tensors(list(values.values()))


def batch_of(named: dict[str, Any]) -> Batch:
    """The batch that all tensor arguments share.

    Raises ValueError for tensors that disagree in their first dimension or device, and for types that mix.
    """
    size: int | None = None
    dtype: torch.dtype | None = None
    device: torch.device | None = None
    for name, value in named.items():
        for t in tensors(value):
            if device is not None and t.device != device:
                raise ValueError(f"{name}: expected a tensor on {device} as before it, got one on {t.device}")
            device = t.device
            if t.is_floating_point():
                if dtype is not None and t.dtype != dtype:
                    raise ValueError(f"{name}: expected {dtype} as before it, got {t.dtype}")
                dtype = t.dtype
            elif t.is_complex():
                raise ValueError(f"{name}: expected real numbers, got {t.dtype}")
            if t.dim() == 0:
                continue
            if size is not None and t.shape[0] != size:
                raise ValueError(f"{name}: expected a first dimension of {size} samples, got shape {tuple(t.shape)}")
            size = t.shape[0]
    assert device is not None
    return Batch(1 if size is None else size, dtype or torch.get_default_dtype(), device)


def to_value(value: Any, batch: Batch) -> Any:
    """A tensor (B,) as a soft scalar, (B, n, ...) as an array, in copies that a program may write to."""
    if isinstance(value, Tensor):
        tensor = value if value.dim() else value.expand(batch.size)
        if tensor.dtype == torch.bool and tensor.dim() == 1:
            return SoftBool(tensor.to(batch.dtype))
        integer = not tensor.is_floating_point()
        return wrap(tensor.to(batch.dtype) if integer else tensor, integer)
    if isinstance(value, list | tuple):
        return type(value)(to_value(v, batch) for v in value)
    return value


def to_result(value: Any, batch: Batch) -> Any:
    """A program's value as tensors: (B,) of a scalar, (B, n, ...) of an array or list; tuples stay tuples."""
    if isinstance(value, Undefined):
        value._refuse()
    if isinstance(value, tuple):
        return tuple(to_result(v, batch) for v in value)
    if isinstance(value, list):
        value = _whole(value, batch)
        return value
    if isinstance(value, bool | int | float):
        return torch.full((batch.size,), float(value), dtype=batch.dtype, device=batch.device)
    if is_soft(value):
        tensor = plain(value)
        return tensor if tensor.dim() else tensor.expand(batch.size)
    return value


def _whole(values: list, batch: Batch) -> Any:
    parts = [to_result(v, batch) for v in values]
    if all(isinstance(p, Tensor) for p in parts) and len({p.shape for p in parts}) == 1:
        return stack(parts)
    return parts


def finite(values: Any) -> bool:
    """Whether all numbers among nested arguments are finite."""
    if isinstance(values, Tensor):
        return not values.is_floating_point() or bool(values.isfinite().all())
    if isinstance(values, list | tuple):
        return all(finite(v) for v in values)
    return not isinstance(values, float) or math.isfinite(values)


def sample(value: Any, b: int) -> Any:
    """One sample of nested arguments, as Python numbers and lists."""
    if isinstance(value, Tensor):
        return (value[b] if value.dim() else value).tolist()
    if isinstance(value, list | tuple):
        return type(value)(sample(v, b) for v in value)
    return value


def gather(results: list[Any], batch: Batch) -> Any:
    """The results of single samples as tensors with a leading batch.

    Raises RelaxError where samples return lists of different lengths.
    """
    first = results[0]
    if isinstance(first, tuple):
        return tuple(gather([r[i] for r in results], batch) for i in range(len(first)))
    if isinstance(first, Tensor):
        return torch.stack(results)
    if first is None:
        return None
    try:
        array = torch.tensor(results, dtype=torch.float64, device=batch.device)
    except (ValueError, TypeError) as error:
        raise RelaxError(f"the samples return values that do not stack: {error}") from None
    return array.to(batch.dtype)


__all__ = ["Batch", "SoftArray", "batch_of", "finite", "gather", "sample", "tensors", "to_result", "to_value"]
