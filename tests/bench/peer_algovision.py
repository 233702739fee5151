"""The programs of the benchmark in AlgoVision's instructions; ImportError if that is not installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from algovision import (
    GT,
    LT,
    Algorithm,
    CatProbEq,
    For,
    If,
    Input,
    IsTrue,
    Let,
    LetInt,
    Min,
    Output,
    Var,
    VarInt,
    While,
)
from torch import Tensor

FAR = 1e6  # in place of inf, which its mixtures turn into NaN


def bubble_sort(*, beta: float) -> Callable[[Tensor], Any]:
    """As the program of the benchmark: the array, and the number of swaps."""
    swap = [
        Let("array", [lambda i: i + 1], "a"),
        Let("array", ["i"], "b"),
        Let("swapped", 1.0),
        Let("swaps", lambda swaps: swaps + 1.0),
    ]
    one = For("i", "n", Let("a", "array", ["i"]), Let("b", "array", [lambda i: i + 1]), If(GT("a", "b"), if_true=swap))
    zero, sure = torch.tensor(0.0), torch.tensor(1.0)
    return Algorithm(
        Input("array"),
        *(Var("a", zero), Var("b", zero), Var("swapped", sure), Var("swaps", zero)),
        VarInt("n", lambda array: array.shape[1] - 1),
        While(IsTrue("swapped"), Let("swapped", 0), one, LetInt("n", lambda n: n - 1)),
        Output("array"),
        Output("swaps"),
        beta=beta,
    )


def bellman_ford(*, beta: float, iterations: int) -> Callable[[Tensor], Tensor]:
    """Distances on grids with vertex costs and 8 neighbours: a soft minimum of the neighbours, and a soft `if`."""
    neighbours = [(i, j) for i in range(3) for j in range(3) if (i, j) != (1, 1)]
    least = Min(beta)

    def around(distance: Tensor) -> list[Tensor]:
        height, width = distance.shape[1:]
        framed = torch.nn.functional.pad(distance, (1, 1, 1, 1), value=FAR)
        return [framed[:, i : i + height, j : j + width] for i, j in neighbours]

    def start(costs: Tensor) -> Tensor:
        first = torch.full(costs.shape[1:], FAR)
        first[0, 0] = 0
        return first

    return Algorithm(
        Input("costs"),
        Var("distance", start),
        Var("through", start),
        Let("distance", lambda distance, costs: torch.where(distance == 0, costs, distance)),
        For(
            "i",
            iterations,
            Let("through", lambda distance, costs: least(*around(distance)) + costs),
            If(LT("through", "distance"), if_true=Let("distance", "through")),
        ),
        Output("distance"),
        beta=beta,
    )


def edit_distance(*, beta: float, length: int) -> Callable[[Tensor, Tensor], Tensor]:
    """Levenshtein's recursion over two strings of class probabilities: a soft `if` and a soft minimum in every cell."""
    least = Min(beta)
    table = torch.zeros(length + 1, length + 1)
    table[0], table[:, 0] = torch.arange(length + 1.0), torch.arange(length + 1.0)

    def cheapest(d: Tensor, i: int, j: int) -> Tensor:
        return least(d[:, i, j + 1], d[:, i + 1, j], d[:, i, j]) + 1

    cell = If(
        CatProbEq(lambda a, i: a[:, i], lambda b, j: b[:, j]),
        if_true=Let("cost", lambda d, i, j: d[:, i, j]),
        if_false=Let("cost", cheapest),
    )
    write = Let("d", [lambda i: i + 1, lambda j: j + 1], "cost")
    return Algorithm(
        Input("a"),
        Input("b"),
        Var("d", table),
        Var("cost", torch.tensor(0.0)),
        For("i", length, For("j", length, cell, write)),
        Let("cost", "d", [length, length]),
        Output("cost"),
        beta=beta,
    )
