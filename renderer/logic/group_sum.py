"""From output bits to class scores."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


class GroupSum(nn.Module):
    """Scores of k classes: the outputs are cut into k groups, and score = Σ group / tau + beta.

    (…, features) to (…, k); differentiable. features must be a multiple of k. tau sets how sharp the softmax of the
    scores can be: with g outputs a class, scores differ by up to g / tau.

    >>> GroupSum(2, tau=2.0)(torch.tensor([1.0, 1.0, 0.0, 1.0]))
    tensor([1.0000, 0.5000])
    """

    def __init__(self, k: int, tau: float, beta: float = 0.0) -> None:
        super().__init__()
        if k < 1:
            raise ValueError(f"k: expected at least 1 class, got {k}")
        if not tau > 0:
            raise ValueError(f"tau: expected a number > 0, got {tau}")
        self.k, self.tau, self.beta = k, float(tau), float(beta)

    def check(self, features: int) -> None:
        """ValueError unless the outputs can be cut into k equal groups."""
        if features < self.k or features % self.k:
            raise ValueError(f"x: expected a multiple of k = {self.k} features, got {features}")

    def forward(self, x: Float[Tensor, "*batch features"]) -> Float[Tensor, "*batch k"]:
        """The scores."""
        self.check(x.shape[-1])
        return self.scores(x.unflatten(-1, (self.k, -1)).sum(-1))

    def discrete(self, x: Bool[Tensor, "*batch features"]) -> Float[Tensor, "*batch k"]:
        """The scores of bits, in float32."""
        self.check(x.shape[-1])
        return self.scores(x.unflatten(-1, (self.k, -1)).sum(-1).to(torch.float32))

    def scores(self, sums: Tensor) -> Tensor:
        """Sums of the groups to scores."""
        return sums / self.tau + self.beta

    def extra_repr(self) -> str:
        """Shown by print."""
        return f"{self.k}, tau={self.tau:g}, beta={self.beta:g}"
