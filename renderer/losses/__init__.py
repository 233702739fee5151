"""Losses: a number leaves here. Silhouettes, pictures, mesh regularisers and point sets."""

from __future__ import annotations

from renderer.losses.edges import interior_edges
from renderer.losses.image import huber, image_mse, l1, psnr, ssim
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
    "huber",
    "image_mse",
    "interior_edges",
    "l1",
    "laplacian",
    "laplacian_matrix",
    "mse",
    "multi_scale",
    "nearest",
    "normal_consistency",
    "psnr",
    "sample_surface",
    "soft_iou",
    "ssim",
    "volume",
]
