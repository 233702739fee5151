"""The k largest values."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from renderer.relax import Distribution
from renderer.sort.networks import SELECTION_NETWORKS
from renderer.sort.rows import rows_of
from renderer.sort.softmax_sort import SoftmaxSort
from renderer.sort.sorter import sorter


class TopK(NamedTuple):
    """The k largest values, the largest first, and which inputs they come from."""

    values: Tensor
    """x's shape with k along `dim`."""
    attribution: Tensor
    """(*batch, n, k): the share of input i in the j-th largest value; columns sum to 1."""


def soft_topk(
    x: Float[Tensor, "*shape"],
    k: int,
    *,
    network: str | SoftmaxSort = "splitter_selection",
    distribution: str | Distribution = "cauchy",
    beta: float | None = None,
    slope: float | None = None,
    dim: int = -1,
    straight_through: bool = False,
) -> TopK:
    """The k largest values of x along `dim`, the largest first as torch.topk has them, without the n × n matrix.

    network: "splitter_selection", which orders only the k largest, or one of `soft_sort`'s. The attribution is that of
    k unit columns which go back through the transposed network. Other arguments: see `soft_sort`.

    Raises ValueError or TypeError, naming the argument; k is 1 … n. Source: Petersen et al., arXiv 2206.07290.

    >>> soft_topk(torch.tensor([3.0, 1.0, 2.0]), 1, beta=100.0).values
    tensor([2.9937])
    """
    rows = rows_of(x, dim)
    n = rows.n
    if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= n:
        raise ValueError(f"k: expected 1 to {n}, the number of values along dim {dim}, got {k!r}")
    selects = isinstance(network, str) and network in SELECTION_NETWORKS
    how = sorter(n, network, distribution, beta, slope, straight_through, k=k if selects else None)
    values = how.values(rows.x)[:, n - k :].flip(1)
    places = torch.eye(n, dtype=rows.x.dtype, device=rows.x.device)[:, n - k :].flip(1)
    attribution = how.shared(rows.x, places.expand(rows.x.shape[0], n, k))
    return TopK(rows.restore(values), rows.restore_matrix(attribution))
