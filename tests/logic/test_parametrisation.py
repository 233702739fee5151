from __future__ import annotations

import math

import pytest
import torch

from renderer.logic import PARAMETRISATIONS, LogicLayer, count_gates
from renderer.logic.gates import PASS_A, corners_to_coefficients, truth_table
from renderer.logic.parametrisation import RESIDUAL_SHARE

NAMES = list(PARAMETRISATIONS)


@pytest.mark.parametrize("name", NAMES)
def test_weights_give_coefficients_and_gates(name: str) -> None:
    torch.manual_seed(0)
    layer = LogicLayer(8, 300, parametrisation=name)
    assert layer.weight.shape == (300, 4 if name == "iwp" else 16)
    assert layer.coefficients().shape == (300, 4)
    layer(torch.rand(20, 8)).square().sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.abs().sum() > 0
    for rule in ("argmax", "rounding"):
        gates = layer.gates(rule)
        assert gates.dtype == torch.uint8
        # Random initialisation is no constant: every gate turns up.
        assert set(gates.tolist()) == set(range(16)), rule


@pytest.mark.parametrize("name", NAMES)
def test_confident_weights_are_one_gate(name: str) -> None:
    layer = LogicLayer(4, 16, parametrisation=name, connections=torch.tensor([[0] * 16, [1] * 16]))
    table = truth_table(layer.weight)
    with torch.no_grad():
        layer.weight.copy_(80 * (2 * table - 1 if name == "iwp" else torch.eye(16)))
    x = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    x = torch.cat([x, torch.zeros(4, 2)], 1)
    torch.testing.assert_close(layer(x), table.T)
    for rule in ("argmax", "rounding"):
        assert layer.gates(rule).tolist() == list(range(16))
        assert torch.equal(layer.discrete(x.bool(), rule), table.T.bool())


@pytest.mark.parametrize("name", ["op16", "iwp"])
def test_residual_layers_keep_the_gradient(name: str) -> None:
    layer = LogicLayer(4, 8, parametrisation=name, residual=True).double()
    c = layer.coefficients().detach()
    expected = RESIDUAL_SHARE - (1 - RESIDUAL_SHARE) / 15
    torch.testing.assert_close(c[:, 1], torch.full((8,), expected, dtype=torch.float64), rtol=0, atol=1e-6)
    assert 0.87 < float(c[0, 1]) < 0.90
    torch.testing.assert_close(c[:, 2:], torch.zeros(8, 2, dtype=torch.float64), rtol=0, atol=1e-6)
    assert count_gates([layer])["a"] == 8


def test_random_layers_lose_the_gradient_and_grad_factor_makes_up_for_it() -> None:
    torch.manual_seed(0)
    layer = LogicLayer(4, 4000)
    assert float(layer.coefficients()[:, 1].detach().std()) < 0.35
    x = torch.rand(3, 4, requires_grad=True)
    plain = torch.autograd.grad(layer(x).sum(), x)[0]
    layer.grad_factor = 2.5
    torch.testing.assert_close(torch.autograd.grad(layer(x).sum(), x)[0], 2.5 * plain)


def test_argmax_takes_the_first_of_equals_and_rounding_the_relaxed_truth_table() -> None:
    layer = LogicLayer(2, 3)
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[1, [11, 4]] = 1.0
        # "false" is the likeliest gate, though most of the weight is on gates that are 1 at (1, 1).
        layer.weight[2, 1::2] = 1.0
        layer.weight[2, 0] = 1.5
    assert layer.gates("argmax").tolist() == [0, 4, 0]
    w = (layer.weight.softmax(-1) @ truth_table(layer.weight))[2]
    assert (w > 0.5).tolist() == [False, False, False, True]
    assert layer.gates("rounding").tolist()[2] == 1
    with pytest.raises(ValueError, match="rule: expected 'argmax' or 'rounding', got 'best'"):
        layer.gates("best")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["straight_through", "gumbel_straight_through"])
def test_straight_through_has_hard_values_and_the_soft_gradient(name: str) -> None:
    torch.manual_seed(0)
    hard, soft = LogicLayer(6, 30, parametrisation=name).eval(), LogicLayer(6, 30)
    soft.load_state_dict(hard.state_dict())
    bits = torch.rand(9, 6) > 0.5
    assert torch.equal(hard(bits), hard.discrete(bits).float())
    x = torch.rand(9, 6)
    weights = torch.rand(30, 4)
    for layer in (hard, soft):
        (layer.coefficients() * weights).sum().backward()
    torch.testing.assert_close(hard.weight.grad, soft.weight.grad)
    assert not torch.equal(hard(x), soft(x))


def test_gumbel_is_op16_with_noise_while_training_only() -> None:
    torch.manual_seed(0)
    noisy, plain = LogicLayer(6, 5000, parametrisation="gumbel"), LogicLayer(6, 5000)
    plain.load_state_dict(noisy.state_dict())
    with torch.no_grad():
        noisy.weight.zero_()
        noisy.weight[:, PASS_A] = math.log(15.0)
    assert not torch.equal(noisy.coefficients(), noisy.coefficients())
    noisy.temperature = 1e-3  # one gate a draw: "a" with probability 1/2
    wire = corners_to_coefficients(truth_table(noisy.weight))[PASS_A]
    share = float(((noisy.coefficients() - wire).abs().sum(-1) < 0.01).float().mean())
    assert abs(share - 0.5) < 0.03
    noisy.eval()
    noisy.temperature = 1.0
    with torch.no_grad():
        noisy.weight.copy_(plain.weight)
    assert torch.equal(noisy.coefficients(), plain.coefficients())


def test_unknown_names_and_temperatures_are_refused() -> None:
    with pytest.raises(ValueError, match=r"parametrisation: expected one of op16, .*, got 'op17'"):
        LogicLayer(2, 2, parametrisation="op17")
    with pytest.raises(ValueError, match="temperature: expected a number > 0, got 0"):
        LogicLayer(2, 2, temperature=0.0)
