"""Shortest paths from pictures: a network sees a map, and learns what its terrains cost from shortest paths alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from renderer.algorithms.shortest_path import bellman_ford, shortest_path
from renderer.experiments.terrain import Terrain, load_terrain, make_terrain
from renderer.train.experiment import Experiment, share
from renderer.train.strategy import Strategy

LEAST_COST = 1e-3  # so that a walk cannot rest for nothing


@dataclass(frozen=True)
class ShortestPath(Experiment):
    """Learn the vertex costs of 12 × 12 grids from pictures and shortest paths, through relaxed Bellman–Ford.

    The loss is the negative log-likelihood of the true path among all walks, each as probable as exp(−β · cost): its
    cost under the predicted costs less the relaxed distance. Reported: the share of test maps where the shortest path
    under the predicted costs is a shortest one.
    """

    data: Path | None = None
    """Folder with the Warcraft files of 12 × 12 maps; none: maps are made, and need no data."""
    steps: int = 4_000
    """Number of updates."""
    batch_size: int = 70
    """Maps in a step, over all processes."""
    lr: float = 2e-3
    """Step size of Adam."""
    beta: float = 1.0
    """Inverse temperature of the walks."""
    iterations: int = 30
    """Most steps of a walk."""
    strategy: Strategy = field(default_factory=Strategy)
    """How the loss reaches the network."""
    train_maps: int = 10_000
    """Maps to make for training, where none are read."""
    test_maps: int = 1_000
    """Maps to make for testing, where none are read."""
    map_seed: int = 0
    """Seed of the maps that are made."""

    @cached_property
    def splits(self) -> dict[str, Terrain]:
        """Maps for training and for testing."""
        if self.data is not None:
            return {name: load_terrain(self.data, name) for name in ("train", "test")}
        return {
            "train": make_terrain(self.train_maps, seed=2 * self.map_seed),
            "test": make_terrain(self.test_maps, seed=2 * self.map_seed + 1),
        }

    def model(self) -> nn.Module:
        return CostNetwork()

    def optimiser(self, model: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.Adam(model.parameters(), lr=self.lr)

    def schedule(self, step: int) -> float:
        """A tenth of the step size in the last third."""
        return 1.0 if 3 * step <= 2 * self.steps else 0.1

    def batch(self, step: int, rank: int, world: int) -> tuple[Tensor, Tensor]:
        terrain = self.splits["train"]
        chosen = share(torch.randint(len(terrain.maps), (self.batch_size,)), rank, world)
        return terrain.maps[chosen], terrain.paths[chosen]

    def loss(self, model: nn.Module, batch: Any) -> tuple[Tensor, dict[str, Any]]:
        maps, paths = batch
        outputs = model(maps)
        loss = self.strategy(path_loss, outputs, paths, beta=self.beta, iterations=self.iterations, reduction="none")
        return loss.mean(), {"cost": costs_of(outputs).mean()}

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        terrain = self.splits["test"]
        device = next(model.parameters()).device
        costs = torch.cat([costs_of(model(part.to(device))).cpu() for part in terrain.maps.split(250)])
        found = shortest_path(costs)
        ours, best = ((path * terrain.costs).sum((1, 2)) for path in (found, terrain.paths))
        return {
            "perfect_paths": float((ours <= best + 1e-3).float().mean()),
            "same_path": float((found == terrain.paths).flatten(1).all(1).float().mean()),
            "cost_ratio": float((ours / best).mean()),
        }


def costs_of(outputs: Float[Tensor, "B H W"]) -> Float[Tensor, "B H W"]:
    """Positive costs from a network's outputs, which may be any: strategies move them freely."""
    return nn.functional.softplus(outputs) + LEAST_COST


def path_loss(
    outputs: Float[Tensor, "B H W"], paths: Float[Tensor, "B H W"], *, beta: float, iterations: int
) -> Float[Tensor, "B"]:
    """Negative log-likelihood of each path among all walks from corner to corner, of at most so many steps.

    Its gradient in the costs is β times the path less the expected visits of a walk.
    """
    costs = costs_of(outputs)
    distance = bellman_ford(costs, beta=beta, iterations=iterations)[:, -1, -1]
    return beta * ((costs * paths).sum((1, 2)) - distance)


class CostNetwork(nn.Module):
    """From pictures (B, 8H, 8W, 3) of bytes to outputs (B, H, W), of which `costs_of` makes costs."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv2d(3, 16, 4, 2, 1), nn.BatchNorm2d(16), nn.ReLU()),
            *(nn.Conv2d(16, 32, 4, 2, 1), nn.BatchNorm2d(32), nn.ReLU()),
            *(nn.Conv2d(32, 48, 4, 2, 1), nn.BatchNorm2d(48), nn.ReLU()),
            *(nn.Conv2d(48, 48, 3, 1, 1), nn.BatchNorm2d(48), nn.ReLU()),
            nn.Conv2d(48, 1, 1),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """One number a tile."""
        return self.layers(maps.permute(0, 3, 1, 2).float() / 255 - 0.4).squeeze(1)
