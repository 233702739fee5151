"""The relaxed permutation as a matrix."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from renderer.relax import Distribution
from renderer.sort.rows import rows_of
from renderer.sort.softmax_sort import SoftmaxSort
from renderer.sort.sorter import sorter


def soft_permutation(
    x: Float[Tensor, "*shape"],
    *,
    network: str | SoftmaxSort = "bitonic",
    distribution: str | Distribution = "cauchy",
    beta: float | None = None,
    slope: float | None = None,
    dim: int = -1,
    straight_through: bool = False,
) -> Float[Tensor, "*batch n n"]:
    """The matrix P of `soft_sort`: P[i, j] is the share of input i in output j, outputs ascending.

    The sorted values are x · P; the papers print Pᵀ. Rows and columns sum to 1, of "softsort" and "neuralsort" only the
    columns. The batch is what x has besides `dim`. Differentiable in x; only x is saved for the backward pass.
    Arguments, errors and sources: see `soft_sort`.

    >>> soft_permutation(torch.tensor([2.0, 1.0]), beta=100.0)
    tensor([[0.0032, 0.9968],
            [0.9968, 0.0032]])
    """
    rows = rows_of(x, dim)
    how = sorter(rows.n, network, distribution, beta, slope, straight_through)
    return rows.restore_matrix(how.matrix_rows(rows.x, 0, rows.n))
