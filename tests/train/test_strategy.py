from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from renderer.train import NewtonLoss, split_step
from renderer.train.strategy import Strategy

LABELS = torch.tensor([0, 2, 1])


def gradient(value: Tensor, y: Tensor) -> Tensor:
    return torch.autograd.grad(value, [y])[0]


@pytest.mark.parametrize("kind", ["plain", "split", "hessian", "batch_hessian", "fisher"])
def test_each_kind_is_what_its_name_says(kind: str) -> None:
    y = torch.randn(3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    strategy = Strategy(kind, damping=0.3, definite="clamp", split_steps=4, split_size=0.5)  # type: ignore[arg-type]
    ours = strategy(functional.cross_entropy, y, LABELS, reduction="mean")
    if kind == "plain":
        expected = functional.cross_entropy(y, LABELS)
    elif kind == "split":
        expected = split_step(
            functional.cross_entropy,
            y,
            LABELS,
            reduction="mean",
            optimiser=lambda z: torch.optim.SGD(z, lr=0.5),
            steps=4,
        )
    else:
        newton = NewtonLoss(
            functional.cross_entropy,
            reduction="mean",
            curvature=kind,  # type: ignore[arg-type]
            damping=0.3,
            definite="clamp",
        )
        expected = newton(y, LABELS)
    assert torch.equal(ours, expected)
    assert torch.equal(gradient(ours, y), gradient(expected, y))


def test_options_reach_the_loss() -> None:
    y = torch.zeros(3, 4, requires_grad=True)
    smooth = Strategy("fisher")(functional.cross_entropy, y, LABELS, reduction="mean", label_smoothing=0.5)
    assert not torch.equal(smooth, Strategy("fisher")(functional.cross_entropy, y, LABELS, reduction="mean"))
