"""What the training loop wants to know of an experiment."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn


class Experiment(Protocol):
    """A model, its data and its loss; usually a frozen dataclass of settings, which the command line then offers.

    Derive from it to have the constant `schedule`.

    Before each of these calls the global generators of Python, NumPy and torch are seeded, so that an experiment may
    draw from them, and an interrupted run goes on as if it had not been.
    """

    def model(self) -> nn.Module:
        """The network to train, on the CPU; seeded by the seed alone."""
        ...

    def optimiser(self, model: nn.Module) -> torch.optim.Optimizer:
        """Over the parameters of `model`."""
        ...

    def schedule(self, step: int) -> float:
        """What the optimiser's step sizes are multiplied with in a step; 1 unless it is overridden."""
        return 1.0

    def batch(self, step: int, rank: int, world: int) -> Any:
        """This process's part of the batch of a step: a function of (seed, step, rank), and of nothing else.

        Seeded by (seed, step), alike in all processes: draw the whole batch's indices and return those of `share`.
        Tensors in it (in tuples, lists and dicts) are moved to the device.
        """
        ...

    def loss(self, model: nn.Module, batch: Any) -> Tensor | tuple[Tensor, dict[str, Any]]:
        """The mean loss over the batch, and numbers to log beside it; seeded by (seed, step, rank).

        Only `model(...)` itself is distributed and may run in lower precision; what it returns is in full precision.
        """
        ...

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Scores on unseen data, in evaluation mode, without gradients, in full precision, on the first process."""
        ...


def share(indices: Tensor, rank: int, world: int) -> Tensor:
    """The part of the whole batch's indices that process `rank` of `world` computes; all get equally many.

    Equal parts make the mean of the processes' gradients that of the whole batch. Raises ValueError if they cannot be.

    >>> share(torch.arange(6), 1, 2)
    tensor([1, 3, 5])
    """
    if len(indices) % world:
        raise ValueError(f"batch: expected a size that {world} processes can share equally, got {len(indices)}")
    return indices[rank::world]


def settings_of(experiment: Any) -> dict[str, Any]:
    """The fields of a dataclass in terms of JSON, but for paths, which say where the data lies and not what it is.

    >>> settings_of(Digits(data=Path("mnist"), batch_size=64))
    {'batch_size': 64, ...}
    """
    if not dataclasses.is_dataclass(experiment) or isinstance(experiment, type):
        return {}
    return {
        name: _plain(value) for name, value in dataclasses.asdict(experiment).items() if not isinstance(value, Path)
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return repr(value)
