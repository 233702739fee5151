"""Cameras around the unit sphere, and antialiased RGBA images of a solid by sphere tracing."""

from __future__ import annotations

import math

import numpy as np
from albedo import Albedo
from numpy.typing import NDArray
from signed_distance import Array, Solid, evaluate, gradient, length

IMAGE_SIZE = 256  # pixels, square
CAMERA_ANGLE_X = 0.6911112070083618  # horizontal field of view in radians, that of the NeRF synthetic scenes
CAMERA_DISTANCE = 3.15  # the unit sphere then spans 93 % of the frame
TRAIN_VIEWS, TEST_VIEWS = 24, 8

OUTLINE = (144, 89)  # rays through a pixel on the outline: a Fibonacci lattice of 144 points, in steps of 89 / 144
CREASE = (21, 13)  # rays through a pixel where one part of the object ends in front of another
RELIEF = 0.04  # a step in depth between neighbouring pixels, from which on one part is seen in front of another
STEP = 0.8  # share of the distance that a ray advances: tubes and bent leaves overestimate it by up to a fifth
LEAST_STEP = 5e-4  # for grazing rays; what lies wholly between two steps is less than 1e-5 (0.001 pixels) deep
TOWARDS_LIGHT = np.array([0.4, -0.5, 0.77]) / np.linalg.norm([0.4, -0.5, 0.77])
AMBIENT, FILL, KEY = 0.18, 0.17, 0.65  # constant, hemisphere (from above) and Lambert terms of the shading


def fibonacci_sphere(n: int) -> Array:
    """n evenly spread unit vectors (n, 3) (spherical Fibonacci points)."""
    i = np.arange(n) + 0.5
    z = 1.0 - 2.0 * i / n
    azimuth = i * math.pi * (3.0 - math.sqrt(5.0))
    rho = np.sqrt(1.0 - z * z)
    return np.stack([rho * np.cos(azimuth), rho * np.sin(azimuth), z], 1)


def view_directions() -> tuple[Array, Array]:
    """Directions to the training cameras (24, 3), evenly spread, and to the test cameras (8, 3), far from those."""
    train = fibonacci_sphere(TRAIN_VIEWS)
    candidates = fibonacci_sphere(4000)
    taken = train
    for _ in range(TEST_VIEWS):
        farthest = candidates[np.argmin((candidates @ taken.T).max(1))]
        taken = np.concatenate([taken, farthest[None]])
    return train, taken[TRAIN_VIEWS:]


def camera_to_world(direction: Array) -> Array:
    """Pose (4, 4) of a camera in that direction that looks at the origin; OpenGL axes (x right, y up, z backward)."""
    right = np.cross([0.0, 0.0, 1.0], direction)
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(direction, right), direction], 1)
    pose[:3, 3] = CAMERA_DISTANCE * direction
    return pose


def pixels_per_unit() -> float:
    """Size in pixels of a unit length at the origin."""
    return 0.5 * IMAGE_SIZE / math.tan(0.5 * CAMERA_ANGLE_X) / CAMERA_DISTANCE


def rays(pose: Array, x: Array, y: Array) -> Array:
    """Unit directions (3, N) of the rays through the image points (x, y), in pixels from the top left corner."""
    focal = 0.5 * IMAGE_SIZE / math.tan(0.5 * CAMERA_ANGLE_X)
    half = 0.5 * IMAGE_SIZE
    directions = pose[:3, :3] @ np.stack([(x - half) / focal, (half - y) / focal, -np.ones_like(x)])
    return (directions / np.linalg.norm(directions, axis=0)).astype(np.float32)


def march(solid: Solid, eye: Array, directions: Array, start: Array, spread: float) -> tuple[Array, NDArray[np.bool_]]:
    """Follow cones of half angle `spread` (radians; 0: rays) to the first touch with the solid.

    Returns the distances along the rays (N,) and whether each touched; the others left the unit sphere.
    """
    along = start.astype(np.float32)
    touched = np.zeros(len(along), bool)
    closest = -(eye @ directions)  # where a ray is closest to the origin
    leave = closest + np.sqrt(np.maximum(1.0 - (eye @ eye - closest * closest), 0.0))
    active = np.flatnonzero(along < leave)
    while len(active):
        t = along[active]
        distance = evaluate(solid, eye[:, None] + t * directions[:, active]) - spread * t
        hit = distance < 0.0
        touched[active[hit]] = True
        along[active] = np.where(hit, t, t + np.maximum(np.float32(STEP) * distance, np.float32(LEAST_STEP)))
        active = active[~hit & (along[active] < leave[active])]
    return along, touched


def shade(solid: Solid, points: Array, albedo: Albedo) -> Array:
    """Linear RGB (N, 3) of surface points: ambient, hemisphere and Lambert light, no shadows."""
    normal = gradient(solid, points, 1e-3)
    normal = normal / length(normal)
    lambert = np.maximum(TOWARDS_LIGHT @ normal, 0.0)
    return (AMBIENT + FILL * (1.0 + normal[2]) + KEY * lambert)[:, None] * albedo(points)


def render(solid: Solid, pose: Array, albedo: Albedo) -> NDArray[np.uint8]:
    """RGBA image (H, W, 4) of the solid: sRGB colour, straight alpha = the share of each pixel that the solid covers.

    Cones around the pixels find the pixels that the solid can touch. Of these, the ones next to a step in depth or to a
    pixel whose centre the solid misses are supersampled; the others are covered.
    """
    size = IMAGE_SIZE
    eye = pose[:3, 3].astype(np.float32)
    y, x = (v.reshape(-1) + 0.5 for v in np.mgrid[:size, :size].astype(float))
    directions = rays(pose, x, y)
    spread = math.tan(0.5 * CAMERA_ANGLE_X) / (0.5 * size) * math.sqrt(0.5)
    enter = np.full(size * size, CAMERA_DISTANCE - 1.0)
    near, touched = march(solid, eye, directions, enter, spread)

    seen = np.flatnonzero(touched)
    depth, hit = np.full(size * size, np.inf, np.float32), np.zeros(size * size, bool)
    depth[seen], hit[seen] = march(solid, eye, directions[:, seen], near[seen], 0.0)
    depth[~hit] = np.inf
    around = np.pad(depth.reshape(size, size), 1, mode="edge")
    around = np.stack([around[i : i + size, j : j + size].reshape(-1) for i in range(3) for j in range(3)])
    smooth = around.max(0) < around.min(0) + RELIEF

    image = np.zeros((size * size, 4))
    inner = np.flatnonzero(touched & smooth)
    image[inner, :3] = shade(solid, eye[:, None] + depth[inner] * directions[:, inner], albedo)
    image[inner, 3] = 1.0

    outline = np.isinf(around).any(0)
    for pixels, (samples, step) in ((touched & outline, OUTLINE), (touched & ~outline & ~smooth, CREASE)):
        ids, k = np.flatnonzero(pixels), np.arange(samples)
        dx, dy = (k + 0.5) / samples - 0.5, (k * step + 0.5) % samples / samples - 0.5
        sub = rays(pose, (x[ids, None] + dx).reshape(-1), (y[ids, None] + dy).reshape(-1))
        sub_depth, sub_hit = march(solid, eye, sub, np.repeat(near[ids], samples), 0.0)
        colour = np.zeros((len(sub_hit), 3))
        colour[sub_hit] = shade(solid, eye[:, None] + sub_depth[sub_hit] * sub[:, sub_hit], albedo)
        hits = sub_hit.reshape(-1, samples).sum(1)
        image[ids, :3] = colour.reshape(-1, samples, 3).sum(1) / np.maximum(hits, 1)[:, None]
        image[ids, 3] = hits / samples

    rgb = image[:, :3]
    image[:, :3] = np.where(rgb <= 0.0031308, 12.92 * rgb, 1.055 * np.maximum(rgb, 1e-9) ** (1 / 2.4) - 0.055)
    image[image[:, 3] == 0.0] = 0.0
    return np.round(255.0 * np.clip(image, 0.0, 1.0)).astype(np.uint8).reshape(size, size, 4)
