"""Distributions through networks in closed form: location and scale of a Gaussian or Cauchy, layer by layer.

An affine map of a stable distribution is one again. A ReLU is not affine: "linear" replaces it by its tangent at the
location, which is the best stable approximation in total variation; "moments" (Gaussian only) keeps mean and variance.

Petersen, Mishra, Kuehne, Borgelt, Deussen, Yurochkin, "Uncertainty Quantification via Stable Distribution
Propagation", ICLR 2024.
"""

from __future__ import annotations

import abc
import math
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

Activation = Literal["linear", "moments"]


class Propagated(NamedTuple):
    """Location and scale of independent outputs: mean and deviation, or median and half-width at half height."""

    location: Float[Tensor, "*batch features"]
    scale: Float[Tensor, "*batch features"]


class Law(abc.ABC):
    """How one family of distributions passes through layers."""

    @abc.abstractmethod
    def combine(self, weight: Tensor, scale: Tensor) -> Tensor:
        """The scale of Σ wᵢ xᵢ for independent xᵢ."""


class GaussianLaw(Law):
    """Variances add: σ' = √(Σ w² σ²)."""

    def combine(self, weight: Tensor, scale: Tensor) -> Tensor:
        variance = nn.functional.linear(scale**2, weight**2)
        positive = variance > 0
        return torch.where(positive, torch.sqrt(torch.where(positive, variance, 1.0)), 0.0)


class CauchyLaw(Law):
    """Scales add: γ' = Σ |w| γ."""

    def combine(self, weight: Tensor, scale: Tensor) -> Tensor:
        return nn.functional.linear(scale, weight.abs())


LAWS: dict[str, Law] = {"gaussian": GaussianLaw(), "cauchy": CauchyLaw()}


def relu(x: Propagated, activation: Activation = "linear") -> Propagated:
    """ReLU of every feature."""
    location, scale = x
    if activation == "linear":
        open_ = location > 0
        return Propagated(torch.where(open_, location, 0.0), torch.where(open_, scale, 0.0))
    spread = scale > 0
    safe = torch.where(spread, scale, 1.0)
    z = location / safe
    density, cdf = torch.exp(-0.5 * z * z) / math.sqrt(2 * math.pi), torch.special.ndtr(z)
    mean = location * cdf + safe * density
    second = (location**2 + safe**2) * cdf + location * safe * density
    variance = second - mean**2
    positive = spread & (variance > 0)
    deviation = torch.where(positive, torch.sqrt(torch.where(positive, variance, 1.0)), 0.0)
    return Propagated(torch.where(spread, mean, torch.relu(location)), deviation)


def propagate(
    network: nn.Module,
    location: Float[Tensor, "*batch features"],
    scale: Float[Tensor, "*batch features"],
    *,
    distribution: Literal["gaussian", "cauchy"] = "gaussian",
    activation: Activation = "linear",
) -> Propagated:
    """Location and scale of a network's outputs for independent noise of that scale on its inputs; differentiable.

    `network` is made of Linear, ReLU, Flatten, Identity and Sequential. Features count as independent after every
    layer, which is exact for one Linear layer.

    Raises ValueError for other layers, and for the moments of a Cauchy, which do not exist.
    """
    if distribution not in LAWS:
        raise ValueError(f"distribution: expected gaussian or cauchy, got {distribution!r}")
    if activation not in ("linear", "moments"):
        raise ValueError(f"activation: expected linear or moments, got {activation!r}")
    if activation == "moments" and distribution == "cauchy":
        raise ValueError("activation: expected linear for cauchy, which has no moments")
    if location.shape != scale.shape:
        raise ValueError(f"scale: expected the shape {tuple(location.shape)} of location, got {tuple(scale.shape)}")
    if bool((scale < 0).any()):
        raise ValueError("scale: expected numbers >= 0")
    return _through(network, Propagated(location, scale), LAWS[distribution], activation)


def _through(layer: nn.Module, x: Propagated, law: Law, activation: Activation) -> Propagated:
    if isinstance(layer, nn.Sequential):
        for inner in layer:
            x = _through(inner, x, law, activation)
        return x
    if isinstance(layer, nn.Linear):
        return Propagated(layer(x.location), law.combine(layer.weight, x.scale))
    if isinstance(layer, nn.ReLU):
        return relu(x, activation)
    if isinstance(layer, nn.Flatten | nn.Identity):
        return Propagated(layer(x.location), layer(x.scale))
    raise ValueError(f"network: expected Linear, ReLU, Flatten, Identity and Sequential, got {type(layer).__name__}")
