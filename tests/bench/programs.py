"""Relaxed programs against AlgoVision, if that is installed: CPU milliseconds. `python -m tests.bench.programs`."""

from __future__ import annotations

import json
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from renderer.algorithms import bellman_ford, dtw, edit_distance
from renderer.relax import program
from tests.bench import environment

REPEATS = 30
RESULTS = Path(__file__).parent / "results" / "programs.json"


@program.relax(beta=5.0)
def bubble_sort(a):
    n, swapped, swaps = len(a) - 1, True, 0
    while swapped:
        swapped = False
        for i in range(n):
            if a[i] > a[i + 1]:
                a[i], a[i + 1] = a[i + 1], a[i]
                swapped = True
                swaps += 1
        n -= 1
    return a, swaps


def peer_bubble_sort() -> Callable[[Tensor], Any]:
    """The same program, with AlgoVision's instructions."""
    from algovision import GT, Algorithm, For, If, Input, IsTrue, Let, LetInt, Output, Var, VarInt, While

    def number(value: float) -> Tensor:
        return torch.tensor(value)

    swap = [
        Let("array", [lambda i: i + 1], "a"),
        Let("array", ["i"], "b"),
        Let("swapped", 1.0),
        Let("swaps", lambda swaps: swaps + 1.0),
    ]
    one = For("i", "n", Let("a", "array", ["i"]), Let("b", "array", [lambda i: i + 1]), If(GT("a", "b"), if_true=swap))
    names = [Var("a", number(0.0)), Var("b", number(0.0)), Var("swapped", number(1.0)), Var("swaps", number(0.0))]
    return Algorithm(
        Input("array"),
        *names,
        VarInt("n", lambda array: array.shape[1] - 1),
        While(IsTrue("swapped"), Let("swapped", 0), one, LetInt("n", lambda n: n - 1)),
        Output("array"),
        Output("swaps"),
        beta=5,
    )


def cpu_ms(run: Callable[[], object], repeats: int) -> float:
    times = []
    for i in range(repeats + 2):
        start = time.process_time()
        run()
        if i >= 2:
            times.append((time.process_time() - start) * 1e3)
    return statistics.median(times)


def row(run: Callable[[Tensor], Any], x: Tensor, repeats: int = REPEATS) -> dict[str, float]:
    """Median CPU milliseconds of forward, and of forward and backward."""
    leaf = x.clone().requires_grad_()

    def both() -> None:
        result = run(leaf)
        parts = result if isinstance(result, tuple) else (result,)
        torch.autograd.grad(sum(p.sum() for p in parts), leaf)

    return {"forward_ms": cpu_ms(lambda: run(leaf), repeats), "forward_backward_ms": cpu_ms(both, repeats)}


def main() -> None:
    torch.manual_seed(0)
    results: dict[str, Any] = {"environment": environment.describe()}
    letters = torch.softmax(torch.randn(32, 4, 26), -1)
    other = torch.softmax(torch.randn(32, 4, 26), -1)
    results["bubble_sort_5"] = row(bubble_sort, torch.randn(32, 5))
    results["bellman_ford_12x12_25"] = row(
        lambda c: bellman_ford(c, beta=5.0, iterations=25), torch.rand(32, 12, 12) + 0.5
    )
    results["levenshtein_4x4"] = row(lambda a: edit_distance(a, other, beta=5.0), letters)
    results["dtw_128x128"] = row(lambda c: dtw(c, beta=5.0), torch.rand(32, 128, 128), 5)
    try:
        peer = peer_bubble_sort()
    except ImportError:
        print("algovision is not installed: no comparison")
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results["peer_bubble_sort_5"] = row(peer, torch.randn(32, 5))
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
