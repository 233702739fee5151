"""Losses: a number leaves here. Silhouettes, mesh regularisers and point sets."""

from __future__ import annotations

from renderer.losses.edges import interior_edges
from renderer.losses.mesh import edge_length, flatten, laplacian, laplacian_matrix, normal_consistency, volume
from renderer.losses.points import chamfer, f_score, nearest, sample_surface
from renderer.losses.silhouette import dice, hard_iou, mse, multi_scale, soft_iou

__all__ = [
    "chamfer",
    "dice",
    "edge_length",
    "f_score",
    "flatten",
    "hard_iou",
    "interior_edges",
    "laplacian",
    "laplacian_matrix",
    "mse",
    "multi_scale",
    "nearest",
    "normal_consistency",
    "sample_surface",
    "soft_iou",
    "volume",
]
