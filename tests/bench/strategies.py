"""What training strategies do at equal steps, on rankings and shortest paths: `make bench-strategies DATA=MNIST`.

Rankings: the task of `renderer train ranking`, reduced so that it takes minutes: the scores of ten two-digit numbers,
by a small network that sees the images at half size; exact match. Shortest paths: `renderer train shortest-path` on
1,000 maps; the share of perfect paths. Prints the mean over the seeds and each of them, in per cent, and writes
tests/bench/results/strategies.json, where rows of losses that were not asked for stay.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from renderer.experiments.ranking import Ranking
from renderer.experiments.shortest_path import ShortestPath
from renderer.train.experiment import Experiment
from renderer.train.loop import fit
from renderer.train.strategy import Strategy
from tests.bench import environment
from tests.bench.run import RESULTS, table

HIDDEN = 128


@dataclass(frozen=True)
class SmallRanking(Ranking):
    """The ranking task with a network of three linear layers."""

    def model(self) -> nn.Module:  # type: ignore[override]
        return nn.Sequential(
            *(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(14 * 14 * self.digits, HIDDEN), nn.ReLU()),
            *(nn.Linear(HIDDEN, HIDDEN // 2), nn.ReLU(), nn.Linear(HIDDEN // 2, 1), nn.Flatten(0)),
        )


def ranking(data: Path, steps: int, strategy: Strategy, how: dict[str, Any]) -> Experiment:
    task = SmallRanking(data, steps=steps, strategy=strategy, **RANKING, **how)
    task.__dict__["splits"] = mnist(data)
    return task


def paths(data: Path, steps: int, strategy: Strategy, how: dict[str, Any]) -> Experiment:
    task = ShortestPath(steps=steps, strategy=strategy, **how)
    task.__dict__["splits"] = maps(**how)
    return task


@functools.cache
def mnist(data: Path) -> dict[str, Any]:
    return Ranking(data).splits


@functools.cache
def maps(**how: Any) -> dict[str, Any]:
    return ShortestPath(**how).splits


RANKING: dict[str, Any] = {"n": 10, "digits": 2, "sets": 32, "lr": 1e-3, "entropy": "binary", "test_sets": 5_000}
# How the task is made, what is reported, the number of steps, and the settings.
LOSSES: dict[str, tuple[Callable[..., Experiment], str, int, dict[str, Any]]] = {
    "NeuralSort": (ranking, "exact_match", 800, {"network": "neuralsort", "distribution": "cauchy", "beta": 10.0}),
    "logistic network": (
        *(ranking, "exact_match", 800),
        {"network": "odd_even", "distribution": "logistic", "beta": 30.0},
    ),
    "shortest paths": (paths, "perfect_paths", 100, {"batch_size": 32, "train_maps": 1_000, "test_maps": 250}),
}
STRATEGIES = {
    "plain": Strategy("plain"),
    "split step": Strategy("split"),
    "Newton, Hessian": Strategy("hessian", damping=0.3),
    "Newton, batch Hessian": Strategy("batch_hessian", damping=1.0),
    "Newton, Fisher": Strategy("fisher", damping=1.0),
}
# A Hessian of a map's 144 outputs takes 144 backward passes a step.
TOO_DEAR = {("shortest paths", "Newton, Hessian"), ("shortest paths", "Newton, batch Hessian")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with MNIST's four idx files")
    parser.add_argument("--losses", nargs="+", choices=LOSSES, default=list(LOSSES))
    parser.add_argument("--strategies", nargs="+", choices=STRATEGIES, default=list(STRATEGIES))
    parser.add_argument("--seeds", type=int, default=3)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    path = RESULTS / "strategies.json"
    rows = (
        {(row["loss"], row["strategy"]): row for row in json.loads(path.read_text())["rows"]} if path.exists() else {}
    )
    for loss, (make, score, steps, how) in LOSSES.items():
        for name, strategy in STRATEGIES.items():
            if loss not in chosen.losses or name not in chosen.strategies or (loss, name) in TOO_DEAR:
                continue
            started, scores = time.process_time(), []
            for seed in range(chosen.seeds):
                task = make(chosen.data, steps, strategy, how)
                with tempfile.TemporaryDirectory() as out:
                    scores.append(fit(task, steps=steps, out=out, seed=seed, device="cpu")[score] * 100)
            rows[loss, name] = {
                "loss": loss,
                "strategy": name,
                "score": score,
                "steps": steps,
                "mean": round(sum(scores) / len(scores), 2),
                "seeds": " ".join(f"{one:.2f}" for one in scores),
                "CPU seconds": round((time.process_time() - started) / chosen.seeds, 1),
            }
            print(rows[loss, name], flush=True)
            settings = {"ranking": RANKING, "losses": {key: how for key, (*_, how) in LOSSES.items()}}
            ordered = [rows[key] for key in itertools.product(LOSSES, STRATEGIES) if key in rows]
            results = {"environment": environment.describe(), **settings, "rows": ordered}
            RESULTS.mkdir(exist_ok=True)
            path.write_text(json.dumps(results, indent=2, default=str) + "\n")
    print(table(list(rows.values())))


if __name__ == "__main__":
    main()
