"""Shortest paths in graphs given by their weights: Dijkstra as a relaxed program, Floyd–Warshall in vector form."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from renderer.relax.comparisons import check_beta
from renderer.relax.parameters import Scalar
from renderer.relax.program import argmin, relax

# In place of inf in logarithms: sums of it stay finite in float32, and times β up to 1e7.
BLOCKED = 1e30


@relax(beta=8.0)
def dijkstra(weights: Any, source: int, far: float) -> Any:
    """Distances (B, n) from vertex `source` in a graph with weights (B, n, n) ≥ 0.

    `far` is more than any distance: the weight to give where there is no edge, and what a vertex without a path gets
    (or more). Finite, because the vertex to go on from is a mixture, and an infinity of any share would fill it all.
    So it is of vertices at equal real distances, at any β; with integer weights and an integer `far` the first is next.
    """
    n = len(weights)
    distance = [far if v != source else 0 for v in range(n)]
    done = [False for _ in range(n)]
    for _ in range(n):
        u = argmin([distance[v] + (2 * far if done[v] else 0) for v in range(n)])
        done[u] = True
        base, row = distance[u], weights[u]
        for v in range(n):
            through = base + row[v]
            if through < distance[v]:
                distance[v] = through
    return distance


def floyd_warshall(weights: Float[Tensor, "batch n n"], *, beta: Scalar) -> Float[Tensor, "batch n n"]:
    """Relaxed distances between all pairs: the free energy of all paths, each vertex at most once between the ends.

    Weights ≥ 0, inf where there is no edge; the distance of a vertex to itself is 0. As β grows, what Floyd–Warshall
    finds. Raises ValueError for weights that are no square matrices, or negative.
    """
    check_beta(beta)
    if weights.dim() != 3 or weights.shape[1] != weights.shape[2]:
        raise ValueError(f"weights: expected shape (B, n, n), got {tuple(weights.shape)}")
    if not torch.compiler.is_compiling() and bool((weights < 0).any()):
        raise ValueError(f"weights: expected numbers >= 0, got {float(weights.min())}")
    n = weights.shape[1]
    others = ~torch.eye(n, dtype=torch.bool, device=weights.device)
    level = torch.where(weights.isinf(), -BLOCKED, -beta * torch.where(weights.isinf(), 0.0, weights))
    for k in range(n):
        through = level[:, :, k : k + 1] + level[:, k : k + 1, :]
        new = others.clone()  # a path over k that begins or ends there is an old one
        new[k, :] = new[:, k] = False
        level = torch.where(new, torch.logaddexp(level, through), level)
    blocked = level < -BLOCKED / 2
    distances = torch.where(blocked, math.inf, -torch.where(blocked, 0.0, level) / beta)
    return torch.where(others, distances, 0.0)


def grid_weights(
    costs: Float[Tensor, "batch H W"], *, far: float = math.inf
) -> Float[Tensor, "batch vertices vertices"]:
    """A grid with vertex costs and 8 neighbours as a graph: weight (u, v) is the cost of v, `far` if apart."""
    height, width = costs.shape[1:]
    row = torch.arange(height, device=costs.device).repeat_interleave(width)
    column = torch.arange(width, device=costs.device).repeat(height)
    apart = torch.maximum((row[:, None] - row).abs(), (column[:, None] - column).abs())
    return torch.where(apart == 1, costs.flatten(1)[:, None, :], far)
