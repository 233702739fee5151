"""What a report says, against closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from renderer.relax.program import RelaxError, relax


@relax(beta=4.0)
def signed_square(x):
    sign = -1.0
    if x > 0:
        sign = 1.0
    return sign * sign


@relax(beta=2.0)
def step(x):
    return 1.0 if x > 0 else 0.0


@relax(beta=8.0)
def count_to_five(x):
    while x < 5:
        x += 1
    return x


def test_bias_is_what_merging_costs() -> None:
    x = torch.tensor([0.1, -0.3, 0.0]).double()
    report = signed_square.report(x, draws=16)
    p = torch.sigmoid(4.0 * x)
    merged = (2 * p - 1) ** 2  # the square of the mean; every way itself ends at 1
    torch.testing.assert_close(report.relaxed[:, 0], merged)
    torch.testing.assert_close(report.hard[:, 0], torch.ones_like(x))
    torch.testing.assert_close(report.monte_carlo[:, 0], torch.ones_like(x))
    torch.testing.assert_close(report.error[:, 0], torch.zeros_like(x))
    torch.testing.assert_close(report.bias, 1 - merged)
    torch.testing.assert_close(report.gap, 1 - merged)
    exact = signed_square.report(x, draws=16, semantics="path")
    torch.testing.assert_close(exact.bias, torch.zeros_like(x), rtol=0, atol=1e-12)


def test_monte_carlo_and_entropy_of_one_condition() -> None:
    x = torch.tensor([0.5, -0.2]).double()
    draws = 1500
    report = step.report(x, draws=draws, seed=3)
    p = torch.sigmoid(2.0 * x)
    deviation = (p * (1 - p)).sqrt()
    torch.testing.assert_close(report.relaxed[:, 0], p)
    assert ((report.monte_carlo[:, 0] - p).abs() < 4 * deviation / math.sqrt(draws)).all()
    torch.testing.assert_close(report.error[:, 0], deviation / math.sqrt(draws), rtol=0.05, atol=0)
    entropy = -(p * p.log() + (1 - p) * (1 - p).log())
    spread = deviation * (p / (1 - p)).log().abs() / math.sqrt(draws)  # of the mean of −ln of the way's probability
    assert ((report.entropy - entropy).abs() < 4 * spread).all()
    even = step.report(torch.zeros(1).double(), draws=8)
    torch.testing.assert_close(even.entropy, torch.tensor([math.log(2)]).double())


def test_seed_decides_the_draws() -> None:
    x = torch.tensor([0.1]).double()
    first, again, other = (step.report(x, draws=64, seed=s).monte_carlo for s in (0, 0, 1))
    assert first.equal(again)
    assert not first.equal(other)


def test_leftover_is_the_mass_that_was_cut_off() -> None:
    x = torch.tensor([0, 9])
    report = count_to_five.report(x, draws=2, max_iter=2)
    # After two rounds a count from 0 goes on almost surely, one from 9 has ended.
    torch.testing.assert_close(report.leftover, torch.tensor([1.0, 0.0]), rtol=0, atol=1e-6)
    assert count_to_five.report(x, draws=2).leftover.max() <= 1e-6


def test_text_names_every_figure() -> None:
    text = str(step.report(torch.tensor([0.5, -0.5]).double(), draws=8))
    assert f"gap to the hard result{' ' * 20} mean {float(torch.sigmoid(torch.tensor(-1.0))):.3g}" in text
    for name in ("leftover probability", "entropy of the way", "gap to the Monte-Carlo mean", "(8 draws)"):
        assert name in text


def test_what_cannot_be_reported() -> None:
    x = torch.tensor([0.5])
    with pytest.raises(ValueError, match="draws: expected at least 2, got 1"):
        step.report(x, draws=1)
    with pytest.raises(RelaxError, match="expected semantics='merge' or 'path', got 'sample'"):
        step.report(x, semantics="sample")
    with pytest.raises(ValueError, match="expected at least one tensor"):
        step.report(0.5)
