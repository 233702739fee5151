"""Hard rendering: the nearest surface at every pixel, shaded per pixel, with smooth and differentiable outlines."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from renderer.raster.antialias import antialias
from renderer.raster.clip import Cuts, clip_attributes
from renderer.raster.interpolate import interpolate
from renderer.raster.project import project_clipped
from renderer.raster.rasterize import Fragments, rasterize
from renderer.raster.texture import texture
from renderer.scene.camera import Camera
from renderer.scene.colours import Colour, as_colour
from renderer.scene.lights import Lights
from renderer.scene.mesh import Mesh, MeshBatch
from renderer.shading.batches import each_with_its_camera
from renderer.shading.shade import needs_points, shade
from renderer.shading.surface import Attribute, Surface, make_surface, of_material


class HardRenderer(nn.Module):
    """Draws meshes as a game does: rasterize, interpolate, look up the texture, shade, antialias.

    Called with meshes, cameras and lights it returns RGBA (B, H, W, 4): linear RGB over the background, and coverage.
    Differentiable in the vertices (shading, and visibility through `antialias`), the camera, the lights, the
    materials and the texture.

    Args:
        background: linear RGB behind everything, (3,), or an image (H, W, 3) or (B, H, W, 3); black by default.
        far: what lies farther along z, in world units, is cut off; None for nothing.
        cull_back_faces: leave out the faces that look away.
        antialias: blend across silhouette edges. Without it no gradient says how outlines move.

    Example:
        >>> image = HardRenderer()(mesh, camera, Lights(AmbientLight(0.3), DirectionalLight((0.0, 1.0, 1.0))))
    """

    def __init__(
        self,
        *,
        background: Colour = 0.0,
        far: float | None = None,
        cull_back_faces: bool = False,
        antialias: bool = True,
    ) -> None:
        super().__init__()
        self.background = as_colour(background, name="background")
        self.far, self.cull_back_faces, self.antialias = far, cull_back_faces, antialias

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
        fragments = rasterize(
            screen,
            faces,
            camera.image_size,
            perspective=camera.projection == "perspective",
            cull_back_faces=self.cull_back_faces,
            derivatives=_needs_derivatives(surface),
        )
        colour = self._shaded(surface, cuts, fragments, camera, lights)
        seen = (fragments.face_id >= 0).unsqueeze(-1)
        background = self.background.to(colour)
        image = torch.cat([torch.where(seen, colour, background), seen.to(colour)], -1)
        return antialias(image, fragments, screen, faces) if self.antialias else image

    def _shaded(
        self, surface: Surface, cuts: tuple[Cuts, ...], fragments: Fragments, camera: Camera, lights: Lights | None
    ) -> Float[Tensor, "B H W 3"]:
        """The colour of every pixel; without meaning where nothing is seen."""
        ids = _material_ids(surface, cuts, fragments)
        wanted = {"colours": surface.colours} if surface.colours is not None else {}
        if lights is not None:
            wanted["normals"] = surface.normals
            if needs_points(surface, camera, lights):
                wanted["points"] = Attribute(surface.vertices, surface.faces)
        carried = _carried(wanted, cuts, fragments)
        albedo = of_material(surface, ids, lambda m: m.base_colour, fragments.barycentrics)
        if "colours" in carried:
            white = not albedo.requires_grad and bool((albedo == 1).all())
            albedo = carried["colours"] if white else albedo * carried["colours"]
        if surface.uv is not None:
            albedo = _textured(albedo, surface, surface.uv, cuts, fragments, ids)
        albedo = albedo.expand(*fragments.face_id.shape, 3)
        normals = carried.get("normals", albedo)  # not looked at without lights
        points = carried.get("points", normals)
        matt, highlight = shade(
            surface, camera, lights, albedo=albedo, normals=normals, points=points, material_ids=ids
        )
        return matt if highlight is None else matt + highlight

    def extra_repr(self) -> str:
        return f"far={self.far}, cull_back_faces={self.cull_back_faces}, antialias={self.antialias}"


def _needs_derivatives(surface: Surface) -> bool:
    return any(m.texture is not None and m.texture_filter == "mipmap" for m in surface.materials)


def _material_ids(surface: Surface, cuts: tuple[Cuts, ...], fragments: Fragments) -> Int[Tensor, "B H W"] | None:
    if surface.face_material is None:
        return None
    by_face = surface.face_material
    for cut in cuts:
        by_face = by_face[cut.owner]
    return by_face[fragments.face_id.clamp(min=0)] if by_face.numel() else torch.zeros_like(fragments.face_id)


def _carried(wanted: dict[str, Attribute], cuts: tuple[Cuts, ...], fragments: Fragments) -> dict[str, Tensor]:
    """Three channels each, (B, H, W, 3); those with the same rows at the corners are interpolated in one go."""
    out: dict[str, Tensor] = {}
    while wanted:
        (first, (values, rows)), *rest = wanted.items()
        together = [first, *(n for n, a in rest if a.faces is rows and len(a.values) == len(values))]
        values, rows = clip_attributes(torch.cat([wanted[n].values for n in together], -1), rows, cuts)
        out |= zip(together, interpolate(values, fragments, rows).split(3, -1), strict=True)
        wanted = {name: attribute for name, attribute in wanted.items() if name not in together}
    return out


def _textured(
    albedo: Tensor,
    surface: Surface,
    uv: Attribute,
    cuts: tuple[Cuts, ...],
    fragments: Fragments,
    ids: Tensor | None,
) -> Tensor:
    """Times the texture of the material that each pixel shows."""
    values, rows = clip_attributes(uv.values, uv.faces, cuts)
    slopes = None
    if _needs_derivatives(surface):
        at_pixels, slopes = interpolate(values, fragments, rows, derivatives=True)
    else:
        at_pixels = interpolate(values, fragments, rows)
    for index, material in enumerate(surface.materials):
        if material.texture is None:
            continue
        image = material.texture.to(at_pixels)
        looked_up = texture(
            image.unsqueeze(0) if image.ndim == 3 else image,
            at_pixels,
            uv_derivatives=slopes if material.texture_filter == "mipmap" else None,
            filter=material.texture_filter,
            wrap=material.texture_wrap,
        )
        if ids is not None:
            looked_up = torch.where((ids == index).unsqueeze(-1), looked_up, 1.0)
        albedo = albedo * looked_up
    return albedo
