"""Relaxed programs against AlgoVision, if that is installed: CPU milliseconds. `python -m tests.bench.programs`.

Rivals take turns of a few calls each, so that what else the machine does falls on both. Of each the median and the
fastest call: on a busy machine the first says what was, the second what the work costs.
"""

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

BETA = 5.0
BATCH = 32
ITERATIONS = 25  # of Bellman-Ford
TURNS = 20
CALLS = 6  # in a turn; the first of them, which finds the caches full of the rival, does not count
RESULTS = Path(__file__).parent / "results" / "programs.json"

Rows = dict[str, dict[str, float]]


@program.relax(beta=BETA)
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


def rows(rivals: dict[str, Callable[..., Any]], *inputs: Tensor, turns: int = TURNS) -> Rows:
    """CPU milliseconds of forward, and of forward and backward, of each rival; how many times as fast as the second."""
    leaves = [x.clone().requires_grad_() for x in inputs]

    def both(run: Callable[..., Any]) -> None:
        result = run(*leaves)
        parts = result if isinstance(result, tuple) else (result,)
        torch.autograd.grad(sum(p.sum() for p in parts), leaves)

    def forward(run: Callable[..., Any]) -> None:
        run(*leaves)

    found: Rows = {name: {} for name in rivals}
    for measured, work in (("forward_ms", forward), ("forward_backward_ms", both)):
        times: dict[str, list[float]] = {name: [] for name in rivals}
        for _ in range(turns):
            for name, run in rivals.items():
                for call in range(CALLS):
                    start = time.process_time()
                    work(run)
                    if call:
                        times[name].append((time.process_time() - start) * 1e3)
        for name, all_times in times.items():
            found[name][measured] = round(statistics.median(all_times), 3)
            found[name][f"{measured}_fastest"] = round(min(all_times), 3)
    if len(rivals) == 2:
        ours, peer = found.values()
        found["times_as_fast"] = {name: round(peer[name] / ours[name], 2) for name in ours}
    return found


def load_peer() -> Any:
    """AlgoVision's programs, or None."""
    try:
        from tests.bench import peer_algovision
    except ImportError:
        print("algovision is not installed: no comparison")
        return None
    return peer_algovision


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    peer = load_peer()

    def with_peer(ours: Callable[..., Any], theirs: Callable[[], Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
        return {"ours": ours} | ({} if peer is None else {"algovision": theirs()})

    letters = torch.softmax(torch.randn(2, BATCH, 4, 26), -1).unbind()
    results: dict[str, Any] = {"environment": environment.describe()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the peer's
        results["bubble_sort_5"] = rows(
            with_peer(bubble_sort, lambda: peer.bubble_sort(beta=BETA)), torch.randn(BATCH, 5)
        )
        results["bellman_ford_12x12"] = rows(
            with_peer(
                lambda costs: bellman_ford(costs, beta=BETA, iterations=ITERATIONS),
                lambda: peer.bellman_ford(beta=BETA, iterations=ITERATIONS),
            ),
            torch.rand(BATCH, 12, 12) + 0.5,
        )
        results["levenshtein_4x4"] = rows(
            with_peer(lambda a, b: edit_distance(a, b, beta=BETA), lambda: peer.edit_distance(beta=BETA, length=4)),
            *letters,
        )
    results["dtw_128x128"] = rows({"ours": lambda c: dtw(c, beta=BETA)}, torch.rand(BATCH, 128, 128), turns=3)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
