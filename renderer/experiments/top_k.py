"""Classification by top-k cross-entropy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from renderer.experiments.mnist import load_mnist
from renderer.losses.top_k import top_k_cross_entropy
from renderer.train.experiment import Experiment, share

EVALUATED_AT_ONCE = 500  # images
REPORTED = (1, 2, 5)


@dataclass(frozen=True)
class TopK(Experiment):
    """Classify MNIST's digits so that the true one is among the k best, k drawn from a distribution.

    The loss of Petersen et al. 2022 (arXiv 2206.07290) on a small network; part of the labels may be replaced by random
    ones, which is what makes more than the best class worth asking for.
    """

    data: Path
    """Folder with MNIST's four idx files (.gz)."""
    p_k: tuple[float, ...] = (0.25, 0.0, 0.0, 0.0, 0.75)
    """Probabilities of k = 1, 2, ...; (1,) asks for the best class alone."""
    noise: float = 0.0
    """Share of the training labels that are drawn at random, the same in every epoch."""
    steps: int = 2_000
    """Number of updates."""
    batch_size: int = 100
    """Images in a step, over all processes."""
    lr: float = 1e-3
    """Step size of Adam."""
    network: str = "splitter_selection"
    """Comparator network, or softsort or neuralsort."""
    distribution: str = "cauchy"
    """What relaxes a comparator: one of renderer.sort.RELAXATIONS."""
    beta: float = 2.0
    """Sharpness of the comparators, in units of the distribution."""

    def __post_init__(self) -> None:
        if not 0 <= self.noise <= 1:
            raise ValueError(f"noise: expected a share from 0 to 1, got {self.noise}")

    @cached_property
    def splits(self) -> dict[str, tuple[Tensor, Tensor]]:
        """Images (N, 1, 28, 28) in [0, 1], and labels; noise in those of training."""
        loaded = {name: load_mnist(self.data, name) for name in ("train", "test")}
        splits = {name: (images[:, None].float() / 255, labels) for name, (images, labels) in loaded.items()}
        images, labels = splits["train"]
        generator = torch.Generator().manual_seed(0)
        random = torch.randint(10, labels.shape, generator=generator)
        noisy = torch.rand(labels.shape, generator=generator) < self.noise
        splits["train"] = (images, torch.where(noisy, random, labels))
        return splits

    def model(self) -> nn.Module:
        return nn.Sequential(
            *(nn.Conv2d(1, 16, 5), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(16, 32, 5), nn.MaxPool2d(2), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 10)),
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
        loss = top_k_cross_entropy(
            scores, labels, p_k=self.p_k, network=self.network, distribution=self.distribution, beta=self.beta
        )
        return loss, accuracies(scores, labels)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        images, labels = self.splits["test"]
        device = next(model.parameters()).device
        scores = torch.cat([model(part.to(device)).cpu() for part in images.split(EVALUATED_AT_ONCE)])
        return {name: float(value) for name, value in accuracies(scores, labels).items()}


def accuracies(scores: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Share of items whose class is among the k largest scores."""
    best = scores.detach().topk(max(REPORTED), 1).indices == labels[:, None]
    return {f"top_{k}": best[:, :k].any(1).float().mean() for k in REPORTED}
