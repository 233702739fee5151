"""From a mesh in the world to clipped triangles on the screen."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

from renderer.raster.clip import Cuts, clip
from renderer.scene.camera import Camera
from renderer.scene.mesh import Mesh


def project_mesh(mesh: Mesh, camera: Camera) -> tuple[Float[Tensor, "B V2 3"], Int[Tensor, "F2 3"]]:
    """Screen vertices (pixel x, pixel y, depth) and faces of a mesh seen by a batch of cameras.

    Args:
        mesh: vertices (V, 3) or (B, V, 3).
        camera: one camera or a batch of B; a single mesh or camera serves the whole batch.

    Returns:
        (B, V2, 3) and (F2, 3): the mesh's own vertices first, and its own faces if no view has to cut any; see
        :func:`renderer.raster.clip.clip_near` for what happens at the near plane.

    Differentiable in the vertices and in the camera's matrices.

    Raises:
        ValueError: more than one batch dimension, or batch sizes, dtypes or devices that do not match.

    Example:
        >>> screen, faces = project_mesh(icosphere(2), Camera.look_at((0.0, 0.0, 3.0), image_size=(64, 64)))
    """
    screen_vertices, faces, _ = project_clipped(mesh.vertices, mesh.faces, camera)
    return screen_vertices, faces


def project_clipped(
    vertices: Float[Tensor, "*batch V 3"], faces: Int[Tensor, "F 3"], camera: Camera, *, far: float | None = None
) -> tuple[Float[Tensor, "B V2 3"], Int[Tensor, "F2 3"], tuple[Cuts, ...]]:
    """As :func:`project_mesh`, also clipped at ``far``, with the record that attributes need to follow.

    See :func:`renderer.raster.clip.clip` and :func:`renderer.raster.clip.clip_attributes`.
    """
    if (vertices.dtype, vertices.device) != (camera.dtype, camera.device):
        expected, came = f"{vertices.dtype} on {vertices.device} as the mesh", f"{camera.dtype} on {camera.device}"
        raise ValueError(f"camera: expected {expected}, got {came}")
    batches = {"mesh": tuple(vertices.shape[:-2]), "camera": camera.batch_shape}
    for name, batch in batches.items():
        if len(batch) > 1:
            raise ValueError(f"{name}: expected at most one batch dimension, got {batch}")
    sizes = {batch[0] for batch in batches.values() if batch and batch[0] != 1}
    if len(sizes) > 1:
        raise ValueError(f"mesh, camera: expected one batch size, got {batches['mesh'][0]} and {batches['camera'][0]}")
    clipped, faces, cuts = clip(camera.to_camera(vertices), faces, near=camera.near, far=far)
    return camera.to_pixels(clipped), faces, cuts
