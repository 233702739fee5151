"""Shapes from single pictures, learnt from silhouettes of several views."""

from __future__ import annotations

import math
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
WARM_UP = 200  # steps
PUBLISHED: dict[str, Any] = {
    "steps": 250_000,
    "batch_size": 64,
    "pictures": 2,
    "views": 2,
    "width": 64,
    "stiffness": 0.0,
    "lr": 1e-4,
    "decay": "step",
    "coverage": "face",
    "scale": 0.1,
    "last_scale": 0.1,
    "squared": True,
    "laplacian": 5e-3,
    "flatten": 5e-4,
}


@dataclass(frozen=True)
class SingleView(Experiment):
    """Learn to see a mesh in one picture, from silhouettes alone.

    Each step shows pictures of some objects, and the mesh seen in each is drawn from several sides, where the object's
    silhouettes are known (the published protocol of SoftRas, arXiv 1904.01786). DATA comes from `renderer shapes`, or
    is ShapeNet as distributed with SoftRas. The defaults learn in a quarter of an hour on one core; PUBLISHED are the
    published settings.
    """

    data: Path
    """Folder with CLASS_SPLIT_images.npz and CLASS_SPLIT_voxels.npz."""
    steps: int = 4_500
    """Number of updates."""
    batch_size: int = 16
    """Objects in a step, over all processes."""
    pictures: int = 2
    """Of each object in a step, that the network sees, one at a time."""
    views: int = 4
    """Of each object in a step, from which its meshes are drawn; the pictures' own come first."""
    width: int = 32
    """Channels of the first convolution; all layers grow with it."""
    stiffness: float = 10.0
    """Smoothing λ of the vertices' displacement; 0: none."""
    lr: float = 1e-3
    """Largest step size of Adam."""
    decay: Literal["cosine", "step"] = "cosine"
    """Rise over the first 200 steps and fall to 0 along a cosine; or a tenth after two thirds of the steps."""
    coverage: Literal["outline", "face"] = "outline"
    """Distance to the outline of the whole, or to every face by itself."""
    distribution: str = "logistic"
    """Any name of renderer.relax.DISTRIBUTIONS that needs no shape."""
    scale: float = 2.0
    """Of the distribution in the first step, in pixels (pixels² with --squared)."""
    last_scale: float = 0.4
    """The same in the last step; in between they form a geometric series."""
    squared: bool = False
    """Perturb the squared distance."""
    laplacian: float = 5e-3
    """Weight of the Laplacian energy; 0: none."""
    flatten: float = 0.0
    """Weight of the flatness energy; 0: none."""
    test_views: int = VIEWS
    """Pictures of each test object that are evaluated, evenly around it."""

    def __post_init__(self) -> None:
        for name, least in (("steps", 1), ("batch_size", 1), ("pictures", 1), ("test_views", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}: expected at least {least}, got {getattr(self, name)}")
        if not self.pictures <= self.views <= VIEWS:
            raise ValueError(f"views: expected {self.pictures} (pictures) to {VIEWS}, got {self.views}")
        if self.test_views > VIEWS:
            raise ValueError(f"test_views: expected 1 to {VIEWS}, got {self.test_views}")
        for name in ("scale", "last_scale"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: expected a positive number, got {getattr(self, name)}")

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

    def renderer(self, scale: float) -> SoftRenderer:
        """What draws the silhouettes."""
        return SoftRenderer(distribution(self.distribution, scale=scale, squared=self.squared), coverage=self.coverage)

    def model(self) -> SingleViewNetwork:
        return SingleViewNetwork(self.width, stiffness=self.stiffness)

    def optimiser(self, model: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.Adam(model.parameters(), lr=self.lr, fused=True)

    def schedule(self, step: int) -> float:
        if self.decay == "step":
            return 1.0 if step <= 2 * self.steps / 3 else 0.1
        return min(1.0, step / WARM_UP) * 0.5 * (1 + math.cos(math.pi * (step - 1) / self.steps))

    def batch(self, step: int, rank: int, world: int) -> dict[str, Any]:
        # All classes alike, however many objects they have.
        label = torch.randint(len(self.train.classes), (self.batch_size,))
        starts = torch.searchsorted(self.train.label, torch.arange(len(self.train.classes) + 1))
        chosen = starts[label] + (torch.rand(self.batch_size) * (starts[label + 1] - starts[label])).long()
        views = torch.randint(VIEWS, (self.views, self.batch_size))
        mine = share(torch.arange(self.batch_size), rank, world)
        images = self.train.images[chosen[mine], views[:, mine]]  # (views, B, 4, 64, 64)
        return {
            "images": images[: self.pictures].float() / 255,
            "silhouettes": images[:, :, 3].float() / 255,
            "views": views[:, mine],
            "scale": self.scale * (self.last_scale / self.scale) ** ((step - 1) / max(1, self.steps - 1)),
        }

    def loss(self, model: nn.Module, batch: Any) -> tuple[Tensor, dict[str, Any]]:
        images, targets, views = batch["images"], batch["silhouettes"], batch["views"]
        vertices = model(images.flatten(0, 1))
        sphere = self.sphere.to(vertices.device)
        # (picture, view, object): each object's meshes from all of its views.
        meshes = vertices.unflatten(0, images.shape[:2])[:, None].expand(-1, len(views), -1, -1, -1)
        drawn = self.renderer(batch["scale"]).silhouette(
            sphere.with_vertices(meshes.flatten(0, 2)), view_camera(views.flatten().repeat(len(images)))
        )
        overlap = soft_iou(drawn, targets.flatten(0, 1).repeat(len(images), 1, 1))
        loss, numbers = overlap, {"silhouettes": overlap}
        if self.laplacian:
            numbers["laplacian"] = laplacian(vertices, sphere.faces, edges=sphere.edges)
            loss = loss + self.laplacian * numbers["laplacian"]
        if self.flatten:
            numbers["flatten"] = flatten(vertices, sphere.faces, pairs=self._pairs.to(vertices.device))
            loss = loss + self.flatten * numbers["flatten"]
        return loss, numbers

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Voxel IoU with the test objects, of all and of each class, and by how much it beats its mean shape."""
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
