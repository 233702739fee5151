"""What holds for every algorithm: the hard twin as β grows, derivatives, precision, samples on their own, one graph."""

from __future__ import annotations

import functools
import itertools
import math
import warnings
from collections.abc import Callable
from typing import NamedTuple

import hypothesis
import hypothesis.strategies as st
import networkx
import numpy as np
import pytest
import torch
from scipy.sparse import csgraph
from torch import Tensor

from renderer import algorithms as alg
from renderer.relax.program import RelaxationWarning

F64 = torch.float64
SHARP = 1e4
BATCH = 3
WEIGHTS, CAPACITY, FAR = [1, 2, 3, 2, 1], 5, 100
GRID, VERTICES = (3, 4), 5

Tensors = tuple[Tensor, ...]


class Algorithm(NamedTuple):
    """An algorithm, inputs for it from whole numbers below a number of levels, so with many ties, and its twin."""

    relaxed: Callable[..., Tensor]
    inputs: Callable[[Callable[..., Tensor]], Tensors]
    twin: Callable[..., np.ndarray | list | float]  # of one sample
    tied: type = float  # what ties are made of: int where the outcome of a tie matters
    slack: float = 1e-9  # of the twin, at β = SHARP: 0 but for free energies, which count the ways
    smooth: Callable[[Tensors], Tensors] = lambda inputs: inputs  # into the domain, where it has a derivative


def symbols(codes: Tensor) -> Tensor:
    return torch.nn.functional.one_hot(codes.long() % 3, 3).double()


def cheapest(n: int, m: int, step: Callable[[int, int, Callable[[int, int], float]], float]) -> float:
    """A dynamic program by its recursion."""

    @functools.cache
    def cell(i: int, j: int) -> float:
        return step(i, j, cell)

    return cell(n, m)


def levenshtein(a: np.ndarray, b: np.ndarray) -> float:
    def step(i: int, j: int, cell: Callable[[int, int], float]) -> float:
        if i == 0 or j == 0:
            return 2.0 * i + 1.5 * j
        differ = 0.0 if (a[i - 1] == b[j - 1]).all() else 3.0
        return min(cell(i - 1, j) + 2.0, cell(i, j - 1) + 1.5, cell(i - 1, j - 1) + differ)

    return cheapest(len(a), len(b), step)


def common(a: np.ndarray, b: np.ndarray) -> float:
    def step(i: int, j: int, cell: Callable[[int, int], float]) -> float:
        if i == 0 or j == 0:
            return 0.0
        same = (a[i - 1] == b[j - 1]).all()
        return cell(i - 1, j - 1) + 1 if same else max(cell(i - 1, j), cell(i, j - 1))

    return cheapest(len(a), len(b), step)


def warped(costs: np.ndarray) -> float:
    def step(i: int, j: int, cell: Callable[[int, int], float]) -> float:
        before = [cell(k, m) for k, m in ((i - 1, j), (i, j - 1), (i - 1, j - 1)) if k >= 0 and m >= 0]
        return float(costs[i, j]) + (min(before) if before else 0.0)

    return cheapest(costs.shape[0] - 1, costs.shape[1] - 1, step)


def packed(values: np.ndarray) -> float:
    subsets = itertools.product([0, 1], repeat=len(values))
    return max(float(np.dot(s, values)) for s in subsets if np.dot(s, WEIGHTS) <= CAPACITY)


def walked(costs: np.ndarray) -> np.ndarray:
    """Distances on the grid by Dijkstra's algorithm, not of this package."""
    height, width = costs.shape
    graph = networkx.DiGraph()
    vertices = list(itertools.product(range(height), range(width)))
    for (i, j), (k, m) in itertools.permutations(vertices, 2):
        if max(abs(i - k), abs(j - m)) == 1:
            graph.add_edge((i, j), (k, m), weight=float(costs[k, m]))
    lengths = networkx.single_source_dijkstra_path_length(graph, (0, 0))
    return costs[0, 0] + np.array([lengths[v] for v in vertices]).reshape(height, width)


def nearest(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    squared = ((points[:, None] - centres[None]) ** 2).sum(-1)
    return np.eye(len(centres))[squared.argmin(1)]


def stable(keys: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return rows[np.argsort(keys, kind="stable")]


def inside(point: np.ndarray, triangles: np.ndarray) -> float:
    """By barycentric coordinates."""
    for a, b, c in triangles:
        u, v = np.linalg.solve(np.stack([b - a, c - a], 1), point - a)
        if u > 0 and v > 0 and u + v < 1:
            return 1.0
    return 0.0


def triangles(whole: Callable[..., Tensor]) -> Tensors:
    """Corners on whole numbers, of triangles that are none too flat, and a point that no edge can meet."""
    corners = whole(BATCH, 3, 3, 2)
    corners[..., 1, 0] += 7.0
    corners[..., 2, 1] += 11.0
    return whole(BATCH, 2) + torch.tensor([2.3137, 3.5713], dtype=F64), corners


def apart(inputs: Tensors) -> Tensors:
    """Without ties, at which a minimum has no derivative."""
    generator = torch.Generator().manual_seed(1)
    return tuple(t + torch.rand(t.shape, dtype=F64, generator=generator) for t in inputs)


ALGORITHMS = {
    "bubble_sort": Algorithm(alg.bubble_sort, lambda w: (w(BATCH, 5),), np.sort),
    "bubble_sort of integers": Algorithm(alg.bubble_sort, lambda w: (w(BATCH, 5),), np.sort, int),
    "bubble_sort_rows": Algorithm(
        lambda k, r, **o: alg.bubble_sort_rows(k, r, **o)[1], lambda w: (w(BATCH, 4), w(BATCH, 4, 2)), stable, int
    ),
    "insertion_sort": Algorithm(alg.insertion_sort, lambda w: (w(BATCH, 5),), np.sort),
    "binary_search": Algorithm(
        alg.binary_search, lambda w: (w(BATCH, 6).sort(1).values, w(BATCH)), lambda a, x: np.searchsorted(a, x), int
    ),
    "dijkstra": Algorithm(
        lambda w, **o: alg.dijkstra(w, 0, FAR if w.dtype == torch.int64 else float(FAR), **o),
        lambda w: (1 + w(BATCH, VERTICES, VERTICES),),
        lambda w: csgraph.dijkstra(w, indices=0),
        int,
    ),
    "floyd_warshall": Algorithm(
        alg.floyd_warshall, lambda w: (1 + w(BATCH, VERTICES, VERTICES),), csgraph.floyd_warshall, slack=2e-3
    ),
    "bellman_ford": Algorithm(alg.bellman_ford, lambda w: (1 + w(BATCH, *GRID),), walked, slack=2e-3),
    "edit_distance": Algorithm(
        lambda a, b, **o: alg.edit_distance(a, b, deletion=2.0, insertion=1.5, substitution=3.0, **o),
        lambda w: (symbols(w(BATCH, 5)), symbols(w(BATCH, 4))),
        levenshtein,
        slack=2e-3,
    ),
    "lcs": Algorithm(alg.lcs, lambda w: (symbols(w(BATCH, 5)), symbols(w(BATCH, 4))), common, slack=2e-3),
    "dtw": Algorithm(alg.dtw, lambda w: (w(BATCH, 4, 5),), warped, slack=2e-3),
    "knapsack": Algorithm(
        lambda v, **o: alg.knapsack(v, weights=WEIGHTS, capacity=CAPACITY, **o),
        lambda w: (w(BATCH, 5),),
        packed,
        slack=2e-3,
    ),
    "kmeans_assign": Algorithm(alg.kmeans_assign, lambda w: (w(BATCH, 4, 2), w(BATCH, 3, 2)), nearest, int),
    "covered": Algorithm(alg.covered, triangles, inside),
}
HARD = ("mean", "hard")  # the other kinds of minimum


def whole_numbers(seed: int, levels: int) -> Callable[..., Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return lambda *shape: torch.randint(levels, shape, generator=generator).double()


def smooth_inputs(name: str) -> Tensors:
    return apart(ALGORITHMS[name].inputs(whole_numbers(3, 4)))


REAL = [name for name in ALGORITHMS if "integers" not in name]


@pytest.mark.parametrize("name", list(ALGORITHMS))
def test_it_becomes_its_hard_twin_ties_included(name: str) -> None:
    algorithm = ALGORITHMS[name]

    @hypothesis.settings(max_examples=12, deadline=None, derandomize=True)
    @hypothesis.given(seed=st.integers(0, 2**32), levels=st.integers(1, 6))
    def check(seed: int, levels: int) -> None:
        inputs = algorithm.inputs(whole_numbers(seed, levels))
        expected = [algorithm.twin(*(t[b].numpy() for t in inputs)) for b in range(BATCH)]
        given = [t.long() for t in inputs] if algorithm.tied is int else inputs
        found = algorithm.relaxed(*given, beta=SHARP)
        wanted = torch.as_tensor(np.array(expected)).to(found.dtype)
        torch.testing.assert_close(found, wanted, rtol=0, atol=max(algorithm.slack, 1e-6 * (found.dtype != F64)))

    check()


@pytest.mark.parametrize("kind", HARD)
@pytest.mark.parametrize("name", ["edit_distance", "lcs", "dtw", "knapsack"])
def test_other_kinds_of_minimum_become_it_too(name: str, kind: str) -> None:
    algorithm = ALGORITHMS[name]
    inputs = algorithm.inputs(whole_numbers(5, 3))
    expected = [algorithm.twin(*(t[b].numpy() for t in inputs)) for b in range(BATCH)]
    found = algorithm.relaxed(*inputs, beta=SHARP, kind=kind)
    torch.testing.assert_close(found, torch.tensor(expected, dtype=F64), rtol=0, atol=algorithm.slack)


@pytest.mark.parametrize("name", REAL)
def test_gradients(name: str) -> None:
    inputs = tuple(t[:2].clone().requires_grad_() for t in smooth_inputs(name))
    assert torch.autograd.gradcheck(lambda *v: ALGORITHMS[name].relaxed(*v, beta=1.3), inputs, fast_mode=True)


def value_and_gradients(run: Callable[..., Tensor], inputs: Tensors) -> Tensors:
    """A result, and the gradients of a weighted sum of it in each input."""
    leaves = [t.clone().requires_grad_() for t in inputs]
    y = run(*leaves)
    weights = 1 + torch.arange(y[0].numel(), dtype=y.dtype).reshape(y.shape[1:])
    return (y.detach(), *torch.autograd.grad((y * weights).sum(), leaves))


@pytest.mark.parametrize("name", REAL)
def test_samples_do_not_depend_on_each_other(name: str) -> None:
    run = functools.partial(ALGORITHMS[name].relaxed, beta=2.0)
    inputs = smooth_inputs(name)
    together = value_and_gradients(run, inputs)
    wild = tuple(torch.cat([t[:1], 300.0 * t[1:]]) for t in inputs)
    for b in range(BATCH):
        alone = value_and_gradients(run, tuple(t[b : b + 1] for t in inputs))
        for one, all_of_them in zip(alone, together, strict=True):
            torch.testing.assert_close(one, all_of_them[b : b + 1], rtol=1e-13, atol=1e-14)
    for calm, beside in zip(together, value_and_gradients(run, wild), strict=True):
        torch.testing.assert_close(beside[:1], calm[:1], rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", REAL)
def test_precision_is_that_of_the_inputs(name: str) -> None:
    inputs = smooth_inputs(name)
    precise = ALGORITHMS[name].relaxed(*inputs, beta=2.0)
    single = ALGORITHMS[name].relaxed(*(t.float() for t in inputs), beta=2.0)
    assert (precise.dtype, single.dtype) == (F64, torch.float32)
    torch.testing.assert_close(single.double(), precise, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_it_compiles_to_one_graph(name: str) -> None:
    torch._dynamo.reset()
    # Of what a loop holds a compiler knows nothing: it runs to its end, static or `max_iter`.
    rounds = {"max_iter": 4} if name == "binary_search" else {}
    run = functools.partial(ALGORITHMS[name].relaxed, beta=2.0, **rounds)
    compiled = torch.compile(lambda *v: run(*v), fullgraph=True, backend="aot_eager")
    inputs = smooth_inputs(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RelaxationWarning)
        expected = value_and_gradients(run, inputs)
    for one, other in zip(value_and_gradients(compiled, inputs), expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["bubble_sort", "insertion_sort"])
def test_infinity_is_sorted_and_stays(name: str) -> None:
    x = torch.tensor([[3.0, math.inf, 1.0, 2.0], [2.0, -math.inf, math.inf, math.inf]], dtype=F64, requires_grad=True)
    y = ALGORITHMS[name].relaxed(x, beta=SHARP)
    torch.testing.assert_close(y, x.detach().sort(1).values)
    (gradient,) = torch.autograd.grad(y[y.isfinite()].sum(), x)
    torch.testing.assert_close(gradient, x.detach().isfinite().double())


def test_no_path_is_infinitely_long() -> None:
    costs = torch.rand(2, *GRID, dtype=F64)
    costs[0, :, 1] = math.inf
    found = alg.bellman_ford(costs.requires_grad_(), beta=3.0)
    assert found[0, :, 1:].isinf().all()
    assert found[1].isfinite().all()
    assert torch.autograd.grad(found[found.isfinite()].sum(), costs)[0].isfinite().all()
    weights = torch.rand(2, 4, 4, dtype=F64)
    weights[0, :, 2] = math.inf
    found = alg.floyd_warshall(weights.requires_grad_(), beta=3.0)
    assert found[0, [0, 1, 3], 2].isinf().all()
    assert int(found.isinf().sum()) == 3
    assert torch.autograd.grad(found[found.isfinite()].sum(), weights)[0].isfinite().all()


@pytest.mark.parametrize("kind", ["logsumexp", *HARD])
def test_no_alignment_costs_infinitely_much(kind: str) -> None:
    costs = torch.rand(2, 3, 4, dtype=F64)
    costs[0, 1, :], costs[1, 1, 1] = math.inf, math.inf  # every path is blocked; some are
    found = alg.dtw(costs.requires_grad_(), beta=3.0, kind=kind)
    assert found[0] == math.inf
    assert found[1] < 6
    assert torch.autograd.grad(found[1], costs)[0].isfinite().all()
    long, short = symbols(torch.zeros(1, 3)), symbols(torch.zeros(1, 2))
    assert alg.edit_distance(long, short, beta=3.0, deletion=math.inf, kind=kind) == math.inf
    assert alg.edit_distance(short, long, beta=SHARP, deletion=math.inf, kind=kind) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("program", "inputs"),
    [
        (alg.bubble_sort, lambda w: (w(BATCH, 2),)),
        (alg.insertion_sort, lambda w: (w(BATCH, 2),)),
        (alg.covered, triangles),
    ],
)
def test_merging_is_exact_for_one_comparison_and_for_independent_ones(program, inputs) -> None:
    given = apart(inputs(whole_numbers(0, 3)))
    merged, exact = program(*given, beta=0.7), program(*given, beta=0.7, semantics="path")
    torch.testing.assert_close(merged, exact, rtol=0, atol=1e-12)
    assert not torch.equal(merged, program.hard(*given))


def test_types_that_do_not_fit_are_refused() -> None:
    whole = torch.ones(1, 2, 3, dtype=torch.long)
    for call, message in (
        (lambda: alg.dtw(whole, beta=1.0), "costs: expected real numbers"),
        (lambda: alg.bellman_ford(whole, beta=1.0), "costs: expected real numbers"),
        (lambda: alg.knapsack(whole[0], weights=[1, 1, 1], capacity=2, beta=1.0), "values: expected real numbers"),
        (lambda: alg.edit_distance(whole, whole, beta=1.0), "of one real type"),
        (lambda: alg.lcs(whole.float(), whole.double(), beta=1.0), "of one real type"),
    ):
        with pytest.raises(ValueError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
