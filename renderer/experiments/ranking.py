"""Reading four-digit numbers from nothing but their order."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from renderer.experiments.mnist import load_mnist
from renderer.losses.ranking import Entropy, ranking_cross_entropy
from renderer.train.experiment import Experiment, share
from renderer.train.strategy import Strategy

TRAINING_IMAGES = 55_000  # of 60,000, as published
EVALUATED_AT_ONCE = 500  # images
FIRST = 5  # published tables select on the order of the first five numbers


class NumberReader(nn.Module):
    """An image of a number in, one score out: the published network, two 5 × 5 convolutions and 64 hidden units.

    Pooling stands before the rectifier, which commutes with it and costs a quarter so.
    """

    def __init__(self, digits: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv2d(1, 32, 5, padding=2), nn.MaxPool2d(2), nn.ReLU()),
            *(nn.Conv2d(32, 64, 5, padding=2), nn.MaxPool2d(2), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(64 * 7 * 7 * digits, 64), nn.ReLU(), nn.Linear(64, 1)),
        )
        # Half again as fast on a CPU. Of the module, not of each weight: that of one input channel is contiguous in
        # both orders, and would keep the slow one.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: Tensor) -> Tensor:
        """(N, 1, 28, 28 · digits) -> (N,)."""
        return self.layers(images.contiguous(memory_format=torch.channels_last))[:, 0]


@dataclass(frozen=True)
class NumberSets(Experiment):
    """Sets of n numbers made of MNIST digits, and a network that gives each a score; how it learns is left open."""

    data: Path
    """Folder with MNIST's four idx files (.gz)."""
    n: int = 5
    """Numbers in a set."""
    digits: int = 4
    """Digits of a number."""
    steps: int = 48_000
    """Number of updates."""
    sets: int = 16
    """Sets in a step, over all processes."""
    lr: float = 1.5e-3
    """Largest step size of Adam; it rises over the first 100 steps and falls to 0 along a cosine."""
    test_sets: int = 10_000
    """Sets of test numbers in an evaluation, always the same."""

    def __post_init__(self) -> None:
        for name, least in (("n", 2), ("digits", 1), ("sets", 1), ("test_sets", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}: expected at least {least}, got {getattr(self, name)}")

    @cached_property
    def splits(self) -> dict[str, tuple[Tensor, Tensor]]:
        """Images (N, 28, 28) of bytes, and labels."""
        images, labels = load_mnist(self.data, "train")
        return {"train": (images[:TRAINING_IMAGES], labels[:TRAINING_IMAGES]), "test": load_mnist(self.data, "test")}

    def numbers(self, split: str, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Digits (S, n, digits) by index -> images (S · n, 1, 28, 28 · digits) in [0, 1], and numbers (S, n)."""
        images, labels = self.splits[split]
        flat = images[chosen].flatten(0, 1).transpose(1, 2).flatten(2)
        places = 10 ** torch.arange(self.digits - 1, -1, -1)
        return flat[:, None].float() / 255, (labels[chosen] * places).sum(-1)

    def model(self) -> NumberReader:
        return NumberReader(self.digits)

    def optimiser(self, model: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.Adam(model.parameters(), lr=self.lr)

    def schedule(self, step: int) -> float:
        return min(1.0, step / 100) * 0.5 * (1 + math.cos(math.pi * step / self.steps))

    def batch(self, step: int, rank: int, world: int) -> tuple[Tensor, Tensor]:
        chosen = torch.randint(len(self.splits["train"][0]), (self.sets, self.n, self.digits))
        return self.numbers("train", chosen[share(torch.arange(self.sets), rank, world)])

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        device = next(model.parameters()).device
        generator = torch.Generator().manual_seed(0)
        chosen = torch.randint(len(self.splits["test"][0]), (self.test_sets, self.n, self.digits), generator=generator)
        scores, numbers = [], []
        for part in chosen.split(max(1, EVALUATED_AT_ONCE // self.n)):
            images, true = self.numbers("test", part)
            scores.append(model(images.to(device)).cpu().reshape(true.shape))
            numbers.append(true)
        return {name: float(value) for name, value in matches(torch.cat(scores), torch.cat(numbers)).items()}


@dataclass(frozen=True)
class Ranking(NumberSets):
    """Learn to read numbers made of MNIST digits, from the order of n of them at a time.

    The scores of n images are sorted by a relaxed network, whose permutation is compared with the true one; no number
    is ever shown. Task: Grover et al. 2019; relaxations: Petersen et al. 2022. Small batches of sets and a large,
    decaying step size reach a given exactness in a fraction of the published 10 million sets.
    """

    network: str = "odd_even"
    """Comparator network, or softsort or neuralsort."""
    distribution: str = "optimal"
    """What relaxes a comparator: one of renderer.sort.RELAXATIONS."""
    beta: float = 2.0
    """Sharpness of the comparators, in units of the distribution."""
    entropy: Entropy = "categorical"
    """Of all entries of the permutation matrix, or of the true places alone."""
    strategy: Strategy = field(default_factory=Strategy)
    """How the loss reaches the network."""

    def loss(self, model: nn.Module, batch: Any) -> tuple[Tensor, dict[str, Any]]:
        images, numbers = batch
        scores = model(images).reshape(numbers.shape)
        loss = self.strategy(
            ranking_cross_entropy,
            scores,
            numbers,
            entropy=self.entropy,
            network=self.network,
            distribution=self.distribution,
            beta=self.beta,
            reduction="mean",
        )
        return loss, matches(scores, numbers)


def matches(scores: Tensor, numbers: Tensor) -> dict[str, Tensor]:
    """Shares of sets whose whole ranking is right, of right ranks, and of sets whose first five numbers rank right.

    Equal numbers may rank in any order.
    """
    right = _right_ranks(scores, numbers)
    first = _right_ranks(scores[:, :FIRST], numbers[:, :FIRST])
    shares = {"exact_match": right.all(1), "element_wise": right, "exact_match_first_5": first.all(1)}
    return {name: value.float().mean() for name, value in shares.items()}


def _right_ranks(scores: Tensor, numbers: Tensor) -> Tensor:
    """Whether the number at the place of each score is the number that belongs there."""
    guessed = numbers.gather(1, scores.detach().argsort(1))
    return guessed == numbers.sort(1).values
