"""Shapes from single pictures, learnt from silhouettes of several views."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from renderer.experiments.shapes import VIEWS, Shapes, load_shapes, view_camera
from renderer.losses import flatten, interior_edges, laplacian, soft_iou
from renderer.relax import distribution
from renderer.scene.mesh import Mesh
from renderer.scene.primitives import icosphere
from renderer.scene.voxels import voxel_iou, voxelize
from renderer.shading import SoftRenderer
from renderer.tasks.single_view import SPHERE_LEVEL, SingleViewNetwork, mean_shape
from renderer.train.experiment import Experiment, share

EVALUATED_AT_ONCE = 48  # images


@dataclass(frozen=True)
class SingleView(Experiment):
    """Learn to see a mesh in one picture, from silhouettes alone.

    Each step shows two pictures of every object; the meshes seen in both are drawn from both sides, and all four
    silhouettes should be those of the pictures (the published protocol of SoftRas, arXiv 1904.01786). DATA comes from
    `renderer shapes`, or is ShapeNet as distributed with SoftRas.
    """

    data: Path
    """Folder with CLASS_SPLIT_images.npz and CLASS_SPLIT_voxels.npz."""
    steps: int = 250_000
    """Number of updates."""
    batch_size: int = 64
    """Objects in a step, over all processes; two pictures of each."""
    width: int = 64
    """Channels of the first convolution; all layers grow with it."""
    lr: float = 1e-4
    """Step size of Adam; a tenth after two thirds of the steps."""
    coverage: Literal["outline", "face"] = "face"
    """Distance to the outline of the whole, or to every face by itself, as published."""
    distribution: str = "logistic"
    """Any name of renderer.relax.DISTRIBUTIONS that needs no shape."""
    scale: float = 0.1
    """Of the distribution, in pixels (pixels² with --squared)."""
    squared: bool = True
    """Perturb the squared distance, as published."""
    laplacian: float = 5e-3
    """Weight of the Laplacian energy."""
    flatten: float = 5e-4
    """Weight of the flatness energy."""
    test_views: int = VIEWS
    """Pictures of each test object that are evaluated, evenly around it."""

    @cached_property
    def train(self) -> Shapes:
        """The objects to learn from; their voxels serve the baseline alone."""
        return load_shapes(self.data, "train")

    @cached_property
    def test(self) -> Shapes:
        """The objects to be judged by."""
        return load_shapes(self.data, "test")

    @cached_property
    def sphere(self) -> Mesh:
        """The faces of every mesh, and the vertices of none."""
        return icosphere(SPHERE_LEVEL)

    @cached_property
    def _pairs(self) -> Tensor:
        return interior_edges(self.sphere.faces)

    @cached_property
    def renderer(self) -> SoftRenderer:
        """What draws the silhouettes."""
        perturbation = distribution(self.distribution, scale=self.scale, squared=self.squared)
        return SoftRenderer(perturbation, coverage=self.coverage)

    def model(self) -> SingleViewNetwork:
        return SingleViewNetwork(self.width)

    def optimiser(self, model: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.Adam(model.parameters(), lr=self.lr)

    def schedule(self, step: int) -> float:
        return 1.0 if step <= 2 * self.steps / 3 else 0.1

    def batch(self, step: int, rank: int, world: int) -> dict[str, Any]:
        # All classes alike, however many objects they have.
        label = torch.randint(len(self.train.classes), (self.batch_size,))
        starts = torch.searchsorted(self.train.label, torch.arange(len(self.train.classes) + 1))
        chosen = starts[label] + (torch.rand(self.batch_size) * (starts[label + 1] - starts[label])).long()
        views = torch.randint(VIEWS, (2, self.batch_size))
        mine = share(torch.arange(self.batch_size), rank, world)
        images = self.train.images[chosen[mine], views[:, mine]]  # (2, B, 4, 64, 64)
        return {"images": images.float() / 255, "views": views[:, mine]}

    def loss(self, model: nn.Module, batch: Any) -> tuple[Tensor, dict[str, Any]]:
        images, views = batch["images"], batch["views"]
        vertices = model(images.flatten(0, 1))
        sphere = self.sphere.to(vertices.device)
        # Mesh a from views a and b, mesh b from views a and b.
        drawn = torch.cat([mesh.repeat(2, 1, 1) for mesh in vertices.chunk(2)])
        silhouettes = self.renderer.silhouette(sphere.with_vertices(drawn), view_camera(views.flatten().repeat(2)))
        targets = images[:, :, 3].flatten(0, 1).repeat(2, 1, 1)
        overlap = soft_iou(silhouettes, targets)
        smooth = laplacian(vertices, sphere.faces, edges=sphere.edges)
        flat = flatten(vertices, sphere.faces, pairs=self._pairs.to(vertices.device))
        loss = overlap + self.laplacian * smooth + self.flatten * flat
        return loss, {"silhouettes": overlap, "laplacian": smooth, "flatten": flat}

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Voxel IoU with the test objects, of all and of each class, and by how much it beats its mean shape."""
        if not 1 <= self.test_views <= VIEWS:
            raise ValueError(f"test_views: expected 1 to {VIEWS}, got {self.test_views}")
        device = next(model.parameters()).device
        views = torch.arange(self.test_views) * VIEWS // self.test_views
        scores, gains = {}, {}
        for index, name in enumerate(self.test.classes):
            truth = self.test.voxels[self.test.label == index]
            images = self.test.images[self.test.label == index][:, views].flatten(0, 1)
            made = [model(part.to(device).float() / 255).cpu() for part in images.split(EVALUATED_AT_ONCE)]
            voxels = voxelize(self.sphere.with_vertices(torch.cat(made)), truth.shape[-1])
            scores[name] = float(voxel_iou(voxels, truth.repeat_interleave(len(views), 0)).mean())
            mean = mean_shape(self.train.voxels[self.train.label == self.train.classes.index(name)])
            gains[name] = scores[name] - float(voxel_iou(mean.expand_as(truth), truth).mean())
        return {
            "iou": sum(scores.values()) / len(scores),
            "above_mean_shape": sum(gains.values()) / len(gains),
            **{f"iou/{name}": score for name, score in scores.items()},
            **{f"above_mean_shape/{name}": gain for name, gain in gains.items()},
        }
