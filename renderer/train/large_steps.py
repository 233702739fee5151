"""Large Steps: optimise a mesh in coordinates where every gradient step is smooth."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import scipy.sparse
import torch
from jaxtyping import Float
from scipy.sparse.linalg import cg
from torch import Tensor

from renderer.losses.mesh import laplacian_matrix
from renderer.scene.mesh import Mesh

Method = Literal["auto", "cholesky", "cg"]

CG_TOLERANCE = 1e-10  # relative residual: far below what float32 positions can show


class LargeSteps:
    """The change of variables u = (I + λL) v between the vertices v of a mesh and latent coordinates u.

    L is the uniform Laplacian of the mesh's edges. A gradient step in u is a step in v that has been smoothed over
    about √λ edges, so that large steps keep the surface free of folds. λ = 0 changes nothing.

    `to_vertices` is differentiable (once) in u; the topology is fixed, so after remeshing make a new one.
    method: "cholesky" (the package cholespy), "cg" (conjugate gradients, needs only scipy), "auto": the first where it
    is installed. Raises ValueError if `stiffness` < 0 or the mesh is batched, ImportError for "cholesky" without it.
    Source: Nicolet, Jacobson and Jakob, "Large Steps in Inverse Rendering of Geometry", 2021.

    >>> steps = LargeSteps(mesh, stiffness=10.0)
    >>> torch.allclose(steps.to_vertices(steps.to_latent(mesh.vertices)), mesh.vertices, atol=1e-5)
    True
    """

    def __init__(self, mesh: Mesh, *, stiffness: float, method: Method = "auto") -> None:
        if not stiffness >= 0:
            raise ValueError(f"stiffness: expected a number >= 0, got {stiffness}")
        if method not in ("auto", "cholesky", "cg"):
            raise ValueError(f"method: expected 'auto', 'cholesky' or 'cg', got {method!r}")
        laplacian = laplacian_matrix(mesh.vertices.detach().double(), mesh.faces).cpu().coalesce()
        size = mesh.num_vertices
        entries = scipy.sparse.coo_matrix((laplacian.values().numpy(), laplacian.indices().numpy()), (size, size))
        self.matrix = (scipy.sparse.identity(size) + stiffness * entries).tocsr()
        self._solver: Any = None if method == "cg" else _cholesky(self.matrix, required=method == "cholesky")

    def to_latent(self, vertices: Float[Tensor, "V 3"]) -> Float[Tensor, "V 3"]:
        """u = (I + λL) v, without gradient."""
        latent = self.matrix @ vertices.detach().cpu().double().numpy()
        return torch.from_numpy(latent).to(vertices.device, vertices.dtype)

    def to_vertices(self, latent: Float[Tensor, "V 3"]) -> Float[Tensor, "V 3"]:
        """v = (I + λL)⁻¹ u, differentiable in u."""
        return _Solve.apply(latent, self)

    def solve(self, right: Float[Tensor, "V 3"]) -> Float[Tensor, "V 3"]:
        """(I + λL)⁻¹ of three columns, computed in float64."""
        columns = right.detach().cpu().double().contiguous()
        if self._solver is not None:
            result = torch.zeros_like(columns)
            self._solver.solve(columns, result)
        else:
            result = torch.from_numpy(np.stack([self._conjugate_gradients(c) for c in columns.numpy().T], axis=1))
        return result.to(right.device, right.dtype)

    def _conjugate_gradients(self, column: np.ndarray) -> np.ndarray:
        inverse_diagonal = scipy.sparse.diags(1 / self.matrix.diagonal())
        result, failed = cg(self.matrix, column, rtol=CG_TOLERANCE, M=inverse_diagonal)
        if failed:
            raise RuntimeError(f"conjugate gradients did not converge in {failed} iterations")
        return result


class _Solve(torch.autograd.Function):
    """The matrix is symmetric, so the backward pass is the same solve."""

    @staticmethod
    def forward(ctx: Any, latent: Tensor, steps: LargeSteps) -> Tensor:
        ctx.steps = steps
        return steps.solve(latent)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return ctx.steps.solve(gradient), None


def _cholesky(matrix: scipy.sparse.csr_matrix, *, required: bool) -> Any:
    try:
        from cholespy import CholeskySolverD, MatrixType
    except ImportError:
        if required:
            raise ImportError("method: 'cholesky' needs the package cholespy (pip install cholespy)") from None
        return None
    entries = matrix.tocoo()
    rows, columns, values = (torch.from_numpy(x.copy()) for x in (entries.row, entries.col, entries.data))
    return CholeskySolverD(matrix.shape[0], rows, columns, values, MatrixType.COO)
