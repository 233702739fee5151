"""Attributes at the corners of a face, weighted by barycentrics."""

from __future__ import annotations

import torch
from torch import Tensor

from renderer.reference.barycentrics import gather_corners


def interpolate(attributes: Tensor, attribute_faces: Tensor, face_id: Tensor, barycentrics: Tensor) -> Tensor:
    """(B, A, C), (F, 3), (B, H, W), (B, H, W, 3) -> (B, H, W, C); 0 where there is no face."""
    corners = gather_corners(attributes, attribute_faces, face_id)
    weights = torch.where((face_id >= 0)[..., None], barycentrics, 0.0)
    return (weights[..., None] * corners).sum(-2)
