"""Things that are sorted by their keys."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from renderer.relax import Distribution
from renderer.sort.rows import rows_of
from renderer.sort.softmax_sort import SoftmaxSort
from renderer.sort.sorter import sorter


def apply_permutation(
    x: Float[Tensor, "*shape"],
    payload: Float[Tensor, "*shape d"] | Float[Tensor, "*shape"],
    *,
    network: str | SoftmaxSort = "bitonic",
    distribution: str | Distribution = "cauchy",
    beta: float | None = None,
    slope: float | None = None,
    dim: int = -1,
    straight_through: bool = False,
) -> Tensor:
    """The payload in the ascending order of its keys x along `dim`: output j is Σᵢ P[i, j] payload[i], without P.

    payload: x's shape, or that and a last dimension d of features; x's type. `dim` is a dimension of x. Differentiable
    in both. Other arguments, errors and sources: see `soft_sort`.

    >>> apply_permutation(torch.tensor([3.0, 1.0, 2.0]), torch.tensor([30.0, 10.0, 20.0]), beta=100.0)
    tensor([10.0642, 20.0000, 29.9358])
    """
    rows = rows_of(x, dim)
    single = payload.shape == x.shape
    if not single and payload.shape[:-1] != x.shape:
        raise ValueError(f"payload: expected shape {tuple(x.shape)} or {(*x.shape, 'd')}, got {tuple(payload.shape)}")
    if payload.dtype != x.dtype or payload.device != x.device:
        raise ValueError(f"payload: expected {x.dtype} on {x.device} as x, got {payload.dtype} on {payload.device}")
    features = payload.unsqueeze(-1) if single else payload
    moved = features.movedim(rows.dim - 1, -2)
    how = sorter(rows.n, network, distribution, beta, slope, straight_through)
    size = features.shape[-1]
    out = how.moved(rows.x, moved.reshape(rows.x.shape[0], rows.n, size).to(rows.x.dtype))
    out = out.reshape(*rows.batch, rows.n, size).movedim(-2, rows.dim - 1).to(x.dtype)
    return out.squeeze(-1) if single else out
