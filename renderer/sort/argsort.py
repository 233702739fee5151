"""Which input each output comes from."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from renderer.relax import Distribution
from renderer.sort.permutation import soft_permutation
from renderer.sort.softmax_sort import SoftmaxSort


def soft_argsort(
    x: Float[Tensor, "*shape"],
    *,
    network: str | SoftmaxSort = "bitonic",
    distribution: str | Distribution = "cauchy",
    beta: float | None = None,
    slope: float | None = None,
    dim: int = -1,
    straight_through: bool = False,
) -> Float[Tensor, "*batch n n"]:
    """For each output, in ascending order, how much of it comes from each input: Pᵀ of `soft_permutation`.

    Row j relaxes the one-hot vector of torch.argsort(x)[j]; this is the matrix that the papers print. Arguments, errors
    and sources: see `soft_sort`.

    >>> soft_argsort(torch.tensor([3.0, 1.0, 2.0]), beta=100.0).argmax(-1)
    tensor([1, 2, 0])
    """
    return soft_permutation(
        x,
        network=network,
        distribution=distribution,
        beta=beta,
        slope=slope,
        dim=dim,
        straight_through=straight_through,
    ).mT
