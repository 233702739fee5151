"""The 0/1 knapsack problem by dynamic programming over capacities."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from renderer.relax.comparisons import EXTREMA, Extremum, check_beta
from renderer.relax.comparisons import max as relaxed_max
from renderer.relax.parameters import Scalar

BLOCKED = 1e30


def knapsack(
    values: Float[Tensor, "batch items"],
    *,
    weights: Sequence[int],
    capacity: int,
    beta: Scalar,
    kind: Extremum = "logsumexp",
) -> Float[Tensor, "batch"]:
    """Relaxed greatest total value of items whose weights are at most `capacity` together.

    With "logsumexp" the free energy of all subsets that fit; its gradient in the values is the probability that an
    item is packed. Raises ValueError for weights that are not integers ≥ 0, one an item, or a negative capacity.
    """
    check_beta(beta)
    if kind not in EXTREMA:
        raise ValueError(f"kind: expected one of {', '.join(EXTREMA)}, got {kind!r}")
    if values.dim() != 2 or not values.is_floating_point():
        raise ValueError(
            f"values: expected real numbers of shape (B, items), got {values.dtype} of {tuple(values.shape)}"
        )
    if len(weights) != values.shape[1] or any(isinstance(w, bool) or not isinstance(w, int) or w < 0 for w in weights):
        raise ValueError(f"weights: expected {values.shape[1]} integers >= 0, got {list(weights)}")
    if capacity < 0:
        raise ValueError(f"capacity: expected at least 0, got {capacity}")
    best = values.new_zeros(values.shape[0], capacity + 1)
    for w, value in zip(weights, values.unbind(1), strict=True):
        if w > capacity:
            continue
        packed = best[:, : capacity + 1 - w] + value[:, None]
        with_item = torch.nn.functional.pad(packed, (w, 0), value=-BLOCKED)
        best = relaxed_max(torch.stack([best, with_item]), 0, beta=beta, kind=kind)
    return best[:, -1]
