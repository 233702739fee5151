"""How surfaces reflect light: Lambert's matt part and Blinn and Phong's highlight."""

from __future__ import annotations

from typing import Any

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
    total = normals.new_zeros(3)
    for light in lights:
        if isinstance(light, AmbientLight | SphericalHarmonicsLight):
            total = total + light.irradiance(normals)
        else:
            direction, arriving = light.arriving(points)
            total = total + times(dot(normals, direction).clamp(min=0), arriving)
    return total.expand(normals.shape)


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
        half = unit(direction + to_eye)
        cosine = dot(normals, half)
        lit = (cosine > 0) & (dot(normals, direction) > 0)
        # The inner where keeps the logarithm in the exponent's derivative finite.
        total = total + times(torch.where(lit, torch.where(lit, cosine, 1.0) ** shininess, 0.0), arriving)
    return total


# Products with matrices, because a sum over a last dimension of three numbers, which autograd makes of a broadcast
# product too, takes torch four times as long.
def dot(a: Float[Tensor, "B *points 3"], b: Float[Tensor, "*#shape 3"]) -> Float[Tensor, "B *points 1"]:
    """a·b."""
    if b.ndim == 1:
        return a @ b.unsqueeze(-1)
    return (a * b) @ a.new_ones(3, 1)


def times(factor: Float[Tensor, "B *points 1"], colour: Float[Tensor, "*#shape 3"]) -> Float[Tensor, "B *points 3"]:
    """A number for each point times a colour."""
    return factor @ colour.unsqueeze(0) if colour.ndim == 1 else factor * colour


def unit(vectors: Float[Tensor, "*shape 3"]) -> Float[Tensor, "*shape 3"]:
    """Vectors of length 1; 0 stays 0."""
    return _Unit.apply(vectors)[0]


class _Unit(torch.autograd.Function):
    """v -> u = v/|v| and 1/|v|; the derivative (g - u (u·g))/|v| in four passes over memory instead of ten."""

    generate_vmap_rule = True

    @staticmethod
    def forward(vectors: Tensor) -> tuple[Tensor, Tensor]:
        inverse = dot(vectors, vectors).clamp(min=SMALLEST_SQUARE).rsqrt()
        return vectors * inverse, inverse

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: tuple[Tensor, Tensor]) -> None:
        ctx.save_for_backward(*output)

    @staticmethod
    def backward(ctx: Any, grad: Tensor, grad_inverse: Tensor) -> Tensor:
        direction, inverse = ctx.saved_tensors
        # d (1/|v|) / dv = -u/|v|^2, which the second derivative needs.
        across = torch.addcmul(grad, dot(direction, grad) + grad_inverse * inverse, direction, value=-1.0)
        return across * inverse


SMALLEST_SQUARE = 1e-24
"""Shorter vectors are taken as they are; far below what two float32 points can differ by."""
