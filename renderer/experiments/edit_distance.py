"""Learning to tell digits apart from nothing but edit distances between strings of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import scipy.optimize
import torch
from torch import Tensor, nn
from torch.nn import functional

from renderer.algorithms.alignment import edit_distance
from renderer.experiments.digits import Digits
from renderer.experiments.mnist import load_mnist
from renderer.train.experiment import Experiment, share

CLASSES = 10
SURE = 1e3  # β at which distances between one-hot strings are exact to three digits


@dataclass(frozen=True)
class EditDistance(Experiment):
    """Learn classes of MNIST digits from the edit distances of pairs of strings, through a relaxed edit distance.

    The second string is the first with random edits. Labels are never shown, so the classes come in any order: digits
    count as right under the best one-to-one naming of the classes.
    """

    data: Path
    """Folder with MNIST's four idx files (.gz)."""
    steps: int = 4_000
    """Number of updates."""
    pairs: int = 32
    """Pairs of strings in a step, over all processes."""
    length: int = 4
    """Digits of a string."""
    edits: int = 3
    """Most random edits between the two; each replaces a digit, or deletes one and inserts another."""
    beta: float = 10.0
    """Inverse temperature of the minimum."""
    lr: float = 1e-3
    """Step size of Adam."""
    test_pairs: int = 1_000
    """Pairs of test strings in an evaluation, always the same."""

    @cached_property
    def splits(self) -> dict[str, tuple[Tensor, Tensor]]:
        """Images (N, 28, 28) of bytes, and labels."""
        return {name: load_mnist(self.data, name) for name in ("train", "test")}

    @cached_property
    def by_class(self) -> dict[str, list[Tensor]]:
        """Indices of the images of every class."""
        return {name: [(y == k).nonzero()[:, 0] for k in range(CLASSES)] for name, (_, y) in self.splits.items()}

    def strings(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Pairs of strings of classes, (count, 2, length)."""
        first = torch.randint(CLASSES, (count, self.length), generator=generator)
        second = first.clone()
        number = torch.randint(self.edits + 1, (count,), generator=generator)
        for k in range(self.edits):
            places = torch.randint(self.length, (2, count), generator=generator)
            digits = torch.randint(CLASSES, (count,), generator=generator)
            moved = torch.rand(count, generator=generator) < 0.5
            for i in (number > k).nonzero()[:, 0].tolist():
                string = second[i].tolist()
                if moved[i]:  # deletes one digit, and inserts another
                    del string[int(places[0, i])]
                    string.insert(int(places[1, i]), int(digits[i]))
                else:
                    string[int(places[0, i])] = int(digits[i])
                second[i] = torch.tensor(string)
        return torch.stack([first, second], 1)

    def pictures(self, split: str, classes: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """A random image of every class, (..., 1, 28, 28) in [0, 1]."""
        images, _ = self.splits[split]
        chosen = torch.empty_like(classes)
        for k, members in enumerate(self.by_class[split]):
            here = classes == k
            chosen[here] = members[torch.randint(len(members), (int(here.sum()),), generator=generator)]
        return images[chosen][..., None, :, :].float() / 255

    def model(self) -> nn.Module:
        return Digits(self.data).model()

    def optimiser(self, model: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.Adam(model.parameters(), lr=self.lr)

    def batch(self, step: int, rank: int, world: int) -> tuple[Tensor, Tensor]:
        strings = self.strings(self.pairs)
        pictures = self.pictures("train", strings)
        mine = share(torch.arange(self.pairs), rank, world)
        return pictures[mine], true_distance(strings[mine])

    def loss(self, model: nn.Module, batch: Any) -> tuple[Tensor, dict[str, Any]]:
        pictures, distance = batch
        logits = model(pictures.flatten(0, 2)).unflatten(0, pictures.shape[:3])
        first, second = torch.softmax(logits, -1).unbind(1)
        predicted = edit_distance(first, second, beta=self.beta)
        return functional.mse_loss(predicted, distance), {"error": (predicted - distance).abs().mean()}

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        device = next(model.parameters()).device
        generator = torch.Generator().manual_seed(0)
        strings = self.strings(self.test_pairs, generator)
        pictures = self.pictures("test", strings, generator).flatten(0, 2)
        guesses = torch.cat([model(part.to(device)).argmax(1).cpu() for part in pictures.split(500)])
        guessed = guesses.reshape(strings.shape)
        table = torch.zeros(CLASSES, CLASSES).index_put_(
            (guessed.flatten(), strings.flatten()), torch.tensor(1.0), accumulate=True
        )
        rows, columns = scipy.optimize.linear_sum_assignment(-table.numpy())
        right = true_distance(guessed) == true_distance(strings)
        return {
            "exact_distance": float(right.float().mean()),
            "digit_accuracy": float(table[rows, columns].sum() / table.sum()),
        }


def true_distance(strings: Tensor) -> Tensor:
    """The edit distances (N,) of pairs of strings (N, 2, length)."""
    first, second = functional.one_hot(strings, CLASSES).float().unbind(1)
    return edit_distance(first, second, beta=SURE, kind="hard").round()
