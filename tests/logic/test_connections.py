from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from renderer.logic import LogicLayer, connect


@given(st.integers(2, 40), st.integers(1, 60), st.integers(0, 99))
def test_random_uses_all_inputs_equally_and_none_twice_in_a_neuron(inputs: int, neurons: int, seed: int) -> None:
    indices = connect(inputs, neurons, "random", torch.Generator().manual_seed(seed))
    assert indices.shape == (2, neurons)
    assert indices.dtype == torch.int32
    counts = torch.bincount(indices.flatten().long(), minlength=inputs)
    assert counts.max() - counts.min() <= 1
    assert (indices[0] != indices[1]).all()


@given(st.integers(2, 30), st.data())
def test_unique_has_no_pair_twice_and_uses_all_inputs_if_it_can(inputs: int, data: st.DataObject) -> None:
    neurons = data.draw(st.integers(1, inputs * (inputs - 1) // 2))
    indices = connect(inputs, neurons, "unique", torch.Generator().manual_seed(data.draw(st.integers(0, 99))))
    pairs = {tuple(sorted(pair)) for pair in indices.T.tolist()}
    assert len(pairs) == neurons
    assert all(a != b for a, b in pairs)
    assert indices.min() >= 0
    assert indices.max() < inputs
    if 2 * neurons >= inputs + 1:
        assert len(indices.unique()) == inputs


def test_unique_of_a_large_layer() -> None:
    indices = connect(784, 8000, "unique", torch.Generator().manual_seed(0)).long()
    keys = indices.amin(0) * 784 + indices.amax(0)
    assert len(keys.unique()) == 8000


def test_one_input_goes_to_both_places() -> None:
    assert connect(1, 3).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_generators_make_it_repeatable() -> None:
    first, second = (LogicLayer(50, 70, generator=torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first.indices, second.indices)
    assert torch.equal(first.weight, second.weight)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 3, "random"), "in_features, out_features: expected at least 1 each, got 0 and 3"),
        ((3, 4, "unique"), "connections: 'unique' finds 3 pairs of 3 inputs, expected at least the 4 neurons"),
        ((3, 4, "all"), "connections: expected 'random', 'unique' or a tensor of indices, got 'all'"),
        ((3, 2, torch.tensor([[0, 1], [2, 3]])), "connections: expected indices of 0 to 2, got 0 to 3"),
        ((3, 2, torch.tensor([[0, 1]])), r"connections: expected integers of shape \(2, 2\), got \(1, 2\)"),
        ((3, 2, torch.rand(2, 2)), "connections: expected integers"),
    ],
)
def test_errors_are_one_line(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        connect(*arguments)
