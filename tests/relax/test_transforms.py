"""Distributions and T-conorms under torch.func and torch.compile."""

from __future__ import annotations

import pytest
import torch

from renderer.relax import DISTRIBUTIONS, T_CONORMS, distribution, t_conorm

P = {"hamacher": 1.5, "frank": 2.5, "yager": 2.0, "aczel_alsina": 0.7, "dombi": 1.3, "schweizer_sklar": -1.5}


@pytest.fixture(autouse=True)
def forget_compiled_code() -> None:
    torch._dynamo.reset()  # the functions compiled here share their code, and recompilations are limited


def make(name: str, scale: torch.Tensor, shape: torch.Tensor):
    return distribution(name, scale=scale, shape=shape if DISTRIBUTIONS[name].has_shape else None)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_distribution_under_grad_and_vmap(name: str) -> None:
    x, scale, shape = torch.linspace(-2, 2, 6).double(), torch.tensor(0.8).double(), torch.tensor(1.6).double()

    def loss(x: torch.Tensor, scale: torch.Tensor, shape: torch.Tensor) -> torch.Tensor:
        d = make(name, scale, shape)
        return (d.cdf(x) + d.pdf(x) + torch.exp(d.log_survival(x))).sum()

    gradients = torch.func.grad(loss, argnums=(0, 1))(x, scale, shape)
    leaves = [t.clone().requires_grad_() for t in (x, scale)]
    expected = torch.autograd.grad(loss(*leaves, shape), leaves)
    for got, want in zip(gradients, expected, strict=True):
        torch.testing.assert_close(got, want)
    each = torch.func.vmap(torch.func.grad(loss), in_dims=(0, None, None))(x, scale, shape)
    torch.testing.assert_close(each, gradients[0])
    scales = torch.tensor([0.5, 0.8]).double()
    many = torch.func.vmap(loss, in_dims=(None, 0, None))(x, scales, shape)
    torch.testing.assert_close(many[1], loss(x, scale, shape))


@pytest.mark.parametrize("name", T_CONORMS)
def test_t_conorm_under_grad_and_vmap(name: str) -> None:
    v = torch.tensor([[0.1, 0.0, 0.7], [0.3, 0.2, 0.9]]).double()

    def union(v: torch.Tensor) -> torch.Tensor:
        return t_conorm(name, P.get(name)).reduce(v, dim=-1)

    torch.testing.assert_close(torch.func.vmap(union)(v), union(v))
    gradient = torch.func.vmap(torch.func.grad(union))(v)
    leaf = v.clone().requires_grad_()
    (expected,) = torch.autograd.grad(union(leaf).sum(), leaf)
    torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_distribution_compiles(name: str) -> None:
    d = distribution(name, scale=0.8, shape=1.6 if DISTRIBUTIONS[name].has_shape else None)
    x = torch.linspace(-2, 2, 6, requires_grad=True)

    def loss(x: torch.Tensor) -> torch.Tensor:
        return d.cdf(x).sum() + torch.exp(d.log_survival(x)).sum()

    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), loss(x))
    torch.testing.assert_close(torch.autograd.grad(compiled(x), x), torch.autograd.grad(loss(x), x))


@pytest.mark.parametrize("name", T_CONORMS)
def test_t_conorm_compiles(name: str) -> None:
    t = t_conorm(name, P.get(name))
    v = torch.tensor([[0.1, 0.0, 0.7], [0.3, 0.2, 0.9]], requires_grad=True)
    compiled = torch.compile(lambda v: t.reduce(v, dim=-1).sum(), fullgraph=True, backend="aot_eager")
    expected = t.reduce(v, dim=-1).sum()
    torch.testing.assert_close(compiled(v), expected)
    torch.testing.assert_close(torch.autograd.grad(compiled(v), v), torch.autograd.grad(expected, v))
