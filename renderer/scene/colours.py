"""Colours, and numbers that may be learnt: what a user writes, as Tensors."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from renderer.scene.errors import DataError

Colour: TypeAlias = Any
"""Linear RGB as numbers or a Tensor, one number for a grey, or sRGB as the web writes it: "#ffcc00".

Fields of this type take any of these and hold a Tensor, which no type says."""

_HEXADECIMAL = re.compile(r"#[0-9a-fA-F]{6}")


def as_colour(value: Colour, *, name: str) -> Float[Tensor, "*batch 3"]:
    """Linear RGB; a Tensor (..., 3) is taken as it is, so that it can be learnt.

    Raises:
        DataError: something else, naming it; a negative or non-finite number.

    Example:
        >>> as_colour("#ffffff", name="background")              # tensor([1., 1., 1.])
    """
    if isinstance(value, Tensor):
        if not value.is_floating_point() or value.ndim == 0 or value.shape[-1] != 3:
            raise DataError(f"{name}: expected a float Tensor (..., 3), got {value.dtype} {tuple(value.shape)}")
        return value
    if isinstance(value, str):
        if not _HEXADECIMAL.fullmatch(value):
            raise DataError(f"{name}: expected a colour such as #ffcc00, got {value!r}")
        encoded = torch.tensor([int(value[i : i + 2], 16) for i in (1, 3, 5)], dtype=torch.float32) / 255
        return linear_from_srgb(encoded)
    numbers = as_numbers([value] * 3 if isinstance(value, int | float) else value, 3, name=name)
    if min(numbers) < 0:
        raise DataError(f"{name}: expected light, which is not negative, got {list(numbers)}")
    return torch.tensor(numbers, dtype=torch.float32)


def as_vector(value: Sequence[float] | Tensor, *, name: str) -> Float[Tensor, "*batch 3"]:
    """A point or direction; a Tensor (..., 3) is taken as it is, so that it can be learnt."""
    if isinstance(value, Tensor):
        return as_colour(value, name=name)
    return torch.tensor(as_numbers(value, 3, name=name), dtype=torch.float32)


def as_numbers(value: object, count: int, *, name: str) -> tuple[float, ...]:
    """So many finite numbers, from a list or tuple."""
    numbers = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else None
    if numbers is None or len(numbers) != count or not all(_is_number(n) for n in numbers):
        expected = "a finite number" if count == 1 else f"{count} finite numbers"
        raise DataError(f"{name}: expected {expected}, got {value!r}")
    return tuple(float(n) for n in numbers)


def linear_from_srgb(encoded: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The inverse of sRGB's transfer function on values in [0, 1] (IEC 61966-2-1)."""
    return torch.where(encoded <= 0.04045, encoded / 12.92, ((encoded.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4)


def srgb_from_linear(linear: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """sRGB's transfer function on values in [0, 1] (IEC 61966-2-1)."""
    return torch.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055)


def encoded_colours(linear: Float[Tensor, "*shape"], *, name: str) -> Float[Tensor, "*shape"]:
    """sRGB of linear light, for a file.

    Raises:
        ValueError: values outside [0, 1], which no file of this kind holds, or NaN.
    """
    if not bool(((linear >= 0) & (linear <= 1)).all()):
        raise ValueError(
            f"{name}: expected values in [0, 1], got {float(linear.min()):.4g} to {float(linear.max()):.4g}"
        )
    return srgb_from_linear(linear)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
