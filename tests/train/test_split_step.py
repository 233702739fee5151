from __future__ import annotations

import functools

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from renderer.train import split_step

LABELS = torch.tensor([0, 2, 1])


def scores() -> Tensor:
    return torch.randn(3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_one_step_of_gradient_descent_is_the_plain_gradient(reduction: str) -> None:
    y = scores()
    (plain,) = torch.autograd.grad(functional.cross_entropy(y, LABELS, reduction=reduction), [y])
    loss = functools.partial(functional.cross_entropy, reduction=reduction)
    value = split_step(loss, y, LABELS, reduction=reduction)  # type: ignore[arg-type]
    (ours,) = torch.autograd.grad(value, [y])
    assert torch.allclose(ours, plain, rtol=1e-12, atol=1e-14)


def test_several_steps_of_another_optimiser() -> None:
    y = scores()
    z = y.detach().clone().requires_grad_()
    adam = torch.optim.Adam([z], lr=0.1)
    for _ in range(5):
        adam.zero_grad()
        functional.cross_entropy(z, LABELS, reduction="sum").backward()
        adam.step()
    value = split_step(
        lambda t, labels: functional.cross_entropy(t, labels, reduction="none"),
        y,
        LABELS,
        reduction="none",
        optimiser=lambda p: torch.optim.Adam(p, lr=0.1),
        steps=5,
    )
    assert value.shape == (3,)
    (ours,) = torch.autograd.grad(value.sum(), [y])
    assert torch.allclose(ours, y - z, rtol=1e-12, atol=1e-14)


def test_the_loss_falls_at_the_target() -> None:
    y = scores()
    (gradient,) = torch.autograd.grad(split_step(functional.cross_entropy, y, LABELS, reduction="mean", steps=4), [y])
    moved = y - gradient * len(y)
    assert (functional.cross_entropy(moved, LABELS) < functional.cross_entropy(y, LABELS)).item()


def test_errors() -> None:
    with pytest.raises(ValueError, match="steps: expected at least 1, got 0"):
        split_step(functional.cross_entropy, scores(), LABELS, reduction="mean", steps=0)
    with pytest.raises(ValueError, match=r"loss: expected shape \(3,\) with reduction='none', got \(\)"):
        split_step(functional.cross_entropy, scores(), LABELS, reduction="none")
