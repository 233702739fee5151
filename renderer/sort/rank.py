"""The place of each value in the sorted list."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from renderer.relax import Distribution
from renderer.sort.rows import rows_of
from renderer.sort.softmax_sort import SoftmaxSort
from renderer.sort.sorter import sorter


def soft_rank(
    x: Float[Tensor, "*shape"],
    *,
    network: str | SoftmaxSort = "bitonic",
    distribution: str | Distribution = "cauchy",
    beta: float | None = None,
    slope: float | None = None,
    dim: int = -1,
    straight_through: bool = False,
) -> Float[Tensor, "*shape"]:
    """The rank of each value along `dim`, from 1 for the smallest to n: Σⱼ j P[i, j], without P.

    The places 1 … n go back through the transposed network. Arguments, errors and sources: see `soft_sort`.

    >>> soft_rank(torch.tensor([3.0, 1.0, 2.0]), beta=100.0)
    tensor([2.9921, 1.0048, 2.0031])
    """
    rows = rows_of(x, dim)
    how = sorter(rows.n, network, distribution, beta, slope, straight_through)
    places = torch.arange(1, rows.n + 1, dtype=rows.x.dtype, device=rows.x.device)
    return rows.restore(how.shared(rows.x, places[:, None].expand(rows.x.shape[0], rows.n, 1))[..., 0])
