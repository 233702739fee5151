"""Other renderers' silhouettes on a GPU, for `make bench-cuda`: each runs only where it is installed.

None draws what this one draws: PyTorch3D keeps the nearest faces of a pixel and drops the rest, nvdiffrast blurs edges
over a pixel. The times say what a user of each waits for, not which formula is cheaper.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

import torch
from torch import Tensor

FACES_PER_PIXEL = 50  # as in PyTorch3D's own silhouette tutorial

Silhouette = Callable[[Tensor], Tensor]  # screen vertices (B, V, 3) -> (B, H, W)


def to_ndc(vertices: Tensor, size: int) -> Tensor:
    """x to the right and y upwards in [-1, 1] of a square image; the depth as it is."""
    x, y, z = vertices.unbind(-1)
    return torch.stack([2 * x / size - 1, 1 - 2 * y / size, z], -1)


def pytorch3d(faces: Tensor, size: int, views: int, radius: float) -> Silhouette:
    """SoftRas's silhouette, whose coverage fades to 1e-4 at `radius` pixels."""
    from pytorch3d.renderer.mesh import rasterize_meshes
    from pytorch3d.structures import Meshes

    blur = (2 * radius / size) ** 2
    sigma = blur / 9.21  # sigmoid(-9.21) = 1e-4

    def run(vertices: Tensor) -> Tensor:
        ndc = to_ndc(vertices, size) * vertices.new_tensor([-1.0, 1.0, 1.0])  # there x points to the left
        meshes = Meshes(ndc, faces.expand(views, -1, -1))
        kept = rasterize_meshes(meshes, size, blur_radius=blur, faces_per_pixel=FACES_PER_PIXEL)
        face, distance = kept[0], kept[3]
        return 1 - (1 - torch.sigmoid(-distance / sigma) * (face >= 0)).prod(-1)

    return run


def nvdiffrast(faces: Tensor, size: int, views: int, radius: float) -> Silhouette:
    """A hard mask, antialiased."""
    import nvdiffrast.torch as dr

    context, triangles = dr.RasterizeCudaContext(), faces.int()

    def run(vertices: Tensor) -> Tensor:
        ndc = to_ndc(vertices, size)
        depth = 1 - 2 / (1 + ndc[..., 2:])  # into [-1, 1], in the same order
        clip = torch.cat([ndc[..., :2], depth, torch.ones_like(depth)], -1).contiguous()
        fragments, _ = dr.rasterize(context, clip, triangles, (size, size))
        mask = (fragments[..., 3:] > 0).to(vertices.dtype)
        return dr.antialias(mask, fragments, clip, triangles)[..., 0]

    return run


ADAPTERS = {"pytorch3d": pytorch3d, "nvdiffrast": nvdiffrast}


def installed() -> dict[str, Callable[[Tensor, int, int, float], Silhouette]]:
    """The adapters of what is installed here."""
    return {name: adapter for name, adapter in ADAPTERS.items() if find_spec(name) is not None}
