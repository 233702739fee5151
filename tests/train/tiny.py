"""A tiny experiment, with everything that makes resuming hard: dropout, running statistics, momentum, a schedule."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from renderer.train.experiment import Experiment, share
from renderer.train.loop import fit


@dataclass(frozen=True)
class Tiny(Experiment):
    steps: int = 10
    batch_size: int = 8
    dropout: float = 0.2
    signal: int = 0
    """Sent to this process in the middle of step `at`."""
    at: int = 0

    def model(self) -> nn.Module:
        return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(self.dropout), nn.Linear(8, 1))

    def optimiser(self, model: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.Adam(model.parameters(), lr=0.05, amsgrad=True)

    def batch(self, step: int, rank: int, world: int) -> tuple[Tensor, int]:
        chosen = share(torch.arange(self.batch_size), rank, world)
        return torch.randn(self.batch_size, 3)[chosen], step

    def loss(self, model: nn.Module, batch: Any) -> tuple[Tensor, dict[str, Any]]:
        x, step = batch
        if step == self.at:
            os.kill(os.getpid(), self.signal)
        noise = random.random() + float(np.random.rand())  # noqa: NPY002
        return (model(x).squeeze(1) - x.square().sum(1)).square().mean(), {"noise": noise}

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        x = torch.randn(16, 3)
        return {"error": float((model(x).squeeze(1) - x.square().sum(1)).square().mean())}


@dataclass(frozen=True)
class Plain(Tiny):
    """Without what makes the processes of a batch differ: its gradients are those of the whole batch."""

    def model(self) -> nn.Module:
        return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))

    def optimiser(self, model: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.SGD(model.parameters(), lr=0.05)


if __name__ == "__main__":
    import sys

    kind, out, signal, at, resume = sys.argv[1:]
    experiment = {"tiny": Tiny, "plain": Plain}[kind](signal=int(signal), at=int(at))
    print(fit(experiment, steps=10, out=out, resume=resume == "resume", checkpoint_every=3, log_every=4, device="cpu"))
