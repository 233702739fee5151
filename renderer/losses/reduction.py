"""How one number per item of the batch becomes the loss."""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float
from torch import Tensor

Reduction = Literal["mean", "sum", "none"]


def reduce_batch(values: Float[Tensor, "*batch"], reduction: Reduction) -> Tensor:
    """Mean or sum over all batch dimensions, or the values as they are.

    Raises: ValueError for an unknown reduction.
    """
    if reduction == "mean":
        return values.mean()
    if reduction == "sum":
        return values.sum()
    if reduction == "none":
        return values
    raise ValueError(f"reduction: expected 'mean', 'sum' or 'none', got {reduction!r}")
