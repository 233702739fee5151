"""The assignment step of k-means."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from renderer.relax.comparisons import argmin
from renderer.relax.parameters import Scalar


def kmeans_assign(
    points: Float[Tensor, "*batch n dims"], centres: Float[Tensor, "*batch k dims"], *, beta: Scalar
) -> Float[Tensor, "*batch n k"]:
    """Weights softmax(−β · squared distance) of the centres for every point; as β grows 1 for the nearest.

    Of centres at equal distance the first is the nearest if all coordinates are integers; else they share the weight.

    Raises ValueError for points and centres of different dimension.
    """
    if points.shape[-1] != centres.shape[-1]:
        raise ValueError(f"centres: expected {points.shape[-1]} coordinates as points have, got {centres.shape[-1]}")
    squared = ((points.unsqueeze(-2) - centres.unsqueeze(-3)) ** 2).sum(-1)
    return argmin(squared, -1, beta=beta)
