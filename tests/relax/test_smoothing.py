"""Smoothing of functions known by their values, perturbed optimisers, and distributions through networks."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from renderer.relax.smoothing import fenchel_young_loss, perturbed_argmax, propagate, smooth

F64 = torch.float64
VARIANCE = {"gaussian": 1.0, "logistic": math.pi**2 / 3, "laplace": 2.0, "triangular": 1 / 6}


def square(x: Tensor) -> Tensor:
    assert not x.requires_grad  # the function is a black box
    return x.square().sum(-1)


def gradient(x: Tensor, **options) -> tuple[Tensor, Tensor]:
    leaf = x.clone().requires_grad_()
    value = smooth(square, leaf, **options)
    return value.detach(), torch.autograd.grad(value.sum(), leaf)[0]


@pytest.mark.parametrize("name", list(VARIANCE))
def test_value_and_gradient_of_a_square(name: str) -> None:
    # E|x + s e|^2 = |x|^2 + n s^2 var for noise of mean 0, with gradient 2x.
    x, scale = torch.tensor([[0.5, -1.0, 0.3]], dtype=F64), 0.5
    value, slope = gradient(x, scale=scale, samples=60_000, distribution=name, antithetic=True)
    assert float(value) == pytest.approx(float(square(x)) + 3 * scale**2 * VARIANCE[name], rel=0.05)
    torch.testing.assert_close(slope, 2 * x, atol=0.15 if name == "triangular" else 0.06, rtol=0)


def spread(**options) -> float:
    x = torch.tensor([[0.5, -1.0]], dtype=F64)
    slopes = [gradient(x, scale=0.3, samples=32, seed=seed, **options)[1] for seed in range(60)]
    return float(torch.stack(slopes).std(0).mean())


def test_baselines_pairs_and_quasi_monte_carlo_reduce_the_variance() -> None:
    plain = spread(baseline="none")
    assert spread(baseline="leave_one_out") < 0.8 * plain
    assert spread(baseline="leave_one_out", antithetic=True) < 0.8 * plain
    assert spread(baseline="centre", quasi=True) < 0.5 * plain


def test_what_does_not_go_together_is_refused() -> None:
    x = torch.zeros(1, 2)
    for options, message in (
        ({"samples": 4, "quasi": True}, "baseline: expected centre or none with quasi"),
        ({"samples": 1}, "samples: expected a number of at least 2, got 1"),
        ({"samples": 5, "antithetic": True}, "samples: expected an even number"),
        ({"samples": 4, "distribution": "levy"}, "distribution"),
        ({"samples": 4, "scale": 0.0}, "scale: expected a number > 0"),
    ):
        with pytest.raises(ValueError, match=message):
            smooth(square, x, **({"scale": 1.0} | options))
    with pytest.raises(ValueError, match="f: expected 4 results"):
        smooth(lambda y: y.sum(), x, scale=1.0, samples=4)


def best(scores: Tensor) -> Tensor:
    return nn.functional.one_hot(scores.argmax(-1), scores.shape[-1]).to(scores)


def test_gumbel_noise_makes_argmax_a_softmax() -> None:
    theta = torch.tensor([[0.2, 1.0, -0.5]], dtype=F64)
    mean = perturbed_argmax(best, theta, scale=1.0, samples=40_000, distribution="gumbel")
    torch.testing.assert_close(mean, torch.softmax(theta, -1), atol=0.01, rtol=0)


def test_fenchel_young_gradient_is_the_gap_and_vanishes_at_the_mean() -> None:
    theta = torch.tensor([[0.2, 1.0, -0.5], [0.0, 0.1, 0.3]], dtype=F64, requires_grad=True)
    options = {"scale": 0.7, "samples": 500, "seed": 3}
    target = best(torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], dtype=F64))
    loss = fenchel_young_loss(best, theta, target, **options)
    (slope,) = torch.autograd.grad(loss.sum(), theta)
    mean = perturbed_argmax(best, theta.detach(), **options)
    torch.testing.assert_close(slope, mean - target)
    at_mean = fenchel_young_loss(best, theta, mean, **options)
    torch.testing.assert_close(torch.autograd.grad(at_mean.sum(), theta)[0], torch.zeros_like(theta))
    # Convex in theta, and its slope is the gradient just found.
    step = 0.5 * torch.randn(2, 3, dtype=F64, generator=torch.Generator().manual_seed(0))
    moved = fenchel_young_loss(best, theta.detach() + step, target, **options)
    assert (moved >= loss.detach() + (slope * step).sum(1) - 1e-12).all()


def test_distributions_through_a_network() -> None:
    torch.manual_seed(0)
    linear = nn.Linear(4, 3).double()
    location, scale = torch.randn(1, 4, dtype=F64), torch.rand(1, 4, dtype=F64)
    gaussian = propagate(linear, location, scale)
    torch.testing.assert_close(gaussian.location, linear(location))
    torch.testing.assert_close(gaussian.scale, (scale.square() @ linear.weight.T.square()).sqrt())
    cauchy = propagate(linear, location, scale, distribution="cauchy")
    torch.testing.assert_close(cauchy.scale, scale @ linear.weight.T.abs())
    network = nn.Sequential(linear, nn.ReLU())
    moments = propagate(network, location, scale, activation="moments")
    samples = network(location + scale * torch.randn(200_000, 4, dtype=F64))
    torch.testing.assert_close(moments.location[0], samples.mean(0), atol=0.01, rtol=0.01)
    torch.testing.assert_close(moments.scale[0], samples.std(0), atol=0.01, rtol=0.01)
    with pytest.raises(ValueError, match="network: expected Linear, ReLU"):
        propagate(nn.Tanh(), location, scale)
    with pytest.raises(ValueError, match="activation: expected linear for cauchy"):
        propagate(network, location, scale, distribution="cauchy", activation="moments")
