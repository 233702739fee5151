"""What share of the light each point of a surface returns, in linear RGB."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from signed_distance import Array

Albedo = Callable[[Array], Array]
"""Points (3, N) -> linear RGB (N, 3)."""

OCTAVES = (0.5, 0.25, 0.125, 0.0625)  # size of the speckles; the unit sphere spans 226 pixels
AMPLITUDE = 0.75  # of an octave against the one before
CONTRAST = 2.2
TABLE = np.random.default_rng(1).random(4096)  # values of the lattice points, by hash


def plain(red: float, green: float, blue: float) -> Albedo:
    """The same colour everywhere."""
    return lambda points: np.broadcast_to(np.array([red, green, blue]), (points.shape[1], 3))


def speckled(dark: tuple[float, float, float], light: tuple[float, float, float]) -> Albedo:
    """Coarse and fine speckles between two colours: octaves of value noise."""

    def albedo(points: Array) -> Array:
        height, size = 0.0, 1.0
        for wavelength in OCTAVES:
            height = height + size * (value_noise(points / wavelength) - 0.5)
            size *= AMPLITUDE
        share = 1.0 / (1.0 + np.exp(-2.0 * CONTRAST * height))[:, None]
        return (1.0 - share) * np.array(dark) + share * np.array(light)

    return albedo


def value_noise(points: Array) -> Array:
    """Random values at the points of the integer lattice, smoothly in between (N,)."""
    cell = np.floor(points).astype(np.int64)
    t = points - cell
    t = t * t * t * (t * (6.0 * t - 15.0) + 10.0)
    total = np.zeros(points.shape[1])
    for corner in np.ndindex(2, 2, 2):
        x, y, z = (cell[i] + corner[i] for i in range(3))
        value = TABLE[(x * 73856093 ^ y * 19349663 ^ z * 83492791) % len(TABLE)]
        total += value * np.prod([t[i] if corner[i] else 1.0 - t[i] for i in range(3)], axis=0)
    return total
