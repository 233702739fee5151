"""Mesh and camera in, image out."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from renderer.raster.coverage import CoverageMode, soft_silhouette
from renderer.raster.project import project_mesh
from renderer.relax.distributions import Distribution, distribution
from renderer.relax.t_conorms import TConorm, t_conorm
from renderer.scene.camera import Camera
from renderer.scene.mesh import Mesh, MeshBatch


class SoftRenderer(nn.Module):
    """Renders soft silhouettes; its parameters are the perturbation's and the T-conorm's, if those were given as
    Parameters.

    Args:
        distribution: a `renderer.relax.distribution(...)`, or a name together with `scale`.
        t_conorm: a `renderer.relax.t_conorm(...)`, or a name of one without a parameter; not used by "outline".
        scale: in pixels (pixels^2 for a squared distribution); only with a name.
        coverage: "face", every face by itself (the published definition), or "outline", the union (unbiased).

    Raises:
        ValueError: one line naming the argument.

    Example:
        >>> renderer = SoftRenderer("logistic", scale=0.5)
        >>> alpha = renderer.silhouette(mesh, Camera.look_at((0.0, 0.0, 3.0), image_size=(256, 256)))  # (1, 256, 256)
    """

    def __init__(
        self,
        distribution: Distribution | str = "logistic",
        t_conorm: TConorm | str = "probabilistic",
        *,
        scale: float | Tensor | None = None,
        coverage: CoverageMode = "face",
    ) -> None:
        super().__init__()
        self.distribution = _as_distribution(distribution, scale)
        self.t_conorm = _as_t_conorm(t_conorm)
        if coverage not in ("face", "outline"):
            raise ValueError(f"coverage: expected 'face' or 'outline', got {coverage!r}")
        self.coverage: CoverageMode = coverage
        values: dict[str, Any] = {name: getattr(self.distribution, name) for name in ("scale", "shape", "shift")}
        values["p"] = self.t_conorm.p
        for name, value in values.items():
            if isinstance(value, nn.Parameter):
                self.register_parameter(name, value)

    def silhouette(self, mesh: Mesh | MeshBatch, camera: Camera) -> Float[Tensor, "B H W"]:
        """Soft coverage in [0, 1] of a mesh by every camera, or of mesh i of a `MeshBatch` by camera i.

        Differentiable in the vertices, the camera and the renderer's parameters. Faces that reach behind the near
        plane are cut.
        """
        if isinstance(mesh, MeshBatch):
            cameras = list(camera) if camera.batch_shape else [camera] * len(mesh)
            if len(cameras) != len(mesh):
                raise ValueError(f"camera: expected one, or one for each of {len(mesh)} meshes, got {len(cameras)}")
            return torch.cat([self.silhouette(m, c) for m, c in zip(mesh, cameras, strict=True)])
        screen_vertices, faces = project_mesh(mesh, camera)
        return soft_silhouette(
            screen_vertices,
            faces,
            camera.image_size,
            distribution=self.distribution,
            t_conorm=self.t_conorm,
            coverage=self.coverage,
        )

    def forward(self, mesh: Mesh | MeshBatch, camera: Camera) -> Float[Tensor, "B H W"]:
        """As `silhouette`."""
        return self.silhouette(mesh, camera)

    def extra_repr(self) -> str:
        return f"distribution={self.distribution.name!r}, t_conorm={self.t_conorm.name!r}, coverage={self.coverage!r}"


def _as_distribution(value: Distribution | str, scale: float | Tensor | None) -> Distribution:
    if isinstance(value, Distribution):
        if scale is not None:
            raise ValueError("scale: expected none beside a distribution object, which has its own")
        return value
    if scale is None:
        raise ValueError(f"scale: expected a number in pixels beside the name {value!r}, got None")
    return distribution(value, scale=scale)


def _as_t_conorm(value: TConorm | str) -> TConorm:
    return value if isinstance(value, TConorm) else t_conorm(value)
