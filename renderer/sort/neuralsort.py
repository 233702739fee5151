"""NeuralSort: the j-th value of a sorted list as a maximum over all values, which a softmax relaxes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from renderer.sort.softmax_sort import SoftmaxSort


@dataclass(frozen=True)
class NeuralSort(SoftmaxSort):
    """P[i, j] = softmax over i of β ((2j + 1 − n) xᵢ − Σₗ |xᵢ − xₗ|), j from 0, ascending.

    Source: Grover et al., "Stochastic Optimization of Sorting Networks via Continuous Relaxations", 2019.

    >>> soft_permutation(x, network=NeuralSort(), beta=10.0)
    """

    def logits(self, x: Tensor) -> Tensor:
        """See `SoftmaxSort`."""
        n = x.shape[1]
        factors = 2 * torch.arange(n, dtype=x.dtype, device=x.device) + 1 - n
        spread = (x[:, :, None] - x[:, None, :]).abs().sum(2)
        return factors * x[:, :, None] - spread[:, :, None]
