"""The objects, as signed distances: a fox cub, a teapot, a potted plant, a stone. z is up; lengths are arbitrary."""

from __future__ import annotations

import numpy as np
from signed_distance import (
    Array,
    attach,
    carve,
    curve,
    ellipsoid,
    frame,
    join,
    local,
    pillar,
    ring,
    round_cone,
    sphere,
    vesica,
)

Point = tuple[float, float, float]


def creature(p: Array) -> Array:
    """A fox cub in mid step: head turned, one fore paw raised, a bushy tail swung to one side. Genus 0."""
    body = round_cone(p, (0.0, -0.5, 0.82), (0.0, 0.3, 0.84), 0.27, 0.33)
    body = join(body, ellipsoid(p, (0.0, 0.42, 0.78), (0.25, 0.2, 0.3)), 0.15)  # chest
    body = join(body, round_cone(p, (0.0, 0.36, 1.0), (0.06, 0.6, 1.33), 0.24, 0.19), 0.2)  # neck
    for side, stride in ((0.22, 0.12), (-0.22, -0.16)):
        ball = ((side, -0.5 + 0.5 * stride, 0.45), 0.63)
        body = attach(body, p, lambda q, side=side, stride=stride: hind_leg(q, side, stride), ball, 0.14)
    body = attach(body, p, standing_leg, ((0.22, 0.36, 0.4), 0.55), 0.14)
    body = attach(body, p, raised_leg, ((-0.22, 0.65, 0.55), 0.55), 0.14)
    body = attach(body, p, tail, ((-0.25, -1.1, 1.15), 0.8), 0.1)
    return attach(body, p, head, ((0.1, 0.72, 1.55), 0.78), 0.12)


def hind_leg(p: Array, side: float, stride: float) -> Array:
    """Thigh, shank, foot and toes of the fox cub."""
    x, y = 1.1 * side, stride
    thigh = round_cone(p, (side, -0.52, 0.76), (x, y - 0.42, 0.46), 0.23, 0.13)
    shank = round_cone(p, (x, y - 0.42, 0.46), (x, y - 0.68, 0.25), 0.12, 0.075)
    foot = round_cone(p, (x, y - 0.68, 0.25), (x, y - 0.6, 0.085), 0.075, 0.08)
    toes = round_cone(p, (x, y - 0.6, 0.08), (1.15 * side, y - 0.44, 0.075), 0.08, 0.075)
    return join(join(join(thigh, shank, 0.08), foot, 0.06), toes, 0.06)


def standing_leg(p: Array) -> Array:
    """Left fore leg of the fox cub."""
    upper = round_cone(p, (0.2, 0.36, 0.72), (0.23, 0.3, 0.42), 0.17, 0.1)
    lower = round_cone(p, (0.23, 0.3, 0.42), (0.24, 0.36, 0.09), 0.1, 0.078)
    paw = round_cone(p, (0.24, 0.36, 0.085), (0.25, 0.5, 0.075), 0.085, 0.075)
    return join(join(upper, lower, 0.06), paw, 0.06)


def raised_leg(p: Array) -> Array:
    """Right fore leg of the fox cub."""
    upper = round_cone(p, (-0.2, 0.38, 0.72), (-0.25, 0.56, 0.46), 0.17, 0.105)
    lower = round_cone(p, (-0.25, 0.56, 0.46), (-0.23, 0.86, 0.54), 0.1, 0.075)
    paw = round_cone(p, (-0.23, 0.86, 0.54), (-0.22, 0.97, 0.44), 0.08, 0.075)
    return join(join(upper, lower, 0.06), paw, 0.06)


def tail(p: Array) -> Array:
    """Tail of the fox cub: a thin root, a bushy middle, a pointed tip."""
    root = curve(p, (0.0, -0.68, 0.9), (-0.02, -1.15, 0.72), (-0.2, -1.3, 1.12), (0.08, 0.12, 0.2))
    tip = curve(p, (-0.2, -1.3, 1.12), (-0.35, -1.425, 1.455), (-0.62, -1.22, 1.75), (0.2, 0.26, 0.035))
    return join(root, tip, 0.05)


def head(p: Array) -> Array:
    """Head of the fox cub, turned to its right and slightly down; coordinates are (ahead, left, above)."""
    q = local(p, (0.1, 0.72, 1.55), frame((0.42, 0.9, -0.12)))
    skull = ellipsoid(q, (0.0, 0.0, 0.0), (0.29, 0.31, 0.27))
    for side in (1.0, -1.0):
        cheek = round_cone(q, (0.08, side * 0.14, -0.06), (-0.02, side * 0.4, -0.12), 0.19, 0.035)
        skull = join(skull, cheek, 0.08)
    skull = join(skull, round_cone(q, (0.18, 0.0, -0.07), (0.55, 0.0, -0.13), 0.16, 0.07), 0.12)  # muzzle
    skull = join(skull, sphere(q, (0.61, 0.0, -0.085), 0.055), 0.015)  # nose
    for side in (1.0, -1.0):
        ear = round_cone(q, (-0.06, side * 0.19, 0.14), (-0.08, side * 0.32, 0.56), 0.155, 0.03)
        hollow = round_cone(q, (0.07, side * 0.22, 0.24), (-0.02, side * 0.32, 0.5), 0.085, 0.01)
        skull = join(skull, carve(ear, hollow, 0.04), 0.05)
        skull = join(skull, sphere(q, (0.235, side * 0.135, 0.07), 0.045), 0.012)  # eye
    return skull


def teapot(p: Array) -> Array:
    """A ribbed teapot with a lid and knob, a swan-neck spout and one looped handle. Genus 1."""
    rho2 = p[0] * p[0] + p[1] * p[1]
    ribs = np.cos(10.0 * np.arctan2(p[1], p[0])) * (rho2 / (rho2 + 0.12))  # fades towards the axis
    body = ellipsoid(p, (0.0, 0.0, 0.0), (0.62, 0.62, 0.47)) - 0.014 * ribs
    body = join(body, pillar(p, -0.52, -0.38, 0.37, 0.33, 0.05), 0.06)  # foot
    body = join(body, ring(p, (0.0, 0.0, 0.42), 0.29, 0.045), 0.05)  # collar
    body = join(body, ellipsoid(p, (0.0, 0.0, 0.43), (0.27, 0.27, 0.16)), 0.03)  # lid
    body = join(body, round_cone(p, (0.0, 0.0, 0.56), (0.0, 0.0, 0.66), 0.06, 0.035), 0.05)
    body = join(body, ellipsoid(p, (0.0, 0.0, 0.72), (0.095, 0.095, 0.075)), 0.03)  # knob
    body = attach(body, p, spout, ((0.85, 0.0, 0.2), 0.78), 0.12)
    return attach(body, p, handle, ((-0.85, -0.04, 0.15), 0.62), 0.07)


def spout(p: Array) -> Array:
    """Spout of the teapot, with a small hollow at its end."""
    neck = curve(p, (0.45, 0.0, -0.14), (0.86, 0.03, -0.12), (0.9, 0.03, 0.17), (0.2, 0.12, 0.1))
    lip = curve(p, (0.9, 0.03, 0.17), (0.94, 0.03, 0.46), (1.17, 0.0, 0.52), (0.1, 0.08, 0.085))
    return carve(join(neck, lip, 0.02), sphere(p, (1.24, 0.0, 0.57), 0.045), 0.06)


def handle(p: Array) -> Array:
    """Handle of the teapot, with a rest for the thumb."""
    upper = curve(p, (-0.44, 0.0, 0.3), (-0.86, -0.05, 0.62), (-1.06, -0.06, 0.26), (0.085, 0.06, 0.065))
    lower = curve(p, (-1.06, -0.06, 0.26), (-1.2, -0.065, 0.01), (-0.5, 0.0, -0.2), (0.065, 0.07, 0.075))
    thumb = round_cone(p, (-1.0, -0.06, 0.42), (-1.12, -0.065, 0.53), 0.055, 0.04)
    return join(join(upper, lower, 0.02), thumb, 0.06)


def plant(p: Array) -> Array:
    """A potted plant: two thin stems with leaves and a bud. Genus 0."""
    body = pillar(p, -0.95, -0.32, 0.27, 0.37, 0.05)
    body = join(body, pillar(p, -0.4, -0.24, 0.42, 0.43, 0.05), 0.02)  # rim
    body = carve(body, sphere(p, (0.0, 0.0, 0.25), 0.6), 0.05)  # the soil lies lower
    for ends, radii in (
        (((0.04, 0.0, -0.35), (-0.12, 0.05, 0.2), (0.06, 0.0, 0.5)), (0.028, 0.019, 0.019)),
        (((0.06, 0.0, 0.5), (0.2, -0.04, 0.8), (0.42, -0.1, 0.86)), (0.019, 0.017, 0.017)),
        (((-0.06, -0.06, -0.35), (-0.1, -0.42, -0.02), (-0.42, -0.5, 0.3)), (0.026, 0.019, 0.017)),
    ):
        ball = tuple(np.add(ends[0], ends[2]) / 2), 0.5 * float(np.linalg.norm(np.subtract(*ends[::2]))) + 0.12
        body = attach(body, p, lambda q, ends=ends, radii=radii: curve(q, *ends, radii), ball, 0.03)
    body = attach(body, p, bud, ((0.55, -0.13, 0.83), 0.22), 0.03)
    for base, towards, size in (
        ((-0.02, 0.02, 0.02), (0.25, 0.9, 0.45), 0.62),
        ((-0.02, 0.02, 0.2), (-0.85, 0.35, 0.55), 0.58),
        ((0.03, 0.0, 0.42), (0.6, 0.6, 0.55), 0.5),
        ((0.1, -0.01, 0.58), (-0.35, -0.55, 0.6), 0.44),
        ((-0.2, -0.38, 0.06), (0.75, -0.6, 0.25), 0.5),
        ((-0.42, -0.5, 0.3), (-0.6, -0.35, 0.35), 0.46),
    ):
        middle = np.add(base, 0.5 * size * np.array(towards) / np.linalg.norm(towards))
        blade = lambda q, base=base, towards=towards, size=size: leaf(q, base, towards, size)  # noqa: E731
        body = attach(body, p, blade, (tuple(middle), 0.62 * size + 0.03), 0.03)
    return body


def bud(p: Array) -> Array:
    """Pointed flower bud of the plant."""
    round_part = ellipsoid(p, (0.5, -0.12, 0.84), (0.13, 0.1, 0.1), frame((1.0, -0.25, -0.25)))
    return join(round_part, round_cone(p, (0.5, -0.12, 0.84), (0.68, -0.165, 0.79), 0.085, 0.018), 0.05)


def leaf(p: Array, base: Point, towards: Point, size: float) -> Array:
    """A pointed blade from `base` along `towards`, bent downwards, thin at the rim, thicker inside."""
    rim, swelling = 0.017, 0.08
    q = local(p, base, frame(towards))
    along, across = np.clip(q[0] / size, -0.1, 1.1), np.clip(q[1] / size, -0.3, 0.3)  # no bending far away
    flat = vesica(q[0] - 0.5 * size, q[1], 0.5 * size, 0.23 * size)
    height = q[2] + size * (0.16 * along * along + 0.3 * across * across)
    return np.hypot(np.maximum(flat, 0.0), height) - rim + swelling * np.minimum(flat, 0.0)


def pumice(p: Array) -> Array:
    """A stone with nine hollows of different sizes, which no silhouette shows. Genus 0."""
    stone = ellipsoid(p, (0.0, 0.0, 0.0), (0.96, 0.88, 0.80))
    for direction, width in HOLLOWS:
        length2 = sum(d * d for d in direction)
        centre = tuple(float(0.98 * d / length2**0.5) for d in direction)
        stone = carve(stone, sphere(p, centre, width), 0.05)
    return stone


HOLLOWS = (
    ((1.0, 0.2, 0.1), 0.46),
    ((-1.0, 0.5, 0.3), 0.42),
    ((0.2, 1.0, 0.4), 0.40),
    ((0.1, -1.0, 0.3), 0.44),
    ((0.4, 0.1, 1.0), 0.42),
    ((-0.4, -0.3, -1.0), 0.44),
    ((0.7, 0.5, -0.9), 0.36),
    ((-0.8, -0.7, 0.5), 0.38),
    ((-0.5, 0.8, -0.7), 0.34),
)
