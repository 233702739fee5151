"""Alignments of two sequences: edit distance, dynamic time warping, longest common subsequence.

One recursion, over tables of (n + 1) × (m + 1) cells, serves all three. It runs along anti-diagonals, whose cells do
not depend on each other: n + m steps on vectors.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from renderer.relax.comparisons import EXTREMA, Extremum, check_beta
from renderer.relax.comparisons import min as relaxed_min
from renderer.relax.parameters import Scalar

# In place of inf: sums of it stay finite in float32, and times β up to 1e7.
BLOCKED = 1e30


def edit_distance(
    a: Float[Tensor, "batch n classes"],
    b: Float[Tensor, "batch m classes"],
    *,
    beta: Scalar,
    deletion: Scalar = 1.0,
    insertion: Scalar = 1.0,
    substitution: Scalar = 1.0,
    kind: Extremum = "logsumexp",
) -> Float[Tensor, "batch"]:
    """Relaxed weighted Levenshtein distance between strings of class probabilities (one-hot: characters).

    A pair of characters costs `substitution` times the probability that they differ, 1 − Σ aᵢ bⱼ. `kind` is that of
    the minimum: "logsumexp" is the free energy of all alignments, at most ln(their number)/β below the distance.

    inf where none is possible. Raises ValueError for shapes that do not fit.
    """
    _check(beta, kind)
    _check_strings(a, b)
    differ = substitution * (1 - a @ b.transpose(1, 2))
    return align(_bordered(differ), deletion, insertion, beta, kind)


def lcs(
    a: Float[Tensor, "batch n classes"],
    b: Float[Tensor, "batch m classes"],
    *,
    beta: Scalar,
    kind: Extremum = "logsumexp",
) -> Float[Tensor, "batch"]:
    """Relaxed length of the longest common subsequence of two strings of class probabilities.

    A pair counts for the probability that its characters agree, Σ aᵢ bⱼ. Raises ValueError for shapes that do not fit.
    """
    _check(beta, kind)
    _check_strings(a, b)
    return -align(_bordered(-(a @ b.transpose(1, 2))), 0.0, 0.0, beta, kind)


def dtw(costs: Float[Tensor, "batch n m"], *, beta: Scalar, kind: Extremum = "logsumexp") -> Float[Tensor, "batch"]:
    """Relaxed cost of dynamic time warping for the costs of all pairs of elements.

    With "logsumexp" this is soft-DTW, the free energy of all warping paths; its gradient is the probability that a
    path visits each pair. Costs of any sign, inf where a pair is forbidden; the result is inf where every path is.
    Raises ValueError for costs of another shape or type.

    Cuturi and Blondel, "Soft-DTW: a Differentiable Loss Function for Time-Series", ICML 2017.
    """
    _check(beta, kind)
    if costs.dim() != 3 or 0 in costs.shape[1:] or not costs.is_floating_point():
        raise ValueError(
            "costs: expected real numbers of shape (B, n, m), n and m at least 1, "
            f"got {costs.dtype} of {tuple(costs.shape)}"
        )
    return align(_bordered(costs), None, None, beta, kind)


def _check(beta: Scalar, kind: str) -> None:
    check_beta(beta)
    if kind not in EXTREMA:
        raise ValueError(f"kind: expected one of {', '.join(EXTREMA)}, got {kind!r}")


def _check_strings(a: Tensor, b: Tensor) -> None:
    shapes = a.dim() == b.dim() == 3 and a.shape[::2] == b.shape[::2]
    if not shapes or not a.is_floating_point() or a.dtype != b.dtype:
        raise ValueError(
            "a, b: expected shapes (B, n, classes) and (B, m, classes) of one real type, "
            f"got {tuple(a.shape)} of {a.dtype} and {tuple(b.shape)} of {b.dtype}"
        )


def _bordered(costs: Tensor) -> Tensor:
    """Costs of pairs with a row and a column before them that belong to no pair."""
    return torch.nn.functional.pad(costs, (1, 0, 1, 0), value=BLOCKED)


def align(
    pairs: Float[Tensor, "batch n+1 m+1"],
    deletion: Scalar | None,
    insertion: Scalar | None,
    beta: Scalar,
    kind: Extremum,
) -> Float[Tensor, "batch"]:
    """Cell (n, m) of D[i, j] = min(D[i−1, j] + deletion, D[i, j−1] + insertion, D[i−1, j−1] + pairs[i, j]).

    D[0, 0] = 0. Where deletion and insertion are None, all three ways cost pairs[i, j].
    """
    batch, rows, columns = pairs.shape
    if rows == 1 or columns == 1:  # one of the strings is empty
        step = deletion if columns == 1 else insertion
        return pairs.new_zeros(batch) + (rows + columns - 2) * (0.0 if step is None else step)
    energy = kind == "logsumexp"
    sign = -beta if energy else 1.0  # free energies add up in units of −1/β
    blocked = -BLOCKED if energy else BLOCKED
    valid = torch.where(pairs < BLOCKED, pairs, 0.0) * sign
    by_diagonal = skew(torch.where(pairs < BLOCKED, valid, blocked), blocked)
    if deletion is not None and insertion is not None:
        steps = _steps(pairs, deletion * sign, insertion * sign, by_diagonal, blocked)
        in_order = None
    else:
        steps, in_order = None, by_diagonal.unbind()
    edge = pairs.new_full((batch, 1), blocked)
    before = pairs.new_full((batch, rows + 1), blocked)  # cells of the diagonal before the last, one blocked cell ahead
    last = torch.cat([edge, pairs.new_zeros(batch, 1), pairs.new_full((batch, rows - 1), blocked)], 1)
    for t in range(1, rows + columns - 1):
        ways = torch.stack([last[:, :-1], last[:, 1:], before[:, :-1]])
        if steps is not None:
            ways = ways + steps[t]
        cell = torch.logsumexp(ways, 0) if energy else relaxed_min(ways, 0, beta=beta, kind=kind)
        if in_order is not None:
            cell = cell + in_order[t]
        before, last = last, torch.cat([edge, cell], 1)
    total = last[:, -1]
    none = total < blocked / 2 if energy else total > blocked / 2
    return torch.where(none, math.inf, torch.where(none, 0.0, total) / sign)


def _steps(
    pairs: Tensor, deletion: Scalar, insertion: Scalar, by_diagonal: Tensor, blocked: float
) -> tuple[Tensor, ...]:
    """The costs of the three ways into the cells of every diagonal, (3, B, n + 1) each."""
    _, rows, columns = pairs.shape
    inside = skew(torch.ones_like(pairs), 0.0) > 0
    i = torch.arange(rows, device=pairs.device)
    t = torch.arange(rows + columns - 1, device=pairs.device)[:, None]
    deletion, insertion = (pairs.new_zeros(()) + step for step in (deletion, insertion))
    down = torch.where(inside & (i > 0) & deletion.isfinite(), deletion, blocked)
    across = torch.where(inside & (t - i > 0)[:, None, :] & insertion.isfinite(), insertion, blocked)
    return torch.stack([down, across, by_diagonal], 1).unbind()


def skew(table: Float[Tensor, "batch n m"], fill: float) -> Float[Tensor, "diagonals batch n"]:
    """The anti-diagonals of a table: element [i + j, :, i] is table[:, i, j], and `fill` where there is none."""
    batch, rows, columns = table.shape
    width = rows + columns - 1
    padded = torch.nn.functional.pad(table, (0, rows), value=fill).flatten(1)
    return padded[:, : rows * width].view(batch, rows, width).permute(2, 0, 1).contiguous()
