"""Signed distances of simple solids, negative inside, and ways to blend them.

Points are one contiguous array of shape (3, N), so that a coordinate is a row and numpy streams through it; every
result has shape (N,) and the dtype of the points. Distances are exact or, outside, lower bounds, which is all that
sphere tracing needs. Lengths are in the units of the points.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Vector = Sequence[float]
Solid = Callable[[Array], Array]

CHUNK = 8192  # points evaluated together, so that the temporaries stay in the cache
NEWTON_STEPS = 4  # the nearest point of a quadratic curve is then known to 1e-6 of its length
CURVE_STARTS = (0.25, 0.5, 0.75, 1.0)  # after 0; a quadratic curve has at most two local minima of the distance


def dot(a: Vector, points: Array) -> Array:
    """Dot product of one vector with all points."""
    return float(a[0]) * points[0] + float(a[1]) * points[1] + float(a[2]) * points[2]


def relative(points: Array, origin: Vector) -> Array:
    """Points seen from `origin`."""
    return points - np.asarray(origin, points.dtype)[:, None]


def length(v: Array) -> Array:
    """Euclidean length of every column."""
    return np.sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2])


def frame(forward: Vector, up: Vector = (0.0, 0.0, 1.0)) -> list[tuple[float, float, float]]:
    """Right-handed orthonormal axes (forward, left, up'), the first along `forward`."""
    f = np.asarray(forward, float) / np.linalg.norm(forward)
    left = np.cross(np.asarray(up, float), f)
    left /= np.linalg.norm(left)
    return [tuple(map(float, axis)) for axis in (f, left, np.cross(f, left))]


def local(points: Array, origin: Vector, axes: Sequence[Vector]) -> Array:
    """Coordinates of the points in a frame with the given origin and axes."""
    q = relative(points, origin)
    return np.stack([dot(axis, q) for axis in axes])


def sphere(points: Array, centre: Vector, radius: float) -> Array:
    """Ball: |p - c| - r, exact."""
    return length(relative(points, centre)) - radius


def ellipsoid(points: Array, centre: Vector, radii: Vector, axes: Sequence[Vector] | None = None) -> Array:
    """Ellipsoid: g / |grad g| with the convex g = |p / r| - 1: a lower bound outside, of unit slope at the surface."""
    q = relative(points, centre) if axes is None else local(points, centre, axes)
    scaled = np.stack([q[i] / float(radii[i]) for i in range(3)])
    g = length(scaled)
    slope = length(np.stack([scaled[i] / float(radii[i]) for i in range(3)]))
    return g * (g - 1.0) / np.maximum(slope, 1e-6)


def round_cone(points: Array, a: Vector, b: Vector, radius_a: float, radius_b: float) -> Array:
    """Convex hull of two balls, exact: the distance to the axis in the plane of the axis, against the tilted side."""
    axis = np.subtract(b, a).astype(float)
    height = float(np.linalg.norm(axis))
    sine = (radius_a - radius_b) / height
    cosine = math.sqrt(1.0 - sine * sine)
    q = relative(points, a)
    along = dot(axis / height, q)
    across = np.sqrt(np.maximum(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] - along * along, 0.0))
    tilted = along * cosine - across * sine
    side = across * cosine + along * sine - radius_a
    at_a = np.hypot(across, along) - radius_a
    at_b = np.hypot(across, along - height) - radius_b
    return np.where(tilted < 0.0, at_a, np.where(tilted > height * cosine, at_b, side))


def curve(points: Array, a: Vector, b: Vector, c: Vector, radii: tuple[float, float, float]) -> Array:
    """Tube around the quadratic Bezier curve a, b, c whose radius is the quadratic Bezier of `radii`.

    The nearest parameter minimises |B(t) - p|² by Newton's method from the best of a few starts; far away, where the
    curve has two nearest points, it may be the second nearest.
    """
    a_, b_, c_ = (np.asarray(v, float) for v in (a, b, c))
    linear, quadratic = 2.0 * (b_ - a_), a_ - 2.0 * b_ + c_
    q = relative(points, a)
    # |B(t) - p|² = |q|² + c1 t + c2 t² + c3 t³ + c4 t⁴ with B(t) - a = linear t + quadratic t²
    c1 = -2.0 * dot(linear, q)
    c2 = float(linear @ linear) - 2.0 * dot(quadratic, q)
    c3, c4 = 2.0 * float(linear @ quadratic), float(quadratic @ quadratic)
    best = np.zeros_like(c1)
    t = np.zeros_like(c1)
    for start in CURVE_STARTS:
        value = start * (c1 + start * (c2 + start * (c3 + start * c4)))
        better = value < best
        best = np.where(better, value, best)
        t = np.where(better, points.dtype.type(start), t)
    floor = 0.1 * float(linear @ linear)  # keeps a step bounded where the distance is concave along the curve
    for _ in range(NEWTON_STEPS):
        slope = c1 + t * (2.0 * c2 + t * (3.0 * c3 + t * (4.0 * c4)))
        bend = 2.0 * c2 + t * (6.0 * c3 + t * (12.0 * c4))
        t = np.clip(t - slope / np.maximum(bend, floor), 0.0, 1.0)
    offset = [q[i] - t * (float(linear[i]) + t * float(quadratic[i])) for i in range(3)]
    distance = np.sqrt(offset[0] * offset[0] + offset[1] * offset[1] + offset[2] * offset[2])
    ra, rb, rc = radii
    return distance - (ra + t * (2.0 * (rb - ra) + t * (ra - 2.0 * rb + rc)))


def ring(points: Array, centre: Vector, radius: float, thickness: float) -> Array:
    """Torus around the z axis, exact."""
    q = relative(points, centre)
    return np.hypot(np.hypot(q[0], q[1]) - radius, q[2]) - thickness


def pillar(points: Array, z_low: float, z_high: float, radius_low: float, radius_high: float, edge: float) -> Array:
    """Truncated cone around the z axis with edges rounded to radius `edge`, exact outside.

    In the half plane (distance from the axis, z) it is a convex polygon, shrunk by `edge` and grown again.
    """
    rho, z = np.hypot(points[0], points[1]), points[2] - (z_low + edge)
    height = z_high - z_low - 2.0 * edge
    ra, rb = radius_low - edge, radius_high - edge
    # nearest points on the two caps and on the side
    cap_rho = rho - np.minimum(rho, np.where(z < 0.5 * height, ra, rb).astype(points.dtype))
    cap_z = np.abs(z - 0.5 * height) - 0.5 * height
    side_length2 = (rb - ra) ** 2 + height**2
    t = np.clip(((rho - ra) * (rb - ra) + z * height) / side_length2, 0.0, 1.0)
    side_rho, side_z = rho - ra - t * (rb - ra), z - t * height
    inside = (cap_z < 0.0) & (side_rho < 0.0)
    distance2 = np.minimum(cap_rho * cap_rho + cap_z * cap_z, side_rho * side_rho + side_z * side_z)
    return np.where(inside, -1.0, 1.0).astype(points.dtype) * np.sqrt(distance2) - edge


def vesica(x: Array, y: Array, half_length: float, half_width: float) -> Array:
    """Planar distance to the intersection of two discs, its points at (±half_length, 0), exact."""
    radius = (half_width**2 + half_length**2) / (2.0 * half_width)
    shift = radius - half_width
    x, y = np.abs(x), np.abs(y)
    at_tip = (x - half_length) * shift > y * half_length
    return np.where(at_tip, np.hypot(x - half_length, y), np.hypot(x, y + shift) - radius)


def join(a: Array, b: Array, blend: float) -> Array:
    """Union with a smooth fillet: min(a, b) - h³ blend / 6 with h = max(1 - |a - b| / blend, 0)."""
    h = np.maximum(1.0 - np.abs(a - b) / blend, 0.0)
    return np.minimum(a, b) - h * h * h * (blend / 6.0)


def attach(body: Array, points: Array, part: Solid, ball: tuple[Vector, float], blend: float) -> Array:
    """join(body, part(points), blend), evaluated only where the part's bounding ball (centre, radius) is near."""
    near = np.flatnonzero(sphere(points, *ball) < body + blend)  # elsewhere the fillet is zero and the body nearer
    if len(near) == 0:
        return body
    joined = body.copy()
    joined[near] = join(body[near], part(points[:, near]), blend)
    return joined


def carve(a: Array, b: Array, blend: float) -> Array:
    """`a` without `b`, with a fillet of width `blend`."""
    return -join(-a, b, blend)


def evaluate(solid: Solid, points: Array) -> Array:
    """Signed distances of points (3, N), chunk by chunk."""
    out = np.empty(points.shape[1], points.dtype)
    for i in range(0, len(out), CHUNK):
        out[i : i + CHUNK] = solid(np.ascontiguousarray(points[:, i : i + CHUNK]))
    return out


def gradient(solid: Solid, points: Array, h: float) -> Array:
    """Central differences of the distance (3, N)."""
    rows = []
    for axis in np.eye(3, dtype=points.dtype) * h:
        rows.append(evaluate(solid, points + axis[:, None]) - evaluate(solid, points - axis[:, None]))
    return np.stack(rows) / points.dtype.type(2 * h)
