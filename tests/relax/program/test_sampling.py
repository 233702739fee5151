"""Sample semantics: the smoothed hard program against its closed form."""

from __future__ import annotations

import math

import pytest
import torch

from renderer.relax.program import RelaxError, relax

SAMPLES = 4000


@relax(beta=2.0, semantics="sample", samples=SAMPLES, distribution="gaussian")
def step(x):
    return 1.0 if x > 0 else 0.0


@relax(beta=2.0, semantics="sample", samples=SAMPLES, distribution="gaussian")
def total(a, weights: list, n):
    s = 0.0
    for i in range(len(weights)):
        s += a[i] * weights[i]
    return s + n


@relax(beta=2.0, semantics="sample", samples=4, distribution="gaussian")
def both(x):
    return x, x


@relax(beta=2.0, semantics="sample", samples=4, distribution="gaussian")
def count(n):
    while n < 5:
        n += 1
    return n


def test_step_becomes_the_cdf_and_its_gradient_the_density() -> None:
    x = torch.tensor([0.3, -0.6]).double().requires_grad_()
    y = step(x)
    p = torch.special.ndtr(2 * x.detach())
    assert ((y.detach() - p).abs() < 4 * (p * (1 - p) / SAMPLES).sqrt()).all()
    (gradient,) = torch.autograd.grad(y.sum(), x)
    density = 2 * torch.exp(-0.5 * (2 * x.detach()) ** 2) / math.sqrt(2 * math.pi)
    # Its terms are β (y − ȳ) ε, of second moment at most β²E ε² / 4 + … < β².
    assert ((gradient - density).abs() < 4 * 2 / math.sqrt(SAMPLES)).all()


def test_lists_pass_and_integers_are_not_perturbed() -> None:
    a = torch.tensor([[0.5, -1.0], [2.0, 0.0]]).double().requires_grad_()
    n = torch.tensor([3, -2])
    y = total(a, [2.0, -1.0], n)
    spread = 4 * math.sqrt(5) / 2 / math.sqrt(SAMPLES)
    torch.testing.assert_close(y.detach(), torch.tensor([5.0, 2.0]).double(), rtol=0, atol=spread)
    (gradient,) = torch.autograd.grad(y.sum(), a)
    torch.testing.assert_close(gradient, torch.tensor([[2.0, -1.0], [2.0, -1.0]]).double(), rtol=0, atol=0.25)


def test_sharp_limit_is_the_hard_program() -> None:
    x = torch.tensor([0.3, -0.6]).double()
    assert step(x, beta=1e6, samples=8).equal(step.hard(x))


def test_what_sampling_refuses() -> None:
    x = torch.tensor([0.3])
    with pytest.raises(RelaxError, match=r"distribution: semantics='sample' takes gaussian.*got 'reciprocal'"):
        step(x, distribution="reciprocal")
    with pytest.raises(RelaxError, match="no gradient in beta"):
        step(x, beta=torch.tensor(2.0, requires_grad=True))
    with pytest.raises(RelaxError, match="perturbs real arguments, and there is none"):
        count(torch.tensor([1]))
    with pytest.raises(RelaxError, match="returns one tensor"):
        both(x)
