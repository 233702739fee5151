"""Classification where the true class need only be among the k best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from renderer.losses.reduction import Reduction, reduce_batch
from renderer.relax import Distribution
from renderer.sort.networks import SELECTION_NETWORKS
from renderer.sort.rows import rows_of
from renderer.sort.softmax_sort import SoftmaxSort
from renderer.sort.sorter import sorter

# How many scores are sorted: the papers' choice for 1,000 classes; for 21,000 they take 50.
DEFAULT_BEST = 16


def top_k_cross_entropy(
    scores: Float[Tensor, "*batch C"],
    target: Int[Tensor, "*batch"],
    *,
    p_k: Sequence[float] = (0.2, 0.2, 0.2, 0.2, 0.2),
    best: int | None = None,
    network: str | SoftmaxSort = "splitter_selection",
    distribution: str | Distribution = "cauchy",
    beta: float | None = None,
    slope: float | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """−ln of the probability that the true class is among the k best, k drawn from p_k, per item, then reduced.

    −ln Σₖ p_k Cₖ, with Cₖ the share of the true class in the k largest outputs of a relaxed sort. p_k[i] is the
    probability of k = i + 1. Only the `best` largest scores are sorted, the true class always among them (None: 16, or
    all classes if they are fewer); on the others the loss does not depend. Differentiable in the scores. The logarithm
    is of no less than the smallest normal number. Other arguments: see `renderer.sort.soft_topk`.

    Raises ValueError or TypeError, naming the argument, for a p_k that is no distribution or longer than `best`, and a
    target outside 0 … C − 1. Source: Petersen et al., "Differentiable Top-k Classification Learning", arXiv 2206.07290,
    where p_k = [.25, 0, 0, 0, .75] and [.2] * 5 do best.

    >>> top_k_cross_entropy(torch.randn(8, 10), torch.arange(8), p_k=[0.5, 0, 0, 0, 0.5]).shape
    torch.Size([])
    """
    if not scores.is_floating_point() or scores.ndim == 0:
        raise TypeError(f"scores: expected floating-point (..., C), got {scores.dtype} {tuple(scores.shape)}")
    classes = scores.shape[-1]
    if target.shape != scores.shape[:-1] or target.dtype != torch.int64:
        expected = tuple(scores.shape[:-1])
        raise ValueError(f"target: expected int64 of shape {expected}, got {target.dtype} {tuple(target.shape)}")
    sorted_ = min(DEFAULT_BEST, classes) if best is None else best
    if not 1 <= sorted_ <= classes:
        raise ValueError(f"best: expected 1 to {classes}, the number of classes, got {best}")
    probabilities = _check_distribution(p_k, sorted_)
    rows = rows_of(scores, -1)
    k = len(probabilities)
    selects = isinstance(network, str) and network in SELECTION_NETWORKS
    how = sorter(sorted_, network, distribution, beta, slope, False, k=k if selects else None)
    # The true class comes first, then the best of the others.
    true = target.reshape(-1, 1)
    others = _without(rows.x.detach(), true).topk(sorted_ - 1, 1).indices
    shares = how.matrix_rows(rows.x.gather(1, torch.cat([true, others], 1)), 0, 1)[:, 0]
    # sum_k p_k C_k, C_k being the first k places together: each place counts for all k from its own on.
    weights = shares.new_tensor(list(accumulate(reversed(probabilities)))[::-1])
    probability = shares.flip(1)[:, :k] @ weights
    each = -torch.log(probability.clamp(min=torch.finfo(probability.dtype).tiny))
    return reduce_batch(rows.restore_matrix(each[:, None])[..., 0], reduction)


def _without(scores: Tensor, true: Tensor) -> Tensor:
    """The scores with −inf for the true class."""
    try:
        return scores.scatter(1, true, -math.inf)
    except RuntimeError:
        classes = scores.shape[1]
        wrong = true[(true < 0) | (true >= classes)]
        if len(wrong) == 0:
            raise
        raise ValueError(f"target: expected classes from 0 to {classes - 1}, got {int(wrong[0])}") from None


def _check_distribution(p_k: Sequence[float], most: int) -> list[float]:
    """p_k without the zeros at its end."""
    values = [float(p) for p in p_k]
    if not values or min(values) < 0 or not math.isclose(sum(values), 1, abs_tol=1e-6):
        raise ValueError(f"p_k: expected probabilities of k = 1, 2, ... that sum to 1, got {values}")
    while values[-1] == 0:
        values.pop()
    if len(values) > most:
        raise ValueError(f"p_k: expected at most {most} entries, the number of scores sorted, got {len(values)}")
    return values


class TopKCrossEntropy(nn.Module):
    """`top_k_cross_entropy` with its arguments kept.

    >>> TopKCrossEntropy(p_k=[0.25, 0, 0, 0, 0.75])(scores, labels).backward()
    """

    def __init__(
        self,
        *,
        p_k: Sequence[float] = (0.2, 0.2, 0.2, 0.2, 0.2),
        best: int | None = None,
        network: str | SoftmaxSort = "splitter_selection",
        distribution: str | Distribution = "cauchy",
        beta: float | None = None,
        slope: float | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__()
        self.p_k, self.best, self.network, self.distribution = tuple(p_k), best, network, distribution
        self.beta, self.slope, self.reduction = beta, slope, reduction

    def forward(self, scores: Float[Tensor, "*batch C"], target: Int[Tensor, "*batch"]) -> Tensor:
        """The loss of scores against true classes."""
        return top_k_cross_entropy(
            scores,
            target,
            p_k=self.p_k,
            best=self.best,
            network=self.network,
            distribution=self.distribution,
            beta=self.beta,
            slope=self.slope,
            reduction=self.reduction,
        )
