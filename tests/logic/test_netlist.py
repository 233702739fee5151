from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from renderer.logic.netlist import AND, Builder, Netlist
from renderer.logic.program import BitProgram
from renderer.logic.schedule import schedule
from tests.oracle.logic import evaluate_netlist

GATES = st.integers(0, 15)


@st.composite
def circuits(draw: st.DrawFn) -> tuple[int, list[list[tuple[int, int, int]]]]:
    """Inputs, and layers of gates (id, a, b) whose operands are places in everything that came before."""
    inputs = draw(st.integers(1, 4))
    layers, places = [], inputs
    for _ in range(draw(st.integers(1, 4))):
        operand = st.integers(0, places - 1)
        layer = draw(st.lists(st.tuples(GATES, operand, operand), min_size=1, max_size=6))
        layers.append(layer)
        places += len(layer)
    return inputs, layers


@settings(max_examples=150, deadline=None)
@given(circuits(), st.booleans())
def test_simplified_and_scheduled_networks_compute_the_same(circuit: tuple, grouped: bool) -> None:
    # Gates read any earlier signal, unlike layers, so that lifetimes of slots vary.
    inputs, layers = circuit
    samples = np.array([[s >> i & 1 for i in range(inputs)] for s in range(2**inputs)], bool)
    values, builder = samples, Builder(inputs)
    signals = builder.input_literals()
    for layer in layers:
        ids, a, b = (np.array(column) for column in zip(*layer, strict=True))
        place = 3 - (2 * values[:, a].astype(int) + values[:, b])
        values = np.concatenate([values, (ids >> place & 1).astype(bool)], 1)
        signals = np.concatenate([signals, builder.add(ids, signals[a], signals[b])])
    netlist = builder.finish(signals, groups=1 if grouped else 0)
    assert np.array_equal(evaluate_netlist(netlist, samples), values)
    out = BitProgram(netlist)(torch.from_numpy(samples)).numpy()
    assert np.array_equal(out, values.sum(1, keepdims=True) if grouped else values)
    made = schedule(netlist)
    assert made.slots <= inputs + len(netlist.kind)
    assert sum(run[2] for run in made.runs.tolist()) == len(netlist.kind)


def test_constants_wires_inverters_and_equal_gates_leave_nothing_behind() -> None:
    builder = Builder(2)
    x = builder.input_literals()
    a, b = x[:1].repeat(16), x[1:].repeat(16)
    everything = builder.add(np.arange(16), a, b)
    # Ten gates depend on both inputs; each is the inverse of another, and "not a and b" differs from "a and not b".
    assert builder.gates == 5
    assert everything[[0, 15]].tolist() == [0, 1]
    assert everything[[3, 12, 5, 10]].tolist() == [x[0], x[0] + 1, x[1], x[1] + 1]
    assert all(everything[i] ^ everything[15 - i] == 1 for i in range(16))
    same = builder.add(np.arange(16), a, a)
    assert builder.gates == 5
    assert set(same.tolist()) == {0, 1, x[0], x[0] + 1}


def test_gates_without_influence_are_removed_and_their_slots_not_kept() -> None:
    builder = Builder(8)
    x = builder.input_literals()
    first = builder.add(np.array([1, 1, 6, 7]), x[:4], x[4:])
    unused = builder.add(np.array([1]), first[:1], first[1:2])
    last = builder.add(np.array([6]), first[2:3], first[3:])
    netlist = builder.finish(last)
    assert len(unused) == 1
    assert len(netlist.kind) == 3
    assert netlist.levels().tolist() == [0] * 9 + [1, 1, 2]
    long = Builder(8)
    signals = long.input_literals()
    for _ in range(50):
        signals = long.add(np.full(8, 6), signals, np.roll(signals, 1) ^ 1)
    # Two layers at a time are alive, whatever the depth; x ^ x shifted keeps all gates.
    assert schedule(long.finish(signals)).slots <= 8 + 3 * 8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"a": [3]}, "expected gates that read inputs or earlier gates"),
        ({"b": [0]}, "expected gates that read inputs or earlier gates"),
        ({"kind": [4]}, "expected kinds 0 to 3"),
        ({"outputs": [8]}, "expected output literals below 8, got 8"),
        ({"outputs": []}, "expected inputs and outputs, got 2 and 0"),
        ({"kind": [0, 0]}, "expected equally many kind, a and b"),
        ({"groups": 2}, "expected 1 outputs in equal groups, got 2 groups"),
        ({"tau": 0.0}, "expected tau > 0"),
    ],
)
def test_netlists_that_cannot_run_are_refused(changes: dict, message: str) -> None:
    parts = {"kind": [AND], "a": [1], "b": [2], "outputs": [6], "groups": 1, "tau": 1.0} | changes
    types = {"kind": np.int8, "a": np.int32, "b": np.int32, "outputs": np.int64}
    arrays = {name: np.array(parts[name], dtype) for name, dtype in types.items()}
    with pytest.raises(ValueError, match=message):
        Netlist(2, **arrays, groups=parts["groups"], tau=parts["tau"])
