"""Handwritten digits, told apart by a small network: the plainest experiment, and the pattern for others."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from renderer.experiments.mnist import load_mnist
from renderer.train.experiment import Experiment, share


@dataclass(frozen=True)
class Digits(Experiment):
    """Classify MNIST's digits with a small convolutional network and cross-entropy."""

    data: Path
    """Folder with MNIST's four idx files (.gz)."""
    steps: int = 2_000
    """Number of updates."""
    batch_size: int = 100
    """Images in a step, over all processes."""
    lr: float = 1e-3
    """Step size of Adam."""

    @cached_property
    def splits(self) -> dict[str, tuple[Tensor, Tensor]]:
        """Images in [0, 1], (N, 1, 28, 28), and labels."""
        loaded = {"train": load_mnist(self.data, "train"), "test": load_mnist(self.data, "test")}
        return {name: (images[:, None].float() / 255, labels) for name, (images, labels) in loaded.items()}

    def model(self) -> nn.Module:
        return nn.Sequential(
            *(nn.Conv2d(1, 32, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 5), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(1024, 64), nn.ReLU(), nn.Linear(64, 10)),
        )

    def optimiser(self, model: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.Adam(model.parameters(), lr=self.lr)

    def batch(self, step: int, rank: int, world: int) -> tuple[Tensor, Tensor]:
        images, labels = self.splits["train"]
        chosen = share(torch.randint(len(images), (self.batch_size,)), rank, world)
        return images[chosen], labels[chosen]

    def loss(self, model: nn.Module, batch: Any) -> tuple[Tensor, dict[str, Any]]:
        images, labels = batch
        scores = model(images)
        return functional.cross_entropy(scores, labels), {"accuracy": (scores.argmax(1) == labels).float().mean()}

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        images, labels = self.splits["test"]
        device = next(model.parameters()).device
        guesses = torch.cat([model(part.to(device)).argmax(1).cpu() for part in images.split(500)])
        return {"accuracy": float((guesses == labels).float().mean())}
