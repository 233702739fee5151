"""Exact match of rankings by loss and training strategy, at equal steps: `make bench-strategies DATA=MNIST`.

The task of `renderer train ranking`, reduced so that it takes minutes: the scores of ten two-digit numbers, by a small
network that sees the images at half size. Prints the mean over the seeds and each of them, in per cent, and writes
tests/bench/results/strategies.json.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from renderer.experiments.ranking import Ranking
from renderer.train.loop import fit
from renderer.train.strategy import Strategy
from tests.bench import environment
from tests.bench.run import RESULTS, table

LOSSES: dict[str, dict[str, Any]] = {
    "NeuralSort": {"network": "neuralsort", "distribution": "cauchy", "beta": 10.0},
    "logistic network": {"network": "odd_even", "distribution": "logistic", "beta": 30.0},
}
STRATEGIES = {
    "plain": Strategy("plain"),
    "split step": Strategy("split"),
    "Newton, Hessian": Strategy("hessian", damping=0.3),
    "Newton, batch Hessian": Strategy("batch_hessian", damping=1.0),
    "Newton, Fisher": Strategy("fisher", damping=1.0),
}
HIDDEN = 128


@dataclass(frozen=True)
class SmallRanking(Ranking):
    """The ranking task with a network of three linear layers."""

    def model(self) -> nn.Module:  # type: ignore[override]
        return nn.Sequential(
            *(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(14 * 14 * self.digits, HIDDEN), nn.ReLU()),
            *(nn.Linear(HIDDEN, HIDDEN // 2), nn.ReLU(), nn.Linear(HIDDEN // 2, 1), nn.Flatten(0)),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with MNIST's four idx files")
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--seeds", type=int, default=3)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    settings: dict[str, Any] = {"n": 10, "digits": 2, "sets": 32, "lr": 1e-3, "entropy": "binary", "test_sets": 5_000}
    splits = Ranking(chosen.data).splits
    rows: list[dict[str, Any]] = []
    for loss, how in LOSSES.items():
        for name, strategy in STRATEGIES.items():
            started, matches = time.process_time(), []
            for seed in range(chosen.seeds):
                task = SmallRanking(chosen.data, steps=chosen.steps, strategy=strategy, **settings, **how)
                task.__dict__["splits"] = splits
                with tempfile.TemporaryDirectory() as out:
                    matches.append(fit(task, steps=chosen.steps, out=out, seed=seed, device="cpu")["exact_match"] * 100)
            seconds = (time.process_time() - started) / chosen.seeds
            rows.append(
                {
                    "loss": loss,
                    "strategy": name,
                    "exact match": round(sum(matches) / len(matches), 2),
                    "seeds": " ".join(f"{match:.2f}" for match in matches),
                    "CPU seconds": round(seconds, 1),
                }
            )
            print(rows[-1], flush=True)
    print(table(rows))
    RESULTS.mkdir(exist_ok=True)
    results = {"environment": environment.describe(), "steps": chosen.steps, **settings, "losses": LOSSES, "rows": rows}
    (RESULTS / "strategies.json").write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
