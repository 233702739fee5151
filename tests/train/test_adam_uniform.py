from __future__ import annotations

import pytest
import torch

from renderer.train import AdamUniform


def test_first_step_moves_the_largest_coordinate_by_the_step_size() -> None:
    x = torch.tensor([0.0, 0.0, 0.0], dtype=torch.float64, requires_grad=True)
    (x * torch.tensor([4.0, -2.0, 1.0])).sum().backward()
    AdamUniform([x], lr=0.1).step()
    assert torch.allclose(x, torch.tensor([-0.1, 0.05, -0.025], dtype=torch.float64))


def test_minimises_and_does_not_depend_on_the_axes() -> None:
    rotation = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64))[0]
    target = torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.float64)
    ends = []
    for turn in (torch.eye(3, dtype=torch.float64), rotation):
        x = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
        optimizer = AdamUniform([x], lr=0.05)
        for _ in range(400):
            optimizer.zero_grad()
            (x @ turn - target).square().sum().backward()
            optimizer.step()
        ends.append((x @ turn).detach())
    assert torch.allclose(ends[0], target, atol=1e-2)
    assert torch.allclose(ends[1], target, atol=1e-2)


def test_zero_gradient_moves_nothing() -> None:
    x = torch.ones(2, requires_grad=True)
    x.grad = torch.zeros(2)
    AdamUniform([x], lr=0.1).step()
    assert torch.equal(x, torch.ones(2))


def test_state_goes_on_to_the_same_bits() -> None:
    def run(steps: int, x: torch.Tensor, state: dict | None) -> tuple[torch.Tensor, dict]:
        x = x.clone().requires_grad_()
        optimizer = AdamUniform([x], lr=0.1)
        if state:
            optimizer.load_state_dict(state)
        for _ in range(steps):
            optimizer.zero_grad()
            (x - torch.tensor([1.0, 5.0])).pow(4).sum().backward()
            optimizer.step()
        return x.detach(), optimizer.state_dict()

    whole, _ = run(10, torch.zeros(2), None)
    half, state = run(5, torch.zeros(2), None)
    rest, _ = run(5, half, state)
    assert torch.equal(whole, rest)


def test_errors() -> None:
    x = torch.zeros(1, requires_grad=True)
    with pytest.raises(ValueError, match="lr: expected a positive"):
        AdamUniform([x], lr=0.0)
    with pytest.raises(ValueError, match="betas: expected"):
        AdamUniform([x], lr=0.1, betas=(1.0, 0.9))
