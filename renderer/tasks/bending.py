"""A bending energy that leaves thin parts alone."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from renderer.scene.mesh import Mesh

AVERAGING_ROUNDS = 16  # the curvature is averaged over about 4 edges: ridges of the hull fade, a limb stays


class Bending:
    """Σ wᵢ‖δᵢ‖²/h² over the vertices, δᵢ = vᵢ − mean of its neighbours, h the mean edge length.

    On an even mesh it is the integral of the squared mean curvature (up to a factor), whatever the scale and the number
    of faces. With the edges fixed, a thin limb would lose it by shrinking to a thread; therefore wᵢ = 1/(1 + (κᵢ r)³),
    where κᵢ is the mean curvature of the mesh given, averaged nearby, and r = `radius` a length in world units: parts
    much thinner than r are hardly smoothed. w and h are fixed by that mesh. Differentiable in the vertices.

    >>> energy = Bending(mesh, radius=0.2)(vertices)
    """

    def __init__(self, mesh: Mesh, *, radius: float) -> None:
        start, end = mesh.edges.unbind(dim=1)
        self._here, self._there = torch.cat([start, end]), torch.cat([end, start])
        vertices = mesh.vertices.detach()
        degree = torch.bincount(self._here, minlength=len(vertices)).clamp(min=1)
        self._share = (1 / degree.to(vertices.dtype))[:, None]
        self.edge_length = float((vertices[start] - vertices[end]).norm(dim=1).mean())
        # An even mesh of edge length h has δ = h²/4 · Δv, and Δv = 2 · mean curvature · normal.
        curvature = (self._delta(vertices) * mesh.vertex_normals).sum(dim=1, keepdim=True) * 2 / self.edge_length**2
        for _ in range(AVERAGING_ROUNDS):
            curvature = (curvature + self._mean(curvature)) / 2
        self.weights = 1 / (1 + (radius * curvature.abs()) ** 3)

    def __call__(self, vertices: Float[Tensor, "V 3"]) -> Tensor:
        return (self.weights * self._delta(vertices).square()).sum() / self.edge_length**2

    def _delta(self, vertices: Float[Tensor, "V 3"]) -> Float[Tensor, "V 3"]:
        return vertices - self._mean(vertices)

    def _mean(self, values: Float[Tensor, "V C"]) -> Float[Tensor, "V C"]:
        """Over the neighbours of each vertex."""
        return torch.zeros_like(values).index_add(0, self._here, values[self._there]) * self._share
