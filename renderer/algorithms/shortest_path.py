"""Shortest paths on grids: Bellman–Ford over all walks, relaxed exactly.

The relaxed distance is the free energy of all walks, −ln(Σ exp(−β · cost))/β, whose gradient in the costs is the
probability that a walk visits each vertex. A walk's weight is the product of its vertices' weights exp(−β · cost), so
the sum over walks needs no logarithm: one step is `z ← w · (sum of the neighbours' z + source)`.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from renderer.relax.comparisons import check_beta
from renderer.relax.parameters import Scalar

# Below this weight of a walk float64 has lost digits, or all: such samples go on in logarithms.
SMALLEST_WEIGHT = 1e-290
NEIGHBOURS = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]


def bellman_ford(
    costs: Float[Tensor, "batch H W"],
    *,
    beta: Scalar,
    source: tuple[int, int] = (0, 0),
    iterations: int | None = None,
) -> Float[Tensor, "batch H W"]:
    """Relaxed distances from `source` on grids with 8 neighbours and vertex costs ≥ 0, both ends' costs included.

    Over all walks of at most `iterations` steps (None: H·W − 1, as many as a shortest path may have); inf where none
    of finite cost leads. As β grows, what Bellman–Ford finds. Differentiable in costs, any number of times, and in β.

    Raises ValueError for costs of another shape or sign, and a source outside of the grid.

    Bellman 1958; the setting is that of Vlastelica et al., "Differentiation of Blackbox Combinatorial Solvers", 2020.

    >>> bellman_ford(torch.ones(1, 3, 3), beta=100.0)[0, 2, 2]
    tensor(3.0)
    """
    check_beta(beta)
    if costs.dim() != 3 or not costs.is_floating_point():
        raise ValueError(f"costs: expected real numbers of shape (B, H, W), got {costs.dtype} of {tuple(costs.shape)}")
    height, width = costs.shape[1:]
    if not (0 <= source[0] < height and 0 <= source[1] < width):
        raise ValueError(f"source: expected a vertex of a {height} × {width} grid, got {source}")
    if not torch.compiler.is_compiling() and bool((costs < 0).any()):
        raise ValueError(f"costs: expected numbers >= 0, got {float(costs.min())}")
    steps = height * width - 1 if iterations is None else iterations
    if steps < 0:
        raise ValueError(f"iterations: expected at least 0, got {steps}")
    reached = _reached(costs, source, steps)
    if torch.compiler.is_compiling():  # what the weights will be is not known: logarithms serve always
        return torch.where(reached, _in_logarithms(costs, beta, source, steps), math.inf)
    weights = _walks(costs, beta, source, steps)
    tiny = ((weights.detach() < SMALLEST_WEIGHT) & reached).flatten(1).any(1)
    safe = torch.where(reached & ~tiny[:, None, None], weights, 1.0)
    distances = (-torch.log(safe) / _double(beta)).to(costs.dtype)
    if bool(tiny.any()):
        chosen = tiny.nonzero().squeeze(1)
        distances = distances.index_copy(0, chosen, _in_logarithms(costs[chosen], beta, source, steps))
    return torch.where(reached, distances, math.inf)


def path_probability(
    costs: Float[Tensor, "batch H W"],
    *,
    beta: Scalar,
    source: tuple[int, int] = (0, 0),
    target: tuple[int, int] = (-1, -1),
    iterations: int | None = None,
) -> Float[Tensor, "batch H W"]:
    """Expected visits of every vertex by a walk from `source` to `target`: the relaxed shortest path.

    The gradient of the relaxed distance in the costs, itself differentiable; as β grows 1 on the shortest path and 0
    elsewhere.
    """
    with torch.enable_grad():
        leaf = costs if costs.requires_grad else costs.detach().requires_grad_()
        distance = bellman_ford(leaf, beta=beta, source=source, iterations=iterations)[:, target[0], target[1]]
        (visits,) = torch.autograd.grad(distance.sum(), leaf, create_graph=costs.requires_grad)
    return visits


def shortest_path(
    costs: Float[Tensor, "batch H W"], *, source: tuple[int, int] = (0, 0), target: tuple[int, int] = (-1, -1)
) -> Tensor:
    """The shortest paths themselves, (B, H, W) of zeros and ones, by Bellman–Ford in float64; no gradient.

    Of several equally short ones the same is always returned.
    """
    height, width = costs.shape[1:]
    exact = costs.detach().double()
    goal = (target[0] % height, target[1] % width)
    distance = torch.full_like(exact, math.inf)
    distance[:, source[0], source[1]] = exact[:, source[0], source[1]]
    while True:
        shorter = torch.minimum(distance, _around(distance).amin(0) + exact)
        if torch.equal(shorter, distance):
            break
        distance = shorter
    # From the goal back, always to the nearest neighbour, until all have arrived.
    steps = torch.tensor(NEIGHBOURS, device=costs.device)
    nearest = _around(distance).argmin(0)
    samples = torch.arange(len(costs), device=costs.device)
    row, column = (torch.full_like(samples, place) for place in goal)
    found = torch.zeros_like(costs)
    while True:
        found[samples, row, column] = 1
        away = (row != source[0]) | (column != source[1])
        if not bool(away.any()):
            return found
        step = steps[nearest[samples, row, column]] * away[:, None]
        row, column = row + step[:, 0], column + step[:, 1]


def _around(values: Tensor) -> Tensor:
    """The values of the 8 neighbours, (8, B, H, W); inf outside of the grid."""
    height, width = values.shape[1:]
    framed = torch.nn.functional.pad(values, (1, 1, 1, 1), value=math.inf)
    return torch.stack([framed[:, 1 + i : 1 + i + height, 1 + j : 1 + j + width] for i, j in NEIGHBOURS])


def _double(beta: Scalar) -> Scalar:
    return beta.double() if isinstance(beta, Tensor) else beta


def _reached(costs: Tensor, source: tuple[int, int], steps: int) -> Tensor:
    """Whether a walk of at most that many steps, one to any of 8 neighbours, leads to a vertex."""
    height, width = costs.shape[1:]
    rows = (torch.arange(height, device=costs.device) - source[0]).abs()
    columns = (torch.arange(width, device=costs.device) - source[1]).abs()
    return torch.maximum(rows[:, None], columns[None, :]) <= steps


def _walks(costs: Tensor, beta: Scalar, source: tuple[int, int], steps: int) -> Tensor:
    """Σ over walks to every vertex of exp(−β · cost), in float64."""
    height, width = costs.shape[1:]
    w = torch.exp(-costs.double() * _double(beta))
    start = torch.zeros(height, width, dtype=torch.float64, device=costs.device)
    start[source] = 1.0
    rows, columns = (_band(size, costs.device) for size in (height, width))
    z = w * start
    for _ in range(steps):
        # The 3 × 3 sum less its centre: that is at most half of it, so nothing cancels.
        z = w * (rows @ (z @ columns) - z + start)
    return z


def _band(size: int, device: torch.device) -> Tensor:
    """The matrix that adds an element's two neighbours to it."""
    i = torch.arange(size, device=device)
    return ((i[:, None] - i[None, :]).abs() <= 1).double()


def _in_logarithms(costs: Tensor, beta: Scalar, source: tuple[int, int], steps: int) -> Tensor:
    """The same distances for any range of costs, by soft minima over the neighbours; slower."""
    beta = _double(beta)
    scaled = costs.double() * beta
    height, width = costs.shape[1:]
    blocked = -torch.finfo(torch.float64).max / 4  # in place of −inf, whose differences are NaN
    start = torch.full((height, width), blocked, dtype=torch.float64, device=costs.device)
    start[source] = 0.0
    level = start - scaled
    for _ in range(steps):
        around = _around(-level).clamp(max=-blocked)
        level = torch.logsumexp(torch.cat([-around, start.expand_as(level)[None]]), 0) - scaled
    none = level < blocked / 2  # every walk passes an infinite cost
    return torch.where(none, math.inf, -torch.where(none, 0.0, level) / beta).to(costs.dtype)
