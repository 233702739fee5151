"""SoftSort: every output takes the inputs by their distance to the value that belongs there."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from renderer.sort.softmax_sort import SoftmaxSort


@dataclass(frozen=True)
class SoftSort(SoftmaxSort):
    """P[i, j] = softmax over i of −β |x₍ⱼ₎ − xᵢ|^power; power 1 or 2 in the paper.

    Raises ValueError unless power is positive and finite. Source: Prillo and Eisenschlos, "SoftSort", 2020.

    >>> soft_permutation(x, network=SoftSort(power=2), beta=10.0)
    """

    power: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.power < math.inf:
            raise ValueError(f"power: expected a finite number > 0, got {self.power}")

    def logits(self, x: Tensor) -> Tensor:
        """See `SoftmaxSort`."""
        distance = (x.sort(1).values[:, None, :] - x[:, :, None]).abs()
        return -distance if self.power == 1 else -(distance**self.power)
