"""Networks sort: all 0-1 inputs of few wires, random permutations of many."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from renderer.ops.native_function import call
from renderer.sort import NETWORKS, layers
from renderer.sort.networks import SELECTION_NETWORKS, comparators

# n -> layers and comparators, from the specification of each network.
COUNTS = {
    "odd_even": {16: (16, 120), 64: (64, 2016), 256: (256, 32640), 1024: (1024, 523776)},
    "bitonic": {16: (10, 80), 64: (21, 672), 256: (36, 4608), 1024: (55, 28160)},
    "odd_even_merge": {16: (10, 63), 64: (21, 543), 256: (36, 3839), 1024: (55, 24063)},
}


def all_zero_one(n: int) -> list[np.ndarray]:
    """One array of 2^n bits a wire."""
    return [(np.arange(2**n) >> wire & 1).astype(bool) for wire in range(n)]


def run(wires: list[np.ndarray], name: str, k: int | None = None) -> list[np.ndarray]:
    for layer in comparators(name, len(wires), k):
        for lo, hi in layer:
            wires[lo], wires[hi] = wires[lo] & wires[hi], wires[lo] | wires[hi]
    return wires


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("n", range(1, 17))
def test_zero_one_principle(name: str, n: int) -> None:
    wires = run(all_zero_one(n), name)
    assert all((low <= high).all() for low, high in pairwise(wires))


@pytest.mark.parametrize("n", range(1, 17))
def test_zero_one_principle_of_selection(n: int) -> None:
    ones = sum(wire.astype(int) for wire in all_zero_one(n))
    for k in range(1, n + 1):
        wires = run(all_zero_one(n), "splitter_selection", k)
        for place in range(k):  # output n - 1 - place is 1 where more inputs than `place` are
            assert np.array_equal(wires[n - 1 - place], ones > place)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("sizes", [range(1, 129), (1000, 1024)], ids=["to 128", "1000 and 1024"])
def test_random_permutations(name: str, sizes: range | tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    for n in sizes:
        x = torch.rand(1000, n, generator=generator).argsort(1).float()
        out = call("sort_values", x, name, 0, "hard", 1.0, 0.0, 0.0, True)[0]
        assert torch.equal(out, torch.arange(n, dtype=torch.float32).expand(1000, n)), n


@pytest.mark.parametrize(("n", "k"), [(20, 5), (50, 5), (100, 10), (128, 1), (300, 7), (1000, 5)])
def test_random_selections(n: int, k: int) -> None:
    x = torch.rand(1000, n, generator=torch.Generator().manual_seed(0))
    out = call("sort_values", x, "splitter_selection", k, "hard", 1.0, 0.0, 0.0, True)[0]
    assert torch.equal(out[:, n - k :].flip(1), x.topk(k).values)


@pytest.mark.parametrize("name", NETWORKS)
def test_layers_and_comparators(name: str) -> None:
    for n, (depth, count) in COUNTS[name].items():
        found = comparators(name, n)
        assert (len(found), sum(map(len, found))) == (depth, count)


def test_selection_needs_fewer_comparators_than_the_published_one() -> None:
    for n, published in {16: 50, 50: 181, 100: 385, 1000: 5085}.items():
        assert sum(map(len, comparators("splitter_selection", n, 5))) < published


@pytest.mark.parametrize("name", [*NETWORKS, *SELECTION_NETWORKS])
def test_comparators_of_a_layer_are_disjoint(name: str) -> None:
    for n in (2, 3, 13, 37):
        for lo, hi in layers(name, n, k=2 if name in SELECTION_NETWORKS else None):
            wires = torch.cat([lo, hi])
            assert len(wires.unique()) == len(wires)
            assert ((wires >= 0) & (wires < n)).all()


def test_bitonic_compares_mirror_images_first() -> None:
    """With descending blocks, 22 wires are among the sizes that come out wrong."""
    lo, hi = layers("bitonic", 8)[3]
    assert (lo + hi).tolist() == [7] * 4


def test_one_wire_has_no_layer() -> None:
    assert all(layers(name, 1) == [] for name in NETWORKS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("quick", 4, None),
            "network: expected one of odd_even, bitonic, odd_even_merge, splitter_selection, got 'quick'",
        ),
        (("bitonic", 0, None), "n: expected at least one value"),
        (("bitonic", 4, 2), "k: expected None, as bitonic sorts all"),
        (("splitter_selection", 4, None), "splitter_selection leaves only the k largest"),
        (("splitter_selection", 4, 5), "k: expected 1 to 4, got 5"),
    ],
)
def test_errors(arguments: tuple, message: str) -> None:
    name, n, k = arguments
    with pytest.raises(ValueError, match=message):
        layers(name, n, k=k)
