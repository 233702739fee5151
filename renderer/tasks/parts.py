"""Which parts of a visual hull the masks ask for."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.ndimage import distance_transform_edt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from renderer.raster.project import project_mesh
from renderer.raster.rasterize import rasterize
from renderer.scene.camera import Camera
from renderer.scene.mesh import Mesh

NEEDED_PIXELS = 4  # a part must explain this many pixels of one mask that no larger part explains: fewer are chance


def needed_parts(mesh: Mesh, masks: Float[Tensor, "N H W"], camera: Camera) -> Mesh:
    """Drop the parts that are cavities (turned inside out) or explain no mask: phantoms between the cones.

    Shapes: a mesh with outward faces, its parts not joined by an edge; masks (N, H, W) of N cameras.

    >>> needed_parts(hull, views.masks, views.camera).num_components
    1
    """
    part = part_of_face(mesh)
    count = int(part.max()) + 1
    corners = mesh.vertices[mesh.faces].double()
    signed = torch.linalg.det(corners - corners.mean(dim=(0, 1))) / 6
    volume = signed.new_zeros(count).index_add(0, part, signed)
    order = [int(i) for i in volume.argsort(descending=True) if volume[i] > 0]
    if len(order) == count == 1:
        return mesh
    kept, covered = [order[0]], cover(_select(mesh, part == order[0]), camera)
    for index in order[1:]:
        more = cover(_select(mesh, part == index), camera)
        gain = (more & ~covered & (masks > 0.5).to(more.device)).sum(dim=(1, 2))
        if int(gain.max()) >= NEEDED_PIXELS:
            kept.append(index)
            covered |= more
    return _select(mesh, torch.isin(part, torch.tensor(kept, device=part.device)))


def cover(mesh: Mesh, camera: Camera) -> Bool[Tensor, "N H W"]:
    """Which pixel centres the mesh covers in each view; one view at a time, to bound the memory."""
    views = []
    for view in camera:
        screen, faces = project_mesh(mesh, view)
        views.append(rasterize(screen, faces, view.image_size).face_id[0] >= 0)
    return torch.stack(views)


def uncovered(mesh: Mesh, masks: Float[Tensor, "N H W"], camera: Camera, *, margin: float) -> int:
    """The largest number of mask pixels, over the views, farther than `margin` pixels outside the mesh's silhouette."""
    most = 0
    for covered, mask in zip(cover(mesh, camera).cpu().numpy(), masks.cpu().numpy(), strict=True):
        most = max(most, int(((distance_transform_edt(~covered) > margin) & (mask > 0.5)).sum()))
    return most


def part_of_face(mesh: Mesh) -> Int[Tensor, "F"]:
    """The part that each face belongs to, numbered from 0; faces are in one part if a chain of edges joins them."""
    left, right = mesh.edge_faces[(mesh.edge_faces >= 0).all(dim=1)].cpu().numpy().T
    graph = coo_matrix((np.ones(len(left), dtype=np.int8), (left, right)), shape=(mesh.num_faces, mesh.num_faces))
    return torch.from_numpy(connected_components(graph, directed=False)[1].astype(np.int64)).to(mesh.faces.device)


def _select(mesh: Mesh, chosen: Bool[Tensor, "F"]) -> Mesh:
    """The chosen faces with the vertices that they use."""
    used, faces = torch.unique(mesh.faces[chosen], return_inverse=True)
    return Mesh(mesh.vertices[used], faces.reshape(-1, 3))
