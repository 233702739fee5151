"""A pull towards a surface that is known but rough."""

from __future__ import annotations

import torch
from jaxtyping import Float
from scipy.spatial import cKDTree
from torch import Tensor
from torch.nn import functional

from renderer.scene.mesh import Mesh


class Attraction:
    """The mean over the vertices of Huber's function of their distances to a surface, in units of `pixel`.

    The distance is that to the plane through the vertex of `surface` that is nearest at the beginning, so that the
    mesh may slide; from a pixel on it counts linearly, and outliers of the surface pull no harder than its noise.
    Differentiable in the vertices.

    >>> energy = Attraction(mesh, surface, pixel=0.01)(mesh.vertices)
    """

    def __init__(self, mesh: Mesh, surface: Mesh, *, pixel: float) -> None:
        places, vertices = surface.vertices.detach().cpu(), mesh.vertices.detach()
        nearest = torch.from_numpy(cKDTree(places.double().numpy()).query(vertices.cpu().double().numpy())[1])
        self._points = places[nearest].to(vertices)
        self._normals = surface.vertex_normals.detach().cpu()[nearest].to(vertices)
        self._pixel = pixel

    def __call__(self, vertices: Float[Tensor, "V 3"]) -> Tensor:
        distances = ((vertices - self._points) * self._normals).sum(-1) / self._pixel
        return functional.huber_loss(distances, torch.zeros_like(distances))
