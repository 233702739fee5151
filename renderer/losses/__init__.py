"""Losses: a number leaves here. Silhouettes, pictures, mesh regularisers, point sets, rankings and top-k."""

from __future__ import annotations

from renderer.losses.edges import interior_edges
from renderer.losses.image import huber, image_mse, l1, psnr, ssim
from renderer.losses.mesh import edge_length, flatten, laplacian, laplacian_matrix, normal_consistency, volume
from renderer.losses.points import chamfer, f_score, nearest, sample_surface
from renderer.losses.ranking import (
    PairwiseRankingLoss,
    RankingCrossEntropy,
    SpearmanLoss,
    pairwise_ranking,
    ranking_cross_entropy,
    spearman,
)
from renderer.losses.silhouette import dice, hard_iou, mse, multi_scale, soft_iou
from renderer.losses.top_k import TopKCrossEntropy, top_k_cross_entropy

__all__ = [
    "PairwiseRankingLoss",
    "RankingCrossEntropy",
    "SpearmanLoss",
    "TopKCrossEntropy",
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
    "pairwise_ranking",
    "psnr",
    "ranking_cross_entropy",
    "sample_surface",
    "soft_iou",
    "spearman",
    "ssim",
    "top_k_cross_entropy",
    "volume",
]
