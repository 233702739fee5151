"""Dense layers of relaxed logic gates, in plain PyTorch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from renderer.logic.gates import mix


def logic_layers(x: Tensor, coefficients: Tensor, indices: Tensor, widths: Sequence[int], groups: int) -> Tensor:
    """x (B, features, N) through layers of `widths` neurons; coefficients (neurons, 4), indices (2, neurons).

    groups > 0: the sums of that many equal parts of the last layer.
    """
    sizes = list(widths)
    for c, pair in zip(coefficients.split(sizes), indices.split(sizes, dim=1), strict=True):
        a, b = (x.index_select(1, i) for i in pair.unbind(0))
        x = mix(c.unsqueeze(-1).unbind(1), a, b)
    return x.unflatten(1, (groups, -1)).sum(2) if groups else x


def sixteen_gate_layer(x: Tensor, logits: Tensor, indices: Tensor, temperature: float = 1.0) -> Tensor:
    """One layer as the textbook has it: the sum over all 16 gates, each by its own formula; x (N, features).

    The oracle of the tests; 16 numbers a sample and neuron.
    """
    a, b = x[:, indices[0].long()], x[:, indices[1].long()]
    one, zero = torch.ones_like(a), torch.zeros_like(a)
    gates = [
        *(zero, a * b, a - a * b, a, b - a * b, b, a + b - 2 * a * b, a + b - a * b),
        *(one - (a + b - a * b), one - (a + b - 2 * a * b), one - b, one - b + a * b, one - a, one - a + a * b),
        *(one - a * b, one),
    ]
    return (torch.stack(gates, -1) * (logits / temperature).softmax(-1)).sum(-1)
