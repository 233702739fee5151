"""Attributes of vertices, faces or corners, carried to the pixels."""

from __future__ import annotations

from typing import Literal, overload

import torch
from jaxtyping import Float, Int
from torch import Tensor

import renderer.ops.interpolate  # noqa: F401  registers the op
from renderer.ops.native_function import call
from renderer.raster.rasterize import Fragments


@overload
def interpolate(
    attributes: Tensor, fragments: Fragments, attribute_faces: Tensor, *, derivatives: Literal[False] = False
) -> Tensor: ...
@overload
def interpolate(
    attributes: Tensor, fragments: Fragments, attribute_faces: Tensor, *, derivatives: Literal[True]
) -> tuple[Tensor, Tensor]: ...
def interpolate(
    attributes: Float[Tensor, "B A C"],
    fragments: Fragments,
    attribute_faces: Int[Tensor, "F 3"],
    *,
    derivatives: bool = False,
) -> Float[Tensor, "B H W C"] | tuple[Float[Tensor, "B H W C"], Float[Tensor, "B H W C 2"]]:
    """The attributes at every pixel, sum_i b_i a_i over the corners of its face; 0 where there is none.

    Differentiable in the attributes and the barycentrics.

    Args:
        attributes: (B, A, C), or (1, A, C) for all views.
        fragments: from :func:`rasterize`.
        attribute_faces: indices into A for the corners of each face: the mesh's faces for vertex attributes, (f, f, f)
            for one value a face, or separate indices for values that jump at seams, such as texture coordinates.
        derivatives: return also d attribute / d (pixel x, pixel y), (B, H, W, C, 2), from `fragments.derivatives`.

    Raises:
        ValueError, TypeError: one line naming the argument.

    Example:
        >>> normals = interpolate(mesh.vertex_normals[None], fragments, mesh.faces)
    """
    weights = fragments.barycentrics
    batch = weights.shape[0]
    if attributes.ndim != 3 or attributes.shape[0] not in (1, batch):
        raise ValueError(f"attributes: expected shape ({batch}, A, C) or (1, A, C), got {tuple(attributes.shape)}")
    if attributes.dtype != weights.dtype:
        raise TypeError(f"attributes: expected {weights.dtype} as the fragments, got {attributes.dtype}")
    if attribute_faces.ndim != 2 or attribute_faces.shape[-1] != 3:
        raise ValueError(f"attribute_faces: expected shape (F, 3), got {tuple(attribute_faces.shape)}")
    if attribute_faces.dtype != torch.int64:
        raise TypeError(f"attribute_faces: expected int64, got {attribute_faces.dtype}")
    attributes = attributes.expand(batch, -1, -1)
    values = call("interpolate", attributes, attribute_faces, fragments.face_id, weights)[0]
    if not derivatives:
        return values
    slopes = fragments.derivatives
    if slopes is None:
        raise ValueError("fragments: expected derivatives, from rasterize(..., derivatives=True), got none")
    # Attributes are linear in the barycentrics, so their derivatives are the same sum with the derivatives as weights.
    dx, dy = (call("interpolate", attributes, attribute_faces, fragments.face_id, slopes[..., k])[0] for k in (0, 1))
    return values, torch.stack([dx, dy], -1)
