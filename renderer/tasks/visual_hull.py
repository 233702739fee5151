"""Visual hull: the largest body that projects into every mask, found by carving a voxel grid."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree
from skimage.measure import find_contours, marching_cubes
from torch import Tensor

from renderer.scene.camera import Camera
from renderer.scene.mesh import Mesh
from renderer.scene.primitives import icosphere
from renderer.tasks.parts import NEEDED_PIXELS, needed_parts, uncovered

NO_VOLUME = "masks: no point of space lies inside all of them; check that the cameras belong to the masks"
MIN_RESOLUTION = 8
COARSE = 4  # the grid is carved densely at a quarter of the resolution, and exactly only near the surface
BOX_RESOLUTION = 64  # for finding the box that the hull fills
LEVELS = (0.0, 0.25, -0.25, 0.5, -0.5, 0.75, 1.0)  # of the surface, in pixels, positive inwards
SLACK = 1.5  # pixels by which a mask may stick out beyond a surface moved inwards, besides the move
CHUNK = 1 << 18  # points projected at once: bounds the memory whatever the resolution
BAND = 4.0  # pixels about the contour in which the distance is measured to the contour itself
CONTOUR_STEPS = 8  # points per contour segment (a segment is at most √2 pixels long)


class Carving(NamedTuple):
    """A field on a grid, positive inside: sample (i, j, k) lies at origin + spacing · (i, j, k)."""

    field: Float[Tensor, "X Y Z"]
    origin: Float[Tensor, "3"]
    spacing: float


def visual_hull(masks: Float[Tensor, "N H W"], camera: Camera, *, resolution: int = 128) -> Mesh:
    """The visual hull of `masks`, carved from a grid of `resolution` voxels along its longest side.

    The surface lies where the field of `carve` is zero, between the voxels (marching cubes), not on stairs. Cavities,
    which no silhouette shows, and phantoms, which no mask needs, are left out.

    Shapes: masks (N, H, W), alpha in [0, 1]; `camera` holds N cameras. Raises ValueError as `carve` does.
    Source: Laurentini, "The Visual Hull Concept for Silhouette-Based Image Understanding", 1994.

    >>> visual_hull(views.masks, views.camera, resolution=96).is_watertight
    True
    """
    return level_surface(carve(masks, camera, resolution=resolution), masks, camera)


def carve(masks: Float[Tensor, "N H W"], camera: Camera, *, resolution: int = 128) -> Carving:
    """For each voxel the least signed distance, over the views, to the cone of the mask, in world units.

    A point outside an image counts as its nearest border pixel; one behind a camera is left to the others. Distances
    are exact near the surface and interpolated beyond: memory O(resolution³), time O(N · resolution²). Raises
    ValueError if the masks have no point in common, or `resolution` < 8.

    >>> carve(views.masks, views.camera, resolution=96).field.amax() > 0
    tensor(True)
    """
    if resolution < MIN_RESOLUTION:
        raise ValueError(f"resolution: expected at least {MIN_RESOLUTION} voxels, got {resolution}")
    maps = torch.stack([torch.from_numpy(signed_distance(mask)) for mask in masks.detach().cpu().double().numpy()])
    maps, camera = maps.float()[:, None], camera.to("cpu", torch.float32)
    carving = _carve(maps, camera, *_box(maps, camera), resolution)
    field = carving.field
    for axis in range(3):  # the border of the grid is outside, so that every surface closes
        field.movedim(axis, 0)[[0, -1]] = field.movedim(axis, 0)[[0, -1]].clamp(max=-carving.spacing)
    if not bool((field > 0).any()):
        raise ValueError(NO_VOLUME)
    return carving


def level_surface(carving: Carving, masks: Float[Tensor, "N H W"], camera: Camera, *, level: float = 0.0) -> Mesh:
    """The closed surface where the field is `level`, outward faces, without the parts that no mask needs."""
    field, origin, spacing = carving
    vertices, faces, _, _ = marching_cubes(field.numpy(), level, gradient_direction="ascent")
    points = torch.from_numpy(vertices.copy()) * spacing + origin
    surface = Mesh(points.to(masks.device, masks.dtype), torch.from_numpy(faces.astype(np.int64)))
    return needed_parts(surface, masks, camera)


def simplest_surface(carving: Carving, masks: Float[Tensor, "N H W"], camera: Camera) -> Mesh:
    """Of the surfaces up to a pixel from level zero the one with the fewest handles and parts that explains the masks.

    Where parts of a hull barely touch, the grid makes small tunnels, and parts thinner than a voxel come out torn. That
    happens at some levels; a real handle or hole is there at all of them. Moved back to level zero, the silhouettes
    must still cover the masks: of equally simple ones the one that leaves least uncovered is taken, then the nearest.

    >>> simplest_surface(carve(masks, camera), masks, camera).genus
    1
    """
    pixel = pixel_size(camera, carving.origin + carving.spacing * torch.tensor(carving.field.shape) / 2)
    found: list[tuple[int, int, Mesh]] = []  # pixels uncovered, in units that matter; handles and parts; surface
    for level in LEVELS:
        if level and not bool((carving.field > level * pixel).any()):
            continue
        surface = level_surface(carving, masks, camera, level=level * pixel)
        missing = uncovered(surface, masks, camera, margin=SLACK + max(level, 0.0)) // NEEDED_PIXELS
        found.append((missing, surface.genus + surface.num_components, surface))
        if found[-1][:2] == (0, 1):
            break
    allowed = found[0][0]  # no level may lose what level zero has
    return min((entry for entry in found if entry[0] <= allowed), key=lambda entry: (entry[1], entry[0]))[2]


def pixel_size(camera: Camera, point: Float[Tensor, "3"]) -> float:
    """World units that a pixel spans at `point`, the median over the cameras."""
    focal = (camera.K[:, 0, 0] + camera.K[:, 1, 1]) / 2
    point = point.to(focal)
    depth = camera.to_camera(point[None])[:, 0, 2] if camera.projection == "perspective" else torch.ones_like(focal)
    return float((depth / focal).median())


def surrounding_sphere(mesh: Mesh) -> Mesh:
    """A sphere about the middle of the mesh's box, as wide as the box on average."""
    low, high = mesh.bounds
    sphere = icosphere(4, radius=float((high - low).mean()) / 2, dtype=mesh.vertices.dtype)
    return sphere.with_vertices(sphere.vertices.to(mesh.vertices.device) + (low + high) / 2)


def signed_distance(mask: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance (pixels) from each pixel centre to the contour alpha = ½, positive inside; shapes (H, W) to (H, W)."""
    inside = mask > 0.5
    padded = np.pad(mask, 1, mode="edge")
    contours = find_contours(padded, 0.5)
    if not contours:
        return np.full(mask.shape, float(np.hypot(*mask.shape)) * (1 if inside.all() else -1))
    outside_distance = distance_transform_edt(~inside) if not inside.all() else np.zeros(mask.shape)
    distance = np.maximum(outside_distance, distance_transform_edt(inside)) - 0.5
    points = []
    for contour in contours:
        steps = np.arange(CONTOUR_STEPS)[:, None, None] / CONTOUR_STEPS
        points.append((contour[:-1] * (1 - steps) + contour[1:] * steps).reshape(-1, 2) - 1)
    rows, columns = np.nonzero(distance < BAND)
    distance[rows, columns] = cKDTree(np.concatenate(points)).query(np.stack([rows, columns], axis=1))[0]
    return np.where(inside, distance, -distance)


def _box(maps: Float[Tensor, "N 1 H W"], camera: Camera) -> tuple[Float[Tensor, "3"], Float[Tensor, "3"]]:
    """The box that the hull fills, with a margin: carved coarsely twice, first in a cube that is large enough."""
    low, high = _cube(maps, camera)
    for _ in range(2):
        field, low, voxel = _carve(maps, camera, low, high, BOX_RESOLUTION)
        inside = (field > -voxel).nonzero()
        if not len(inside):
            raise ValueError(NO_VOLUME)
        high = low + (inside.amax(dim=0) + 1) * voxel
        low = low + (inside.amin(dim=0) - 1) * voxel
    return low, high


def _cube(maps: Float[Tensor, "N 1 H W"], camera: Camera) -> tuple[Float[Tensor, "3"], Float[Tensor, "3"]]:
    """A cube about the point nearest to the rays through the masks' centres, as wide as the widest mask's diagonal."""
    centres, widths = [], []
    for distance in maps[:, 0]:
        y, x = (distance > 0).nonzero().double().T
        centres.append(torch.stack([(x.amin() + x.amax()) / 2, (y.amin() + y.amax()) / 2]) + 0.5)
        widths.append(torch.hypot(x.amax() - x.amin() + 2, y.amax() - y.amin() + 2))
    pixels, K, pose = torch.stack(centres), camera.K.double(), camera.camera_to_world.double()
    ray = torch.linalg.solve(K, torch.nn.functional.pad(pixels, (0, 1), value=1.0)[..., None])[..., 0]
    if camera.projection == "perspective":
        start, direction = torch.zeros_like(ray), ray
    else:
        start, direction = ray * ray.new_tensor([1.0, 1.0, 0.0]), ray.new_tensor([0.0, 0.0, 1.0]).expand_as(ray)
    start = torch.einsum("nij,nj->ni", pose[:, :3, :3], start) + pose[:, :3, 3]
    direction = torch.nn.functional.normalize(torch.einsum("nij,nj->ni", pose[:, :3, :3], direction))
    across = torch.eye(3).double() - direction[:, :, None] * direction[:, None, :]
    right = torch.einsum("nij,nj->i", across, start)
    centre = torch.linalg.lstsq(across.sum(dim=0), right[:, None], driver="gelsd").solution[:, 0]
    # Each mask alone may be wider than pixels at the centre's depth tell, where the object is nearer: hence the 2.
    depth = camera.to("cpu", torch.float64).to_camera(centre[None])[:, 0, 2]
    depth = depth.abs() if camera.projection == "perspective" else torch.ones_like(depth)
    reach = float((torch.stack(widths) * depth / K[:, [0, 1], [0, 1]].amin(dim=1)).amax())
    return (centre - reach).float(), (centre + reach).float()


def _carve(
    maps: Float[Tensor, "N 1 H W"], camera: Camera, low: Float[Tensor, "3"], high: Float[Tensor, "3"], resolution: int
) -> Carving:
    """`carve` over a given box."""
    voxel = float((high - low).amax()) / resolution
    cells = [int(n) for n in ((high - low) / (COARSE * voxel)).ceil()]
    coarse = _field(maps, camera, low, COARSE * voxel, torch.ones([n + 1 for n in cells], dtype=torch.bool))
    shape = [COARSE * n + 1 for n in cells]
    field = torch.nn.functional.interpolate(
        coarse.reshape(1, 1, *(n + 1 for n in cells)), size=shape, mode="trilinear", align_corners=True
    )[0, 0]
    near = field.abs() < 2 * COARSE * voxel
    field[near] = _field(maps, camera, low, voxel, near)
    return Carving(field, low, voxel)


def _field(
    maps: Float[Tensor, "N 1 H W"],
    camera: Camera,
    low: Float[Tensor, "3"],
    spacing: float,
    chosen: Bool[Tensor, "X Y Z"],
) -> Float[Tensor, "P"]:
    """Least signed distance to the masks' cones, in world units, at the chosen points of a grid."""
    height, width = maps.shape[-2:]
    to_ndc = torch.tensor([2 / width, 2 / height])
    parts = []
    for index in chosen.nonzero().split(CHUNK):
        points = low + index * spacing
        least = torch.full((len(points),), torch.inf)
        for view in range(len(maps)):
            screen = camera[view].project(points)[0]
            place = (screen[:, :2] * to_ndc - 1).reshape(1, 1, -1, 2)
            distance = torch.nn.functional.grid_sample(
                maps[view : view + 1], place, mode="bilinear", padding_mode="border", align_corners=False
            ).reshape(-1)
            depth = screen[:, 2]
            size = depth if camera.projection == "perspective" else 1.0
            cone = distance * size / camera.K[view, [0, 1], [0, 1]].mean()
            least = torch.where(depth > 0, torch.minimum(least, cone), least)
        parts.append(least)
    return torch.cat(parts)
