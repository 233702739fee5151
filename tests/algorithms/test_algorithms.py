"""Every algorithm against its hard twin."""

from __future__ import annotations

import networkx
import numpy as np
import pytest
import torch
from scipy.sparse.csgraph import floyd_warshall as scipy_floyd_warshall

from renderer import algorithms as alg

SHARP = 1e4


@pytest.mark.parametrize("sort", [alg.bubble_sort, alg.insertion_sort])
def test_sorts(sort) -> None:
    torch.manual_seed(0)
    x = torch.randint(0, 4, (6, 5)).double()  # with ties
    torch.testing.assert_close(sort(x, beta=SHARP), x.sort().values)
    torch.testing.assert_close(sort.hard(x), x.sort().values)


def test_binary_search() -> None:
    torch.manual_seed(0)
    a, x = torch.rand(8, 7).double().sort().values, torch.rand(8).double()
    expected = torch.searchsorted(a, x[:, None])[:, 0].double()
    torch.testing.assert_close(alg.binary_search.hard(a, x), expected)
    torch.testing.assert_close(alg.binary_search(a, x, beta=1e6), expected)


def test_bellman_ford_against_networkx() -> None:
    torch.manual_seed(0)
    costs = torch.rand(2, 4, 5).double() + 0.1
    found = alg.bellman_ford(costs, beta=SHARP)
    weights = alg.grid_weights(costs)
    for b in range(2):
        graph = networkx.DiGraph()
        for u, v in (weights[b] < np.inf).nonzero().tolist():
            graph.add_edge(u, v, weight=float(weights[b, u, v]))
        lengths = networkx.single_source_dijkstra_path_length(graph, 0)
        expected = torch.tensor([lengths[v] for v in range(20)]).double() + costs[b, 0, 0]
        torch.testing.assert_close(found[b].flatten(), expected, rtol=0, atol=1e-3)
    paths = alg.shortest_path(costs)
    torch.testing.assert_close((paths * costs).sum((1, 2)), found[:, -1, -1], rtol=0, atol=1e-3)


def test_bellman_ford_gradients_and_range() -> None:
    torch.manual_seed(0)
    costs = (torch.rand(2, 3, 3).double() + 0.3).requires_grad_()
    assert torch.autograd.gradcheck(lambda c: alg.bellman_ford(c, beta=3.0), costs)
    assert torch.autograd.gradgradcheck(lambda c: alg.bellman_ford(c, beta=3.0), costs)
    large = costs.detach() * 400  # products of weights would vanish
    paths = alg.shortest_path(large)
    found = alg.bellman_ford(torch.cat([costs.detach(), large]), beta=3.0)
    torch.testing.assert_close(found[2:, -1, -1], (paths * large).sum((1, 2)), rtol=0, atol=1e-3)


def test_graphs() -> None:
    torch.manual_seed(1)
    weights = torch.rand(2, 5, 5).double() + 0.1
    expected = torch.stack([torch.from_numpy(scipy_floyd_warshall(w.numpy())) for w in weights])
    torch.testing.assert_close(alg.floyd_warshall(weights, beta=SHARP), expected, rtol=0, atol=1e-3)
    torch.testing.assert_close(alg.dijkstra.hard(weights, 0, 100.0), expected[:, 0])
    torch.testing.assert_close(alg.dijkstra(weights, 0, 100.0, beta=SHARP), expected[:, 0], rtol=0, atol=1e-3)


def levenshtein(s: list[int], t: list[int]) -> int:
    row = list(range(len(t) + 1))
    for i, a in enumerate(s, 1):
        new = [i]
        for j, b in enumerate(t, 1):
            new.append(min(row[j] + 1, new[-1] + 1, row[j - 1] + (a != b)))
        row = new
    return row[-1]


def test_alignments() -> None:
    torch.manual_seed(0)
    s, t = torch.randint(0, 3, (8, 6)), torch.randint(0, 3, (8, 4))
    a, b = (torch.nn.functional.one_hot(v, 3).double() for v in (s, t))
    expected = torch.tensor([levenshtein(*pair) for pair in zip(s.tolist(), t.tolist(), strict=True)]).double()
    for kind in ("logsumexp", "mean", "hard"):
        found = alg.edit_distance(a, b, beta=SHARP, kind=kind)
        torch.testing.assert_close(found, expected, rtol=0, atol=2e-3)
    costs = torch.rand(1, 4, 5).double()
    assert torch.autograd.gradcheck(lambda c: alg.dtw(c, beta=3.0), costs.clone().requires_grad_())
    table = np.full((5, 6), np.inf)
    table[0, 0] = 0
    for i in range(4):
        for j in range(5):
            table[i + 1, j + 1] = float(costs[0, i, j]) + min(table[i, j + 1], table[i + 1, j], table[i, j])
    assert float(alg.dtw(costs, beta=1e5)) == pytest.approx(table[-1, -1], abs=1e-3)


def test_knapsack_against_all_subsets() -> None:
    torch.manual_seed(0)
    values, weights = torch.rand(1, 6).double(), [1, 2, 3, 2, 4, 1]
    best = max(
        sum(float(values[0, i]) for i in range(6) if mask >> i & 1)
        for mask in range(64)
        if sum(weights[i] for i in range(6) if mask >> i & 1) <= 6
    )
    assert float(alg.knapsack(values, weights=weights, capacity=6, beta=SHARP)) == pytest.approx(best, abs=1e-3)
