from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from renderer.logic import GATES, LogicLayer
from renderer.logic.gates import check_t_conorm, corners_to_coefficients, mix, truth_table
from renderer.reference.logic_layers import sixteen_gate_layer
from renderer.relax import T_CONORMS, t_conorm

COPULAS = {
    "hamacher": [0.0, 1.3, 2.0],
    "frank": [0.2, 1.0, 7.0],
    "yager": [1.0, 2.5],
    "aczel_alsina": [1.0, 3.0],
    "dombi": [1.0, 2.0],
    "schweizer_sklar": [-2.0, 0.0],
}
FAMILIES = [(name, p) for name in T_CONORMS for p in COPULAS.get(name, [None])]


def python_gate(name: str, a: bool, b: bool) -> bool:
    names = {
        "false": False,
        "true": True,
        "a": a,
        "b": b,
        "not a": not a,
        "not b": not b,
        "a and b": a and b,
        "a and not b": a and not b,
        "not a and b": not a and b,
        "a xor b": a != b,
        "a or b": a or b,
        "a nor b": not (a or b),
        "a xnor b": a == b,
        "a or not b": a or not b,
        "not a or b": not a or b,
        "a nand b": not (a and b),
    }
    return names[name]


def test_ids_spell_the_truth_tables_of_their_names() -> None:
    table = truth_table(torch.zeros(()))
    for gate, name in enumerate(GATES):
        rows = [python_gate(name, a, b) for a in (False, True) for b in (False, True)]
        assert table[gate].bool().tolist() == rows
        assert gate == int("".join(str(int(r)) for r in rows), 2)


def test_value_and_gradients_equal_the_textbook_sum_of_sixteen_gates() -> None:
    # Coinciding inputs included: the sum over gates knows nothing of the bilinear form.
    torch.manual_seed(0)
    layer = LogicLayer(9, 40, temperature=0.7).double()
    layer.indices[:, 3] = 5
    layer.indices[:, 7] = 0
    x = torch.rand(70, 9, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(70, 40, dtype=torch.float64)
    results = []
    for run in (layer, lambda x: sixteen_gate_layer(x, layer.weight, layer.indices, 0.7)):
        layer.weight.grad = x.grad = None
        y = run(x)
        (y * weights).sum().backward()
        results.append((y.detach(), x.grad, layer.weight.grad))
    for mine, textbook in zip(*results, strict=True):
        torch.testing.assert_close(mine, textbook, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("name", "p"), FAMILIES)
def test_every_gate_of_every_t_norm_is_a_probability_and_exact_on_bits(name: str, p: float | None) -> None:
    conorm = t_conorm(name, p)
    check_t_conorm(conorm)
    grid = torch.linspace(0, 1, 21, dtype=torch.float64)
    a, b = torch.meshgrid(grid, grid, indexing="ij")
    for gate in range(16):
        c = corners_to_coefficients(truth_table(grid)[gate])
        y = mix(c.unbind(-1), a, b, conorm)
        assert y.min() >= -1e-9
        assert y.max() <= 1 + 1e-9
        corners = torch.stack([y[0, 0], y[0, -1], y[-1, 0], y[-1, -1]])
        torch.testing.assert_close(corners, truth_table(grid)[gate], rtol=0, atol=1e-12)


@pytest.mark.parametrize(("name", "p"), [("hamacher", 2.5), ("yager", 0.5), ("aczel_alsina", 0.9), ("dombi", 0.5)])
def test_t_norms_under_which_gates_leave_the_unit_interval_are_refused(name: str, p: float) -> None:
    conorm = t_conorm(name, p)
    grid = torch.linspace(0, 1, 101, dtype=torch.float64)
    a, b = torch.meshgrid(grid, grid, indexing="ij")
    both = conorm.dual_pair(a, b)
    corners = torch.stack([1 - a - b + both, a - both, b - both, both])
    assert corners.min() < -1e-6
    with pytest.raises(ValueError, match=f"t_conorm: expected {name} with p in"):
        LogicLayer(2, 2, t_conorm=conorm)


@given(st.lists(st.floats(-8, 8), min_size=16, max_size=16), st.floats(0, 1), st.floats(0, 1))
def test_a_mixture_lies_between_0_and_1(logits: list[float], a: float, b: float) -> None:
    x = torch.tensor([[a, b]], dtype=torch.float64)
    z = torch.tensor([logits], dtype=torch.float64)
    layer = LogicLayer(2, 1, connections=torch.tensor([[0], [1]])).double()
    with torch.no_grad():
        layer.weight.copy_(z)
    y = layer(x).detach()
    assert -1e-12 <= float(y) <= 1 + 1e-12
    torch.testing.assert_close(y, sixteen_gate_layer(x, z, layer.indices), rtol=1e-12, atol=1e-12)


def test_a_layer_with_another_t_norm_has_gradients_and_equals_its_formula() -> None:
    torch.manual_seed(1)
    layer = LogicLayer(5, 6, t_conorm=t_conorm("frank", 3.0)).double()
    x = torch.rand(4, 5, dtype=torch.float64, requires_grad=True)
    w00, w01, w10, w11 = (layer.weight.softmax(-1) @ truth_table(x)).unbind(-1)
    a, b = x[:, layer.indices[0]], x[:, layer.indices[1]]
    both = t_conorm("frank", 3.0).dual_pair(a, b)
    expected = w00 * (1 - a - b + both) + w01 * (b - both) + w10 * (a - both) + w11 * both
    torch.testing.assert_close(layer(x), expected)

    def run(x: Tensor) -> Tensor:
        return layer(x)

    assert torch.autograd.gradcheck(run, [x])
