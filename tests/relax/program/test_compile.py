"""Relaxed programs under torch.compile: one graph, the same values and gradients."""

from __future__ import annotations

import pytest
import torch

from renderer.relax.program import relax


@relax(beta=4.0)
def branches(a, b):
    y = a * a
    if a > b and b < 0.5:
        y = y + b
    return max(y, b) if a < 0 else y


@relax(beta=3.0)
def ordered(v):
    for i in range(2):
        if v[i] > v[i + 1]:
            v[i], v[i + 1] = v[i + 1], v[i]
    return v


def compiled(program):
    torch._dynamo.reset()
    return torch.compile(lambda *args: program(*args), fullgraph=True, backend="aot_eager")


def gradients(program, *args: torch.Tensor) -> tuple[torch.Tensor, ...]:
    leaves = [a.clone().requires_grad_() for a in args]
    y = program(*leaves)
    return (y.detach(), *torch.autograd.grad((y * torch.arange(1, y.numel() + 1).view_as(y)).sum(), leaves))


@pytest.mark.parametrize(
    ("program", "args"),
    [
        (branches, (torch.tensor([0.3, -1.0, 0.6]).double(), torch.tensor([0.2, 0.7, -0.4]).double())),
        (ordered, (torch.tensor([[3.0, 1.0, 2.0], [0.5, 0.1, 0.4]]).double(),)),
    ],
)
def test_program_compiles_to_one_graph(program, args: tuple[torch.Tensor, ...]) -> None:
    for found, expected in zip(gradients(compiled(program), *args), gradients(program, *args), strict=True):
        torch.testing.assert_close(found, expected)
