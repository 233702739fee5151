"""Soft rendering: every face near a pixel contributes, by coverage and depth, so that every gradient is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from renderer.raster.clip import Cuts, clip_attributes
from renderer.raster.coverage import CoverageMode, soft_silhouette
from renderer.raster.project import project_clipped, project_mesh
from renderer.raster.soft_render import soft_render
from renderer.raster.texture_set import FaceTextures, TextureMap
from renderer.relax.distributions import Distribution, distribution
from renderer.relax.parameters import as_number
from renderer.relax.t_conorms import TConorm, t_conorm
from renderer.scene.camera import Camera
from renderer.scene.colours import Colour, as_colour
from renderer.scene.lights import Lights
from renderer.scene.mesh import Mesh, MeshBatch
from renderer.shading.batches import each_with_its_camera
from renderer.shading.shade import shade
from renderer.shading.surface import Attribute, Surface, corner_values, make_surface, of_material

Blend = Literal["coverage", "softmax"]

DEFAULT_GAMMA = 1e-4
DEFAULT_FAR = 100.0
DEFAULT_EPS = 1e-3
"""Softness in depth, far plane and nearness of the background, as SoftRas and PyTorch3D have them."""


class SoftRenderer(nn.Module):
    """Renders soft pictures and silhouettes; its parameters are the perturbation's, the T-conorm's and γ, if those were
    given as Parameters.

    Called with meshes, cameras and lights it returns RGBA (B, H, W, 4), linear RGB and coverage. Differentiable in the
    vertices, the camera, the lights, the materials and their textures, and its own parameters. Light is computed at the
    corners of the faces; a texture is looked up for every face at every pixel.

    Args:
        distribution: a `renderer.relax.distribution(...)`, or a name together with `scale`.
        t_conorm: a `renderer.relax.t_conorm(...)`, or a name of one without a parameter; not used by "outline".
        scale: in pixels (pixels^2 for a squared distribution); only with a name.
        coverage: "face", every face by itself (the published definition), or "outline", the union (unbiased).
        gamma: softness of the choice among depths, in nearness (far - z)/(far - near); small is hard.
        eps: nearness of the background.
        background: linear RGB behind everything, (3,), or an image (H, W, 3) or (B, H, W, 3); black by default.
        blend: "coverage", the picture lies over the background by its alpha; "softmax", the background is one more
            face of nearness `eps`, as SoftRas and PyTorch3D have it, so that colours reach as far as the distribution.
        far: what lies farther along z, in world units, is cut off.
        near: depth of nearness 1; the camera's near plane by default.

    Raises:
        ValueError: one line naming the argument.

    Example:
        >>> renderer = SoftRenderer("logistic", scale=0.5)
        >>> image = renderer(mesh, camera, Lights(AmbientLight(0.3), DirectionalLight((0.0, 1.0, 1.0))))
        >>> alpha = renderer.silhouette(mesh, Camera.look_at((0.0, 0.0, 3.0), image_size=(256, 256)))  # (1, 256, 256)
    """

    def __init__(
        self,
        distribution: Distribution | str = "logistic",
        t_conorm: TConorm | str = "probabilistic",
        *,
        scale: float | Tensor | None = None,
        coverage: CoverageMode = "face",
        gamma: float | Tensor = DEFAULT_GAMMA,
        eps: float = DEFAULT_EPS,
        background: Colour = 0.0,
        blend: Blend = "coverage",
        far: float = DEFAULT_FAR,
        near: float | None = None,
    ) -> None:
        super().__init__()
        self.distribution = _as_distribution(distribution, scale)
        self.t_conorm = _as_t_conorm(t_conorm)
        if coverage not in ("face", "outline"):
            raise ValueError(f"coverage: expected 'face' or 'outline', got {coverage!r}")
        if blend not in ("coverage", "softmax"):
            raise ValueError(f"blend: expected 'coverage' or 'softmax', got {blend!r}")
        if not as_number(gamma) > 0:
            raise ValueError(f"gamma: expected a positive number, got {float(torch.as_tensor(gamma).detach())}")
        self.coverage: CoverageMode = coverage
        self.blend: Blend = blend
        self.background = as_colour(background, name="background")
        self.eps, self.near, self.far = eps, near, far
        if isinstance(gamma, nn.Parameter):
            self.register_parameter("gamma", gamma)
        else:
            self.gamma = gamma
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
            return each_with_its_camera(self.silhouette, mesh, camera)
        screen_vertices, faces = project_mesh(mesh, camera)
        return soft_silhouette(
            screen_vertices,
            faces,
            camera.image_size,
            distribution=self.distribution,
            t_conorm=self.t_conorm,
            coverage=self.coverage,
        )

    def forward(
        self, mesh: Mesh | Sequence[Mesh] | MeshBatch, camera: Camera, lights: Lights | None = None
    ) -> Float[Tensor, "B H W 4"]:
        """A mesh, or several that hide each other, seen by every camera; or mesh i of a `MeshBatch` by camera i.

        Without lights the picture shows the plain colours of the surfaces.

        Raises:
            ValueError: batch sizes, dtypes or devices that do not go together.
        """
        if isinstance(mesh, MeshBatch):
            return each_with_its_camera(lambda m, c: self(m, c, lights), mesh, camera)
        surface = make_surface([mesh] if isinstance(mesh, Mesh) else mesh)
        screen, faces, cuts = project_clipped(surface.vertices, surface.faces, camera, far=self.far)
        colours, colour_faces = _corner_colours(surface, cuts, camera, lights)
        background = self.background.to(screen)
        layers = colours.shape[-1] // 3  # the highlight is a layer of its own, which no texture tints
        rgb, alpha = soft_render(
            screen,
            faces,
            colours.expand(screen.shape[0], -1, -1),
            camera.image_size,
            distribution=self.distribution,
            t_conorm=self.t_conorm,
            gamma=self.gamma,
            eps=self.eps,
            background=torch.cat([background, *[torch.zeros_like(background)] * (layers - 1)], -1),
            near=camera.near if self.near is None else self.near,
            far=self.far,
            coverage=self.coverage,
            attribute_faces=colour_faces,
            textures=_face_textures(surface, cuts, screen.shape[0]),
            perspective=camera.projection == "perspective",
        )
        rgb = rgb.unflatten(-1, (layers, 3)).sum(-2)
        alpha = alpha.unsqueeze(-1)
        if self.blend == "coverage":
            rgb = background + alpha * (rgb - background)
        return torch.cat([rgb, alpha], -1)

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


def _corner_colours(
    surface: Surface, cuts: tuple[Cuts, ...], camera: Camera, lights: Lights | None
) -> tuple[Float[Tensor, "B A 3"], Tensor]:
    """The colour at every corner of the faces without its texture, and its rows for the faces after clipping.

    Three channels, and where something shines three more for the highlight.

    What the corners of different faces share is not computed once for both: their normals, materials and texture
    coordinates may differ.
    """
    points = corner_values(Attribute(surface.vertices, surface.faces))
    normals = corner_values(surface.normals)
    ids = None
    if surface.face_material is not None:
        ids = surface.face_material.reshape(1, -1, 1).expand(1, -1, 3)
    albedo = of_material(surface, ids, lambda m: m.base_colour, points)
    if surface.colours is not None:
        albedo = albedo * corner_values(surface.colours)
    shape = torch.broadcast_shapes(albedo.shape, points.shape)
    batch = max(shape[0], 1 if lights is None else _views(camera))
    matt, highlight = shade(
        surface,
        camera,
        lights,
        albedo=albedo.expand(batch, *shape[1:]),
        normals=normals.expand(batch, *shape[1:]),
        points=points.expand(batch, *shape[1:]),
        material_ids=None if ids is None else ids.expand(batch, -1, -1),
    )
    colours = matt if highlight is None else torch.cat([matt, highlight], -1)
    own_rows = torch.arange(colours.shape[1] * 3, device=colours.device).reshape(-1, 3)
    return clip_attributes(colours.flatten(1, 2), own_rows, cuts)


def _views(camera: Camera) -> int:
    return camera.batch_shape[0] if camera.batch_shape else 1


def _face_textures(surface: Surface, cuts: tuple[Cuts, ...], batch: int) -> FaceTextures | None:
    """The textures of the materials, and which face after clipping shows which."""
    textured = [i for i, material in enumerate(surface.materials) if material.texture is not None]
    if not textured or surface.uv is None:
        return None
    uv, uv_faces = clip_attributes(surface.uv.values, surface.uv.faces, cuts)
    maps = []
    for i in textured:
        material = surface.materials[i]
        assert material.texture is not None
        maps.append(TextureMap(material.texture.to(uv), material.texture_filter, material.texture_wrap))
    by_face = None
    if surface.face_material is not None:
        index = torch.full((len(surface.materials),), -1, device=uv_faces.device)
        index[textured] = torch.arange(len(textured), device=uv_faces.device)
        by_face = index[surface.face_material]
        for cut in cuts:
            by_face = by_face[cut.owner]
    return FaceTextures(maps, uv, uv_faces, by_face)
