"""Families of parametric shapes as signed distances: chairs, tables, lamps, planes, bottles, cars, sofas, monitors.

x is to the right, y up, z towards the front; lengths are arbitrary, as the data set scales every shape to fit.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Array = np.ndarray
Solid = Callable[[Array], Array]  # points (N, 3) -> signed distance (N,), negative inside


def box(centre: tuple[float, float, float], size: tuple[float, float, float]) -> Solid:
    """An axis-aligned box with these edge lengths."""

    def distance(p: Array) -> Array:
        q = np.abs(p - np.array(centre, p.dtype)) - np.array(size, p.dtype) / 2
        return np.linalg.norm(np.maximum(q, 0), axis=1) + np.minimum(q.max(1), 0)

    return distance


def cone(
    bottom: tuple[float, float, float], height: float, radius: float, top: float | None = None, axis: int = 1
) -> Solid:
    """A (truncated) cone or a cylinder along an axis; a bound of the distance, exact in sign."""
    top = radius if top is None else top

    def distance(p: Array) -> Array:
        q = p - np.array(bottom, p.dtype)
        along, across = q[:, axis], np.linalg.norm(np.delete(q, axis, axis=1), axis=1)
        slope = (top - radius) / height
        side = (across - radius - slope * along) / np.sqrt(1 + slope * slope)
        return np.maximum(side, np.abs(along - height / 2) - height / 2)

    return distance


def ellipsoid(centre: tuple[float, float, float], radii: tuple[float, float, float]) -> Solid:
    """An ellipsoid; about the distance, exact in sign."""

    def distance(p: Array) -> Array:
        q = (p - np.array(centre, p.dtype)) / np.array(radii, p.dtype)
        return (np.linalg.norm(q, axis=1) - 1) * min(radii)

    return distance


def wing(
    root: tuple[float, float, float], span: float, chord: float, sweep: float, thickness: float, taper: float
) -> Solid:
    """Both halves of a flat wing along ±x, swept back (towards −z) and tapered; a bound of the distance."""

    def distance(p: Array) -> Array:
        q = p - np.array(root, p.dtype)
        out = np.abs(q[:, 0]) / span
        middle = q[:, 2] + sweep * out
        return np.maximum.reduce(
            [np.abs(middle) - chord / 2 * (1 - taper * out), np.abs(q[:, 1]) - thickness / 2, (out - 1) * span]
        )

    return distance


def union(*solids: Solid) -> Solid:
    """All of them together."""
    return lambda p: np.minimum.reduce([solid(p) for solid in solids])


def legs(width: float, depth: float, height: float, thickness: float) -> list[Solid]:
    """Four square legs whose outer sides span width × depth, from y = 0 up."""
    x, z = (width - thickness) / 2, (depth - thickness) / 2
    corners = [(-x, -z), (-x, z), (x, -z), (x, z)]
    return [box((a, height / 2, b), (thickness, height, thickness)) for a, b in corners]


def pedestal(height: float, radius: float, foot: float) -> list[Solid]:
    """A column on a round foot, from y = 0 up."""
    return [cone((0, 0, 0), height, radius), cone((0, 0, 0), 0.06, foot)]


def chair(random: np.random.Generator) -> Solid:
    """On four legs, a pedestal or a solid block; with or without arms."""
    width, depth = random.uniform(0.45, 0.85), random.uniform(0.45, 0.8)
    seat, thickness, back = random.uniform(0.3, 0.6), random.uniform(0.07, 0.16), random.uniform(0.25, 0.8)
    parts = [
        box((0, seat, 0), (width, thickness, depth)),
        box((0, seat + back / 2, -depth / 2 + thickness / 2), (width, back, thickness)),
    ]
    kind = random.choice(3, p=[0.5, 0.2, 0.3])
    if kind == 0:
        parts += legs(width, depth, seat, random.uniform(0.07, 0.11))
    elif kind == 1:
        parts += pedestal(seat, random.uniform(0.05, 0.09), 0.45 * min(width, depth))
    else:
        parts.append(box((0, seat / 2, 0), (width, seat, depth)))
    if random.random() < 0.4:
        arm = random.uniform(0.15, 0.25)
        for x in (-width / 2 + 0.05, width / 2 - 0.05):
            parts.append(box((x, seat + arm / 2, 0.02), (0.1, arm, depth - 0.04)))
    return union(*parts)


def table(random: np.random.Generator) -> Solid:
    """Rectangular or round, on four legs, a pedestal or two side panels."""
    width, depth = random.uniform(0.7, 1.5), random.uniform(0.5, 0.9)
    height, thickness = random.uniform(0.3, 0.9), random.uniform(0.07, 0.14)
    if random.random() < 0.3:
        radius = width / 2
        parts = [cone((0, height - thickness, 0), thickness, radius)]
        return union(*parts, *pedestal(height, random.uniform(0.06, 0.14), random.uniform(0.4, 0.8) * radius))
    parts = [box((0, height - thickness / 2, 0), (width, thickness, depth))]
    if random.random() < 0.5:
        parts += legs(width, depth, height, random.uniform(0.08, 0.13))
    else:
        x = width / 2 - 0.05
        parts += [box((side * x, height / 2, 0), (0.1, height, depth)) for side in (-1, 1)]
    return union(*parts)


def lamp(random: np.random.Generator) -> Solid:
    """A foot, a pole and a shade."""
    height, shade = random.uniform(0.5, 1.3), random.uniform(0.25, 0.6)
    wide = random.uniform(0.2, 0.5)
    return union(
        cone((0, 0, 0), random.uniform(0.05, 0.12), random.uniform(0.15, 0.4)),
        cone((0, 0, 0), height, random.uniform(0.04, 0.07)),
        cone((0, height - 0.02, 0), shade, wide, wide * random.uniform(0.4, 1.0)),
    )


def plane(random: np.random.Generator) -> Solid:
    """Fuselage, wings, tailplane and fin; it flies towards +z."""
    length, radius = random.uniform(0.9, 1.5), random.uniform(0.1, 0.17)
    span, chord, sweep = random.uniform(0.4, 0.8), random.uniform(0.2, 0.4), random.uniform(-0.05, 0.45)
    tail = -0.42 * length
    parts = [
        ellipsoid((0, 0, 0), (radius, radius, length / 2)),
        wing((0, random.uniform(-0.5, 0.8) * radius, 0.08), span, chord, sweep, 0.1, random.uniform(0.1, 0.6)),
        wing((0, 0, tail), span * random.uniform(0.3, 0.5), 0.2, 0.4 * sweep, 0.08, 0.3),
        box((0, 0.16, tail), (0.08, 0.32, 0.2)),
    ]
    if random.random() < 0.5:
        x = span * random.uniform(0.35, 0.5)
        for side in (-x, x):
            parts.append(cone((side, -0.06, 0.05 - sweep * x / span), 0.25, 0.08, axis=2))
    return union(*parts)


def bottle(random: np.random.Generator) -> Solid:
    """A round or square body, a shoulder and a neck."""
    body, shoulder, neck = random.uniform(0.4, 0.9), random.uniform(0.08, 0.3), random.uniform(0.1, 0.35)
    wide = random.uniform(0.12, 0.35)
    narrow = wide * random.uniform(0.25, 0.6)
    square = random.random() < 0.3
    trunk = box((0, body / 2, 0), (1.7 * wide, body, 1.7 * wide)) if square else cone((0, 0, 0), body, wide)
    shoulders = cone((0, body - 0.01, 0), shoulder, 0.85 * wide if square else wide, narrow)
    return union(trunk, shoulders, cone((0, body + shoulder - 0.02, 0), neck, narrow))


def car(random: np.random.Generator) -> Solid:
    """Body, cabin and four wheels; it drives towards +z."""
    length, width, height = random.uniform(1.1, 1.7), random.uniform(0.5, 0.7), random.uniform(0.2, 0.4)
    cabin, top = random.uniform(0.3, 0.9) * length, random.uniform(0.12, 0.35)
    place = random.uniform(-0.5, 0.3) * (length - cabin)
    wheel = random.uniform(0.1, 0.17)
    axle = 0.32 * length
    parts = [
        box((0, wheel + height / 2, 0), (width, height, length)),
        box((0, wheel + height + top / 2, place), (0.85 * width, top, cabin)),
    ]
    for x in (-width / 2 - 0.02, width / 2 - 0.1):
        parts += [cone((x, wheel, z), 0.12, wheel, axis=0) for z in (-axle, axle)]
    return union(*parts)


def sofa(random: np.random.Generator) -> Solid:
    """Seat, back and arms; some have a long end."""
    width, depth, seat = random.uniform(0.9, 1.8), random.uniform(0.5, 0.8), random.uniform(0.2, 0.4)
    back, arm, thick = random.uniform(0.15, 0.5), random.uniform(0.05, 0.25), random.uniform(0.1, 0.2)
    parts = [
        box((0, seat / 2, 0), (width, seat, depth)),
        box((0, (seat + back) / 2, -depth / 2 + thick / 2), (width, seat + back, thick)),
    ]
    for x in (-width / 2 + thick / 2, width / 2 - thick / 2):
        parts.append(box((x, (seat + arm) / 2, 0), (thick, seat + arm, depth)))
    if random.random() < 0.4:
        side, end = random.choice([-1, 1]), random.uniform(0.3, 0.7)
        parts.append(box((side * 0.3 * width, seat / 2, depth / 2 + end / 2 - 0.01), (0.4 * width, seat, end)))
    return union(*parts)


def monitor(random: np.random.Generator) -> Solid:
    """A screen on a foot; some are old and deep."""
    width, height = random.uniform(0.6, 1.3), random.uniform(0.4, 0.8)
    deep = random.random() < 0.35
    depth, neck = (random.uniform(0.35, 0.7) if deep else random.uniform(0.07, 0.14)), random.uniform(0.08, 0.3)
    parts = [
        box((0, neck + height / 2, 0), (width, height, 0.1 if deep else depth)),
        cone((0, 0, 0), neck + 0.05, random.uniform(0.05, 0.1)),
        box((0, 0.04, 0), (random.uniform(0.3, 0.6) * width, 0.08, random.uniform(0.25, 0.45))),
    ]
    if deep:
        parts.append(box((0, neck + height / 2, -depth / 2), (0.7 * width, 0.75 * height, depth)))
    return union(*parts)


FAMILIES: dict[str, Callable[[np.random.Generator], Solid]] = {
    kind.__name__: kind for kind in (chair, table, lamp, plane, bottle, car, sofa, monitor)
}
