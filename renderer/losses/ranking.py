"""Losses that compare the order of scores with the order of what they should predict."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from renderer.losses.reduction import Reduction, reduce_batch
from renderer.relax import Distribution
from renderer.sort.relaxations import relaxation
from renderer.sort.rows import rows_of
from renderer.sort.softmax_sort import SoftmaxSort
from renderer.sort.sorter import Sorter, sorter

Entropy = Literal["categorical", "binary"]

# Rows of P that are held at a time.
BLOCK = 128


def ranking_cross_entropy(
    scores: Float[Tensor, "*batch n"],
    target: Shaped[Tensor, "*batch n"],
    *,
    entropy: Entropy = "categorical",
    network: str | SoftmaxSort = "bitonic",
    distribution: str | Distribution = "cauchy",
    beta: float | None = None,
    slope: float | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """Cross-entropy of the relaxed permutation P of the scores against the true permutation, per list, then reduced.

    target: true values, of which only the order counts; equal ones rank as they stand. With rᵢ the true place of i,
    "categorical" is −(1/n) Σᵢ ln P[i, rᵢ], "binary" the mean over all entries of P of the binary cross-entropy with the
    true permutation. Differentiable in the scores. `BLOCK` rows of P exist at a time, of the backward pass, too.
    Logarithms are taken of no less than the smallest normal number ("binary": limited to −100, as torch does).
    Other arguments: see `renderer.sort.soft_sort`. Raises ValueError or TypeError, naming the argument.
    Sources: Grover et al. 2019 (categorical); Petersen et al., arXiv 2105.04019 (binary).

    >>> float(ranking_cross_entropy(torch.tensor([0.0, 1.0]), torch.tensor([3, 7]), beta=1e6)) < 1e-5
    True
    """
    if entropy not in ("categorical", "binary"):
        raise ValueError(f"entropy: expected 'categorical' or 'binary', got {entropy!r}")
    _check_target(scores, target)
    rows = rows_of(scores, -1)
    how = sorter(rows.n, network, distribution, beta, slope, False)
    places = _places(target).reshape(rows.x.shape)
    total = rows.x.new_zeros(rows.x.shape[0])
    part = _categorical if entropy == "categorical" else _binary
    for first in range(0, rows.n, BLOCK):
        mine = places[:, first : first + BLOCK]
        if rows.n <= BLOCK:
            total = part(how, rows.x, mine, first)
        else:  # what autograd would save of a block, its rows, is computed again
            total = total + checkpoint(part, how, rows.x, mine, first, use_reentrant=False)
    each = total / (rows.n if entropy == "categorical" else rows.n**2)
    return reduce_batch(rows.restore_matrix(each[:, None])[..., 0], reduction)


def _categorical(how: Sorter, x: Tensor, places: Tensor, first: int) -> Tensor:
    share = how.matrix_rows(x, first, places.shape[1]).gather(2, places[..., None])[..., 0]
    return -torch.log(share.clamp(min=torch.finfo(x.dtype).tiny)).sum(1)


def _binary(how: Sorter, x: Tensor, places: Tensor, first: int) -> Tensor:
    # Rounding may leave [0, 1] by the last digit, which torch refuses.
    share = how.matrix_rows(x, first, places.shape[1]).clamp(0, 1)
    true = torch.zeros_like(share).scatter(2, places[..., None], 1.0)
    return nn.functional.binary_cross_entropy(share, true, reduction="none").sum((1, 2))


def spearman(
    scores: Float[Tensor, "*batch n"],
    target: Shaped[Tensor, "*batch n"],
    *,
    network: str | SoftmaxSort = "bitonic",
    distribution: str | Distribution = "cauchy",
    beta: float | None = None,
    slope: float | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """One minus Spearman's rank correlation, with soft ranks of the scores, per list, then reduced.

    6 Σ (rank − true rank)² / (n (n² − 1)), between 0 and 2 for hard ranks; equal true values share the mean of their
    ranks. Differentiable in the scores; memory O(n). Other arguments: see `renderer.sort.soft_sort`.
    Raises ValueError or TypeError, naming the argument; a list needs two values.

    >>> round(float(spearman(torch.tensor([0.0, 1.0, 2.0]), torch.tensor([3, 7, 9]), beta=1e6)), 4)
    0.0
    """
    _check_target(scores, target)
    n = scores.shape[-1]
    if n < 2:
        raise ValueError(f"scores: expected at least two values in a list, got shape {tuple(scores.shape)}")
    rows = rows_of(scores, -1)
    how = sorter(n, network, distribution, beta, slope, False)
    places = torch.arange(1, n + 1, dtype=rows.x.dtype, device=rows.x.device)
    ranks = how.shared(rows.x, places[:, None].expand(*rows.x.shape, 1))[..., 0]
    true = _mean_ranks(target).reshape(rows.x.shape).to(rows.x.dtype)
    each = 6 * (ranks - true).square().sum(1) / (n * (n**2 - 1))
    return reduce_batch(rows.restore_matrix(each[:, None])[..., 0], reduction)


def pairwise_ranking(
    scores: Float[Tensor, "*batch n"],
    target: Shaped[Tensor, "*batch n"],
    *,
    distribution: str | Distribution = "logistic",
    beta: float | None = 1.0,
    slope: float | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """Mean of −ln F(β(xⱼ − xᵢ)) over the pairs whose true values ascend, tᵢ < tⱼ, per list, then reduced.

    Every pair is a comparator of its own; with the logistic distribution this is RankNet (Burges et al. 2005). Lists
    of equal values cost 0. Differentiable in the scores; memory O(n²). F must be symmetric.
    Raises ValueError or TypeError, naming the argument.

    >>> round(float(pairwise_ranking(torch.tensor([0.0, 1.0]), torch.tensor([3, 7]))), 4)
    0.3133
    """
    _check_target(scores, target)
    rows = rows_of(scores, -1)
    how = relaxation(distribution, beta=beta, slope=slope)
    x, t = rows.x, target.reshape(rows.x.shape)
    ascending = t[:, :, None] < t[:, None, :]
    difference = x[:, None, :] - x[:, :, None]
    cost = -how.log_probability(torch.where(ascending, difference, 0.0))
    pairs = ascending.sum((1, 2))
    each = torch.where(ascending, cost, 0.0).sum((1, 2)) / pairs.clamp(min=1)
    return reduce_batch(rows.restore_matrix(each[:, None])[..., 0], reduction)


class RankingCrossEntropy(nn.Module):
    """`ranking_cross_entropy` with its arguments kept.

    >>> RankingCrossEntropy(beta=5.0)(scores, labels).backward()
    """

    def __init__(
        self,
        *,
        entropy: Entropy = "categorical",
        network: str | SoftmaxSort = "bitonic",
        distribution: str | Distribution = "cauchy",
        beta: float | None = None,
        slope: float | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__()
        self.entropy, self.network, self.distribution = entropy, network, distribution
        self.beta, self.slope, self.reduction = beta, slope, reduction

    def forward(self, scores: Float[Tensor, "*batch n"], target: Shaped[Tensor, "*batch n"]) -> Tensor:
        """The loss of scores against true values."""
        return ranking_cross_entropy(
            scores,
            target,
            entropy=self.entropy,
            network=self.network,
            distribution=self.distribution,
            beta=self.beta,
            slope=self.slope,
            reduction=self.reduction,
        )


class SpearmanLoss(nn.Module):
    """`spearman` with its arguments kept.

    >>> SpearmanLoss(slope=2.0)(scores, labels).backward()
    """

    def __init__(
        self,
        *,
        network: str | SoftmaxSort = "bitonic",
        distribution: str | Distribution = "cauchy",
        beta: float | None = None,
        slope: float | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__()
        self.network, self.distribution = network, distribution
        self.beta, self.slope, self.reduction = beta, slope, reduction

    def forward(self, scores: Float[Tensor, "*batch n"], target: Shaped[Tensor, "*batch n"]) -> Tensor:
        """The loss of scores against true values."""
        return spearman(
            scores,
            target,
            network=self.network,
            distribution=self.distribution,
            beta=self.beta,
            slope=self.slope,
            reduction=self.reduction,
        )


class PairwiseRankingLoss(nn.Module):
    """`pairwise_ranking` with its arguments kept.

    >>> PairwiseRankingLoss()(scores, labels).backward()
    """

    def __init__(
        self,
        *,
        distribution: str | Distribution = "logistic",
        beta: float | None = 1.0,
        slope: float | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__()
        self.distribution, self.beta, self.slope, self.reduction = distribution, beta, slope, reduction

    def forward(self, scores: Float[Tensor, "*batch n"], target: Shaped[Tensor, "*batch n"]) -> Tensor:
        """The loss of scores against true values."""
        return pairwise_ranking(
            scores, target, distribution=self.distribution, beta=self.beta, slope=self.slope, reduction=self.reduction
        )


def _check_target(scores: Tensor, target: Tensor) -> None:
    if not scores.is_floating_point() or scores.ndim == 0:
        raise TypeError(f"scores: expected floating-point lists (..., n), got {scores.dtype} {tuple(scores.shape)}")
    if target.shape != scores.shape:
        raise ValueError(f"target: expected the shape of scores {tuple(scores.shape)}, got {tuple(target.shape)}")


def _places(target: Tensor) -> Tensor:
    """The place of each value in ascending order, from 0; equal ones in their order."""
    order = target.argsort(dim=-1, stable=True)
    return torch.empty_like(order).scatter_(
        -1, order, torch.arange(order.shape[-1], device=order.device).expand_as(order)
    )


def _mean_ranks(target: Tensor) -> Tensor:
    """Ranks from 1; equal values share the mean of theirs."""
    ordered = target.sort(-1).values.contiguous()
    target = target.contiguous()
    below = torch.searchsorted(ordered, target)
    up_to = torch.searchsorted(ordered, target, right=True)
    return (below + up_to + 1) / 2
