from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from renderer.logic import GroupSum, LogicLayer, LogicNet, Wiring
from tests.logic.test_program import random_bits


def wired_net(k: int = 4) -> LogicNet:
    generator = torch.Generator().manual_seed(0)
    pairs = torch.arange(48).view(2, 24)
    return LogicNet(
        Wiring(20, 48, k=k, generator=generator),
        LogicLayer(48, 24, connections=pairs, generator=generator),
        GroupSum(2, tau=2.0),
    )


@pytest.mark.parametrize(("inputs", "k"), [(20, 2), (20, 4), (20, 5), (20, 20), (2, 2), (1000, 8)])
def test_candidates_of_a_wire_are_different_inputs(inputs: int, k: int) -> None:
    wiring = Wiring(inputs, 500, k=k)
    assert wiring.candidates.shape == (500, k)
    assert all(len(set(row)) == k for row in wiring.candidates.tolist())
    assert int(wiring.candidates.min()) >= 0
    assert int(wiring.candidates.max()) < inputs
    uses = wiring.candidates[:, 0].bincount(minlength=inputs)
    assert int(uses.max()) - int(uses.min()) <= 1


def test_relaxed_wires_are_the_mean_of_their_candidates() -> None:
    torch.manual_seed(0)
    wiring = Wiring(20, 6, k=3, temperature=0.5).double()
    torch.testing.assert_close(wiring.weight.div(0.5).softmax(1)[:, 0] > 0.98, torch.ones(6, dtype=torch.bool))
    with torch.no_grad():
        wiring.weight.normal_()
    x = torch.rand(2, 5, 20, dtype=torch.float64, requires_grad=True)
    share = (wiring.weight / 0.5).exp() / (wiring.weight / 0.5).exp().sum(1, keepdim=True)
    torch.testing.assert_close(wiring(x), (x[..., wiring.candidates] * share).sum(-1), rtol=1e-12, atol=1e-12)
    assert torch.autograd.gradcheck(
        lambda x, weight: torch.func.functional_call(wiring, {"weight": weight}, (x,)), (x[:1, :2], wiring.weight)
    )


def test_compiled_wires_equal_the_discrete_ones_and_leave_no_gates() -> None:
    net = wired_net()
    with torch.no_grad():
        net.layers[0].weight.normal_()
    bits = random_bits(130, 20)
    assert torch.equal(net.compile().scores(bits), net.discrete(bits))
    alone = LogicNet(Wiring(20, 9, k=4))
    assert alone.compile().gates == 0
    assert torch.equal(alone.compile()(bits), bits[:, alone.layers[0].candidates[:, 0]])
    assert torch.equal(alone(bits) > 0.5, alone.discrete(bits))


def test_wires_find_the_inputs_that_matter() -> None:
    torch.manual_seed(0)
    bits = random_bits(512, 16)
    net = LogicNet(Wiring(16, 2, k=16), LogicLayer(2, 1, connections=torch.tensor([[0], [1]])))
    with torch.no_grad():
        net.layers[1].weight.zero_()
        net.layers[1].weight[0, 6] = 100.0  # xor
    optimiser = torch.optim.Adam([net.layers[0].weight], lr=0.1)
    for _ in range(200):
        optimiser.zero_grad()
        functional.binary_cross_entropy(
            net(bits)[:, 0].clamp(1e-3, 1 - 1e-3), (bits[:, 3] ^ bits[:, 11]).float()
        ).backward()
        optimiser.step()
    assert set(net.layers[0].chosen().tolist()) == {3, 11}


def test_candidates_are_in_the_state_dict() -> None:
    net, other = wired_net(), wired_net(k=4)
    other.layers[0].candidates.copy_(Wiring(20, 48, k=4).candidates)
    other.load_state_dict(net.state_dict())
    assert torch.equal(other.layers[0].candidates, net.layers[0].candidates)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Wiring(4, 3, k=5), "out_features, k: expected at least 1, and 2 to in_features = 4, got 3 and 5"),
        (lambda: Wiring(4, 3, k=1), "out_features, k: expected at least 1, and 2 to in_features = 4, got 3 and 1"),
        (lambda: Wiring(4, 3, k=2, temperature=0.0), "temperature: expected a number > 0, got 0.0"),
        (lambda: Wiring(4, 3, k=2)(torch.rand(2, 5)), r"x: expected shape \(…, 4\), got \(2, 5\)"),
        (
            lambda: LogicNet(LogicLayer(4, 6), Wiring(4, 3, k=2)).compile(),
            r"compile: Wiring expects 4 signals, the layer before has \(6,\)",
        ),
    ],
)
def test_errors_are_one_line(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
