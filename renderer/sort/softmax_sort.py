"""What sorting by a softmax over all values has in common; `softsort` and `neuralsort` are the two ways."""

from __future__ import annotations

import abc

import torch
from torch import Tensor


class SoftmaxSort(abc.ABC):
    """The matrix in one step, by a softmax for each output: only its columns sum to 1, and it takes O(n²) memory."""

    @abc.abstractmethod
    def logits(self, x: Tensor) -> Tensor:
        """x (B, n) -> (B, n, n): how well input i suits output j, outputs ascending; scaled by β = 1/τ later."""

    def matrix(self, x: Tensor, beta: float, straight_through: bool) -> Tensor:
        """P (B, n, n): P[i, j] is the share of input i in output j."""
        soft = torch.softmax(beta * self.logits(x), dim=1)
        if not straight_through:
            return soft
        hard = torch.zeros_like(soft).scatter(1, x.detach().argsort(dim=1, stable=True).unsqueeze(1), 1.0)
        return soft + (hard - soft).detach()
