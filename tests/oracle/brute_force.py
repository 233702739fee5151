"""Soft silhouettes from the formulas of the papers, in NumPy float64, pixel by pixel and face by face.

Shares no code with the package: distances by projection on segments, CDF and density by SciPy, T-conorms folded pair
by pair from their closed forms, their derivatives from the additive generators.
"""

from __future__ import annotations

import numpy as np
from scipy import special, stats

FROZEN = {
    "uniform": stats.uniform(-1, 2),
    "wigner_semicircle": stats.semicircular(),
    "gaussian": stats.norm(),
    "laplace": stats.laplace(),
    "logistic": stats.logistic(),
    "cauchy": stats.cauchy(),
    "gumbel_max": stats.gumbel_r(),
    "gumbel_min": stats.gumbel_l(),
}
SHIFTED = ("exponential", "exponential_rev", "gamma", "gamma_rev", "levy", "levy_rev")


def cdf_pdf(name: str, z: np.ndarray, shape: float, shift: float) -> tuple[np.ndarray, np.ndarray]:
    """F(z) and f(z) of the table."""
    if name in FROZEN:
        return FROZEN[name].cdf(z), FROZEN[name].pdf(z)
    if name == "hard":
        return (z > 0).astype(float), np.zeros_like(z)
    if name == "cubic_hermite":
        u = np.clip((z + 1) / 2, 0, 1)
        return 3 * u**2 - 2 * u**3, np.where(np.abs(z) < 1, 0.75 * (1 - z**2), 0)
    if name == "gudermannian":
        return 2 / np.pi * np.arctan(np.exp(z)), 1 / np.cosh(z) / np.pi
    if name == "reciprocal":
        return 0.5 + z / (2 * (1 + np.abs(z))), 1 / (2 * (1 + np.abs(z)) ** 2)
    if name == "optimal":
        far = np.where(np.abs(z) > 0.25, z, 1.0)
        tail = np.where(z > 0, 1.0, 0.0) - 1 / (16 * far)
        return np.where(np.abs(z) > 0.25, tail, z + 0.5), np.where(np.abs(z) > 0.25, 1 / (16 * far**2), 1.0)
    base, reverse = name.removesuffix("_rev"), name.endswith("_rev")
    y = -(z - shift) if reverse else z + shift
    safe = np.where(y > 0, y, 1.0)
    if base == "exponential":
        lower, upper, f = -np.expm1(-safe), np.exp(-safe), np.exp(-safe)
    elif base == "gamma":
        lower, upper = special.gammainc(shape, safe), special.gammaincc(shape, safe)
        f = safe ** (shape - 1) * np.exp(-safe) / special.gamma(shape)
    else:
        lower, upper = special.erfc(np.sqrt(1 / (2 * safe))), special.erf(np.sqrt(1 / (2 * safe)))
        f = safe**-1.5 * np.exp(-1 / (2 * safe)) / np.sqrt(2 * np.pi)
    F = np.where(y > 0, upper, 1.0) if reverse else np.where(y > 0, lower, 0.0)
    return F, np.where(y > 0, f, 0.0)


def pair(name: str, p: float, a: float, b: float) -> float:
    """S(a, b)."""
    if a in (0, 1) or b in (0, 1):
        return max(a, b)  # the neutral and the absorbing element, where the closed forms divide by zero
    if name == "max":
        return max(a, b)
    if name == "probabilistic":
        return a + b - a * b
    if name == "einstein":
        return (a + b) / (1 + a * b)
    if name == "hamacher":
        return (a + b - a * b - (1 - p) * a * b) / (1 - (1 - p) * a * b)
    if name == "frank":
        return 1 - np.log1p((p ** (1 - a) - 1) * (p ** (1 - b) - 1) / (p - 1)) / np.log(p)
    if name == "yager":
        return min(1.0, (a**p + b**p) ** (1 / p))
    if name == "aczel_alsina":
        return -np.expm1(-(((-np.log1p(-a)) ** p + (-np.log1p(-b)) ** p) ** (1 / p)))
    if name == "dombi":
        if a == 0 or b == 0:
            return a + b
        return 1 / (1 + ((1 / a - 1) ** -p + (1 / b - 1) ** -p) ** (-1 / p))
    if name == "schweizer_sklar":
        return 1 - ((1 - a) ** p + (1 - b) ** p - 1) ** (1 / p)
    raise KeyError(name)


def slope(name: str, p: float, v: float) -> float:
    """s'(v) up to a constant, as in the table; 1 for max."""
    return {
        "max": lambda: 1.0,
        "probabilistic": lambda: 1 / (1 - v),
        "einstein": lambda: 1 / (1 - v**2),
        "hamacher": lambda: 1 / ((1 - v) * (1 - v + p * v)),
        "frank": lambda: np.log(p) / (1 - p ** -(1 - v)),
        "yager": lambda: v ** (p - 1),
        "aczel_alsina": lambda: (-np.log1p(-v)) ** (p - 1) / (1 - v),
        "dombi": lambda: v ** (p - 1) / (1 - v) ** (p + 1),
        "schweizer_sklar": lambda: (1 - v) ** (p - 1),
    }[name]()


def cross(a: np.ndarray, b: np.ndarray) -> float:
    return a[0] * b[1] - a[1] * b[0]


def nearest_on_boundary(pixel: np.ndarray, triangle: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Signed distance, the weights of the nearest boundary point on the corners, and that point."""
    best = (np.inf, None, None)
    for k in range(3):
        a, b = triangle[k], triangle[(k + 1) % 3]
        e = b - a
        t = np.clip((pixel - a) @ e / (e @ e), 0, 1) if e @ e > 0 else 0.0
        c = a + t * e
        distance = np.hypot(*(pixel - c))
        if distance < best[0]:
            weights = np.zeros(3)
            weights[k], weights[(k + 1) % 3] = 1 - t, t
            best = (distance, weights, c)
    sides = [cross(triangle[(k + 1) % 3] - triangle[k], pixel - triangle[k]) for k in range(3)]
    area = cross(triangle[1] - triangle[0], triangle[2] - triangle[0])
    inside = area != 0 and all(s * area > 0 for s in sides)
    return (best[0] if inside else -best[0]), best[1], best[2]


def render(
    vertices,
    faces,
    size,
    *,
    name,
    scale,
    shape=0.0,
    shift=0.0,
    squared=False,
    t_conorm,
    p=0.0,
    radius=np.inf,
    grad=None,
):
    """Coverage (H, W) of one view, and with `grad` (H, W) the gradient (V, 3) of sum(grad * coverage)."""
    faces = [face for face in faces if (vertices[face, 2] > 0).all()]
    pixels = [np.array([x + 0.5, y + 0.5]) for y in range(size[0]) for x in range(size[1])]
    found = [[nearest_on_boundary(pixel, vertices[face, :2]) for face in faces] for pixel in pixels]
    d = np.array([[f[0] for f in row] for row in found])
    z = np.sign(d) * d * d / scale if squared else d / scale
    F, f = cdf_pdf(name, z, shape, shift)
    dF = f * (2 * np.abs(d) / scale if squared else 1 / scale)
    image = np.zeros(len(pixels))
    grad_vertices = np.zeros_like(vertices)
    for i, pixel in enumerate(pixels):
        near = [k for k in range(len(faces)) if d[i, k] >= -radius]
        S = 0.0
        for k in near:
            S = pair(t_conorm, p, S, F[i, k])
        image[i] = S
        if grad is None:
            continue
        ties = sum(F[i, k] == S for k in near)
        for k in near:
            v = F[i, k]
            if t_conorm == "max":
                ratio = 1 / ties if v == S else 0.0
            elif not 1e-100 < v < 1 or not 1e-100 < S < 1:
                ratio = 0.0  # f vanishes there, or the sum is clipped or a power of it would underflow
            else:
                ratio = slope(t_conorm, p, v) / slope(t_conorm, p, S)
            _, weights, c = found[i][k]
            direction = -(pixel - c) / d[i, k]  # of d(signed distance)/dc
            for corner, weight in zip(faces[k], weights, strict=True):
                grad_vertices[corner, :2] += grad.flat[i] * ratio * dF[i, k] * weight * direction
    return image.reshape(size), grad_vertices
