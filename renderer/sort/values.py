"""Sorted values."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from renderer.relax import Distribution
from renderer.sort.rows import rows_of
from renderer.sort.softmax_sort import SoftmaxSort
from renderer.sort.sorter import sorter


def soft_sort(
    x: Float[Tensor, "*shape"],
    *,
    network: str | SoftmaxSort = "bitonic",
    distribution: str | Distribution = "cauchy",
    beta: float | None = None,
    slope: float | None = None,
    dim: int = -1,
    straight_through: bool = False,
) -> Float[Tensor, "*shape"]:
    """The values of x in ascending order along `dim`, by comparators that exchange a share of their two values.

    A comparator with d = hi − lo keeps the share F(βd): lo′ = lo + (1 − F)d, hi′ = hi − (1 − F)d. Differentiable in x,
    any number of times; memory O(n). Computed in float32 for half precision, else in the type of x.

    network: "bitonic", "odd_even_merge" or "odd_even"; "softsort", "neuralsort" or a `SoftSort(power=...)`, where β is
    1/temperature. distribution: F, one of `RELAXATIONS`, or a `Distribution` of the core with its own scale; cauchy,
    reciprocal and optimal never let an output fall when an input grows. beta: multiplies d, as in the papers; slope:
    βF′(0) instead, equal steepness for every F; neither: β = 10. To learn β, sort βx and divide. straight_through: the
    values are those of hard comparators, the gradients stay soft (Kim et al., arXiv 2310.07174).

    Raises ValueError or TypeError, naming the argument. Sources: Petersen et al., arXiv 2105.04019, 2203.09630.

    >>> soft_sort(torch.tensor([3.0, 1.0, 2.0]), beta=100.0)
    tensor([1.0064, 2.0000, 2.9936])
    """
    rows = rows_of(x, dim)
    how = sorter(rows.n, network, distribution, beta, slope, straight_through)
    return rows.restore(how.values(rows.x))
