"""From normals, positions, albedo and lights to light that reaches the eye; what both renderers share."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

from renderer.scene.camera import Camera
from renderer.scene.lights import Lights, PointLight
from renderer.shading.reflection import blinn_phong, lambert, unit
from renderer.shading.surface import Surface, of_material


def is_shiny(surface: Surface) -> bool:
    """Whether some material has a highlight, or may learn one."""
    return any(m.specular.requires_grad or bool((m.specular != 0).any()) for m in surface.materials)


def needs_points(surface: Surface, camera: Camera, lights: Lights | None) -> bool:
    """Whether shading looks at where the surface is."""
    if lights is None:
        return False
    return any(isinstance(light, PointLight) for light in lights) or is_shiny(surface)


def shade(
    surface: Surface,
    camera: Camera,
    lights: Lights | None,
    *,
    albedo: Float[Tensor, "B *points 3"],
    normals: Float[Tensor, "B *points 3"],
    points: Float[Tensor, "B *points 3"],
    material_ids: Int[Tensor, "B *points"] | None,
) -> tuple[Float[Tensor, "B *points 3"], Float[Tensor, "B *points 3"] | None]:
    """What surface points show, linear RGB, in two parts: albedo · lambert, and specular · blinn_phong.

    Without lights the first is the albedo; the second is None where nothing shines. `normals` need not have unit
    length; `points` are looked at only where `needs_points` says so.
    """
    if lights is None:
        return albedo, None
    normals = unit(normals)
    matt = albedo * lambert(normals, points, lights)
    if not is_shiny(surface):
        return matt, None
    specular = of_material(surface, material_ids, lambda m: m.specular, normals)
    shininess = of_material(surface, material_ids, lambda m: m.shininess, normals)
    return matt, specular * blinn_phong(normals, points, to_eye(camera, points), lights, shininess=shininess)


def to_eye(camera: Camera, points: Float[Tensor, "B *points 3"]) -> Float[Tensor, "#B *#points 3"]:
    """Unit directions from points to the eye; of an orthographic camera they are all the same."""
    singles = [1] * (points.ndim - 2)
    if camera.projection == "orthographic":
        return -camera.world_to_camera.reshape(-1, 4, 4)[:, 2, :3].reshape(-1, *singles, 3)
    offset = camera.centre.reshape(-1, *singles, 3) - points
    return unit(offset)
