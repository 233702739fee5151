"""Reading four-digit numbers from their order, through bubble sort as it is written in a textbook."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from renderer.algorithms.sorting import bubble_sort_rows
from renderer.experiments.ranking import NumberSets, matches


@dataclass(frozen=True)
class BubbleSort(NumberSets):
    """Learn to read numbers made of MNIST digits, from the order of n of them at a time, through relaxed bubble sort.

    The identity is sorted along with the scores, which makes the relaxed permutation; the loss is its cross-entropy
    with the true one. Data, network and scores are those of `ranking`.
    """

    steps: int = 8_000
    """Number of updates."""
    distribution: str = "optimal"
    """Perturbation of the comparisons: a name of renderer.relax.DISTRIBUTIONS."""
    beta: float = 2.0
    """Sharpness of the comparisons."""

    def loss(self, model: nn.Module, batch: Any) -> tuple[Tensor, dict[str, Any]]:
        images, numbers = batch
        scores = model(images).reshape(numbers.shape)
        return permutation_loss(self.permutation(scores), numbers), matches(scores, numbers)

    def permutation(self, scores: Tensor) -> Tensor:
        """(S, n) -> (S, n, n): the probability that the number at place i, in ascending order, is number j."""
        count, n = scores.shape
        identity = torch.eye(n, dtype=scores.dtype, device=scores.device).expand(count, n, n)
        return bubble_sort_rows(scores, identity, beta=self.beta, distribution=self.distribution)[1]


def permutation_loss(permutation: Tensor, numbers: Tensor) -> Tensor:
    """Mean of −ln P[place of j, j]; equal numbers stand as they came."""
    places = numbers.argsort(stable=True, dim=1).argsort(1)
    share = permutation.gather(1, places[:, None, :])[:, 0]
    return -torch.log(share.clamp(min=torch.finfo(share.dtype).tiny)).mean()
