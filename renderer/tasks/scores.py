"""How good a reconstruction is: silhouettes against masks, and the state of the mesh."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from renderer.losses.silhouette import hard_iou
from renderer.scene.mesh import Mesh
from renderer.scene.views import Views
from renderer.tasks.parts import cover


def silhouette_ious(mesh: Mesh, views: Views) -> Float[Tensor, "N"]:
    """IoU of each view at image resolution: pixel centres that the mesh covers against mask > ½.

    >>> float(silhouette_ious(mesh, views).mean())
    0.998
    """
    return hard_iou(cover(mesh, views.camera), views.masks > 0.5, reduction="none")


def scores(mesh: Mesh, train: Views, test: Views | None) -> dict[str, Any]:
    """Mean IoU of training and unseen views, the mesh's quality, and under "views" the IoU of each view.

    >>> scores(mesh, views, None)["train_iou"]
    0.998
    """
    splits = {"train": train} if test is None else {"train": train, "test": test}
    ious = {split: silhouette_ious(mesh, views).tolist() for split, views in splits.items()}
    means = {f"{split}_iou": sum(values) / len(values) for split, values in ious.items()}
    by_view = {split: dict(zip(splits[split].names, ious[split], strict=True)) for split in splits}
    return {**means, **mesh_quality(mesh), "views": by_view}


def smallest_angles(mesh: Mesh) -> Float[Tensor, "F"]:
    """Smallest angle of each face in degrees; 60 for equilateral ones, 0 for faces without area."""
    corners = mesh.vertices[mesh.faces].double()
    along = torch.nn.functional.normalize(corners.roll(-1, dims=1) - corners, dim=2)
    cosine = -(along * along.roll(1, dims=1)).sum(dim=2)
    return torch.rad2deg(torch.acos(cosine.clamp(-1, 1))).amin(dim=1)


def mesh_quality(mesh: Mesh) -> dict[str, Any]:
    """Size, topology and triangle shapes, as plain values for `metrics.json`."""
    angles = smallest_angles(mesh)
    return {
        "faces": mesh.num_faces,
        "vertices": mesh.num_vertices,
        "watertight": mesh.is_watertight,
        "genus": mesh.genus if mesh.is_watertight else None,
        "parts": mesh.num_components,
        "median_smallest_angle": float(angles.median()),
        "smallest_angle": float(angles.min()),
    }
