"""From tensors of any shape to rows (B, n) of a precision to compute in, and back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

HALVES = (torch.float16, torch.bfloat16)


@dataclass(frozen=True)
class Rows:
    """Values x along a dimension as rows (B, n): in float32 if x is of half precision."""

    x: Tensor
    batch: tuple[int, ...]  # the other dimensions, in their order
    dim: int  # from the end, negative
    dtype: torch.dtype

    @property
    def n(self) -> int:
        """How many values a row has."""
        return self.x.shape[1]

    def restore(self, rows: Tensor) -> Tensor:
        """(B, m) -> the shape and type of x, with m along the dimension."""
        shaped = rows if len(self.batch) == 1 else rows.reshape(*self.batch, rows.shape[1])
        return (shaped if self.dim == -1 else shaped.movedim(-1, self.dim)).to(self.dtype)

    def restore_matrix(self, matrices: Tensor) -> Tensor:
        """(B, n, m) -> (*batch, n, m) in the type of x."""
        shaped = matrices if len(self.batch) == 1 else matrices.reshape(*self.batch, *matrices.shape[1:])
        return shaped.to(self.dtype)


def rows_of(x: Tensor, dim: int) -> Rows:
    """Raises TypeError for values that are not floating-point, ValueError for a dimension that x lacks or is empty."""
    if not isinstance(x, Tensor) or not x.is_floating_point():
        raise TypeError(
            f"x: expected a floating-point tensor, got {x.dtype if isinstance(x, Tensor) else type(x).__name__}"
        )
    if x.ndim == 0 or not -x.ndim <= dim < x.ndim:
        raise ValueError(f"dim: expected one of the {x.ndim} dimensions of x, got {dim}")
    from_end = dim if dim < 0 else dim - x.ndim
    # What changes nothing is left out, as autograd would go through it again.
    moved = x if from_end == -1 else x.movedim(dim, -1)
    if moved.shape[-1] == 0:
        raise ValueError(f"x: expected at least one value along dim {dim}, got shape {tuple(x.shape)}")
    batch = tuple(moved.shape[:-1])
    flat = moved if moved.ndim == 2 else moved.reshape(math.prod(batch), moved.shape[-1])
    return Rows(flat.float() if x.dtype in HALVES else flat, batch, from_end, x.dtype)
