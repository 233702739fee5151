"""Parameters that may be numbers or tensors: their checks, and their conversion to the data they meet."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

Scalar: TypeAlias = float | Tensor


def check_number(name: str, value: Scalar, expected: str, accept: Callable[[float], bool]) -> None:
    """Raises ValueError unless `value` is a number, or a tensor of no dimension, that `accept` accepts."""
    if isinstance(value, Tensor):
        if value.dim() != 0 or not value.is_floating_point():
            raise ValueError(
                f"{name}: expected {expected}, as a float or a floating-point tensor of shape (), "
                f"got a tensor of shape {tuple(value.shape)} and type {value.dtype}"
            )
        if torch.compiler.is_compiling() or (value.is_cuda and torch.cuda.is_current_stream_capturing()):
            return  # its value is not known yet
        try:
            number = as_number(value)
        except RuntimeError:
            return  # under torch.func.vmap a tensor stands for many values, and none can be read
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name}: expected {expected}, as a float or a tensor of shape (), got {value!r}")
    else:
        number = value
    if math.isnan(number) or not accept(number):
        raise ValueError(f"{name}: expected {expected}, got {number}")


def check_eps(name: str, value: float) -> float:
    """`value` if it lies in (0, 1), else ValueError."""
    if not 0 < value < 1:
        raise ValueError(f"{name}: expected a coverage between 0 and 1, both excluded, got {value}")
    return value


def as_number(value: Scalar) -> float:
    """`value` as a number, without its gradient."""
    return value.detach().item() if isinstance(value, Tensor) else value


def as_parameter(value: Scalar, like: Tensor) -> Tensor:
    """`value` as a tensor of the type and device of `like`, differentiable if it is a tensor."""
    if isinstance(value, Tensor):
        return value.to(dtype=like.dtype, device=like.device)
    # Filled on the device: torch.tensor would copy from the host and wait for it, which no CUDA graph can capture.
    return torch.full((), value, dtype=like.dtype, device=like.device)
