"""How surfaces reflect light: Lambert's matt part and Blinn and Phong's highlight."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from renderer.scene.lights import AmbientLight, Lights, SphericalHarmonicsLight


def lambert(
    normals: Float[Tensor, "B *points 3"], points: Float[Tensor, "B *points 3"], lights: Lights
) -> Float[Tensor, "B *points 3"]:
    """What a white matt surface shows: Σ light · max(0, n·l), and the light from all around.

    Times the surface's colour this is its colour in the picture (Lambert, Photometria, 1760). Differentiable in
    everything.

    Args:
        normals: unit normals, world axes; 0 gives 0 from directed lights.
        points: where the surface is, in world units; only point lights look at it.
        lights: any number of lights.

    Example:
        >>> shade = lambert(normals, points, Lights(DirectionalLight((0.0, 0.0, 1.0))))
    """
    total = torch.zeros_like(normals)
    for light in lights:
        if isinstance(light, AmbientLight | SphericalHarmonicsLight):
            total = total + light.irradiance(normals)
        else:
            direction, arriving = light.arriving(points)
            total = total + arriving * (normals * direction).sum(-1, keepdim=True).clamp(min=0)
    return total


def blinn_phong(
    normals: Float[Tensor, "B *points 3"],
    points: Float[Tensor, "B *points 3"],
    to_eye: Float[Tensor, "#B *#points 3"],
    lights: Lights,
    *,
    shininess: Float[Tensor, "*#shape"],
) -> Float[Tensor, "B *points 3"]:
    """The highlight: Σ light · max(0, n·h)^shininess with h halfway between light and eye, where the light reaches.

    Times the surface's specular colour this adds to `lambert` (Blinn, SIGGRAPH 1977). Light from all around makes no
    highlight. Differentiable in everything; `to_eye` are unit directions to the eye, `shininess` broadcasts to
    (B, ..., 1).

    Example:
        >>> colour = albedo * lambert(n, x, lights) + specular * blinn_phong(n, x, eye, lights, shininess=s)
    """
    total = torch.zeros_like(normals)
    for light in lights:
        if isinstance(light, AmbientLight | SphericalHarmonicsLight):
            continue
        direction, arriving = light.arriving(points)
        half = _unit(direction + to_eye)
        cosine = (normals * half).sum(-1, keepdim=True)
        lit = (cosine > 0) & ((normals * direction).sum(-1, keepdim=True) > 0)
        # The inner where keeps the logarithm in the exponent's derivative finite.
        total = total + arriving * torch.where(lit, torch.where(lit, cosine, 1.0) ** shininess, 0.0)
    return total


def _unit(vectors: Tensor) -> Tensor:
    """Unit vectors; 0 stays 0 and gets no gradient."""
    squared = (vectors * vectors).sum(-1, keepdim=True)
    some = squared > 0
    return torch.where(some, vectors * torch.where(some, squared, 1.0).rsqrt(), 0.0)
