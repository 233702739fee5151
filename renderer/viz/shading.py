"""Normals to draw a mesh with: smooth across gentle edges, split at creases."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from renderer.scene.mesh import Mesh

# Faces that meet at more than this keep separate normals: a cube looks like a cube, a coarse sphere like a sphere.
CREASE_DEGREES = 45.0


class ShadedMesh(NamedTuple):
    """Vertices repeated along creases, so that each has one normal."""

    vertices: Float[Tensor, "S 3"]
    normals: Float[Tensor, "S 3"]
    faces: Int[Tensor, "F 3"]


def split_creases(mesh: Mesh, *, crease: float = CREASE_DEGREES) -> ShadedMesh:
    """Unit vertex normals, with one copy of a vertex for each smooth patch of faces around it.

    Corners of two faces share a copy when a chain of edges bent by less than `crease` (degrees) joins them; normals
    are weighted by area. Faces keep their order, their corners too. No gradient.
    Raises: ValueError for a batched mesh.

        >>> from renderer.scene import cube
        >>> split_creases(cube()).vertices.shape
        torch.Size([24, 3])
    """
    if mesh.vertices.ndim != 2:
        raise ValueError(f"mesh: expected one mesh with vertices (V, 3), got {tuple(mesh.vertices.shape)}")
    faces = mesh.faces.cpu().numpy()
    corners = mesh.vertices.detach().cpu().double().numpy()[faces]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(cross, axis=1, keepdims=True)
    unit = np.divide(cross, area, out=np.zeros_like(cross), where=area > 0)

    # One row for each edge of each face: its corner at the lower and at the higher vertex.
    here = np.arange(faces.size).reshape(-1, 3)
    there = np.roll(here, -1, axis=1)
    start, end = faces.ravel()[here.ravel()], faces.ravel()[there.ravel()]
    forward = start < end
    low = np.where(forward, here.ravel(), there.ravel())
    high = np.where(forward, there.ravel(), here.ravel())
    order = np.lexsort((np.maximum(start, end), np.minimum(start, end)))
    low, high = low[order], high[order]
    same = (faces.ravel()[low[1:]] == faces.ravel()[low[:-1]]) & (faces.ravel()[high[1:]] == faces.ravel()[high[:-1]])
    first, second = np.nonzero(same)[0], np.nonzero(same)[0] + 1
    bent = (unit[low[first] // 3] * unit[low[second] // 3]).sum(1)
    smooth = bent > math.cos(math.radians(crease))
    first, second = first[smooth], second[smooth]
    links = np.concatenate([low[first], high[first]]), np.concatenate([low[second], high[second]])
    graph = coo_matrix((np.ones(len(links[0]), dtype=bool), links), shape=(faces.size, faces.size))
    count, patch = connected_components(graph, directed=False)

    normals = np.stack([np.bincount(patch, np.repeat(cross[:, axis], 3), count) for axis in range(3)], axis=1)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    # A patch of zero-area faces only is never seen; any unit vector keeps shaders free of NaN.
    normals = np.where(length > 0, normals / np.where(length > 0, length, 1), [0.0, 0.0, 1.0])
    source = np.empty(count, dtype=np.int64)
    source[patch] = faces.ravel()
    device, dtype = mesh.vertices.device, mesh.vertices.dtype
    return ShadedMesh(
        vertices=mesh.vertices.detach()[torch.from_numpy(source).to(device)],
        normals=torch.from_numpy(normals).to(device, dtype),
        faces=torch.from_numpy(patch.astype(np.int64).reshape(-1, 3)).to(device),
    )
