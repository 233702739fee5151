"""How the weights of a neuron say which gate it is.

Each parametrisation turns weights (out, width) into the coefficients (out, 4) of the relaxed gates, and into discrete
gates. Adding one is adding a class here.

Petersen et al. 2022 (op16); "Light Differentiable Logic Gate Networks", arXiv 2510.03250, 2025 (iwp, input-wise: the
four truth-table entries are the parameters); Jang et al., "Categorical Reparameterization with Gumbel-Softmax", 2017.
"""

from __future__ import annotations

import abc
import math
from typing import ClassVar, Literal

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

import renderer.ops.logic_coefficients  # noqa: F401  registers the op
from renderer.logic.gates import PASS_A, corners_to_coefficients, truth_table
from renderer.ops.native_function import call

Rule = Literal["argmax", "rounding"]

PARAMETRISATIONS: dict[str, Parametrisation] = {}

# The share of the gate "a" at the start of a residual layer; the other 15 have the rest in equal parts. The gradient
# then falls by the factor ca = 0.893 a layer; with random weights by 0.196, to 5e-5 after six layers.
RESIDUAL_SHARE = 0.9


class Parametrisation(abc.ABC):
    """A parametrisation; it holds no state, so one object serves all layers."""

    name: ClassVar[str] = ""
    width: ClassVar[int]

    def __init_subclass__(cls) -> None:
        if cls.name:
            PARAMETRISATIONS[cls.name] = cls()

    def random(self, neurons: int, generator: torch.Generator | None = None) -> Float[Tensor, "neurons width"]:
        """Weights to start from, standard normal: every gate is as likely to be the neuron's."""
        return torch.randn(neurons, self.width, generator=generator)

    @abc.abstractmethod
    def residual(self, neurons: int) -> Float[Tensor, "neurons width"]:
        """Weights to start from that let input a through: the mixture has `RESIDUAL_SHARE` of the gate "a"."""

    @abc.abstractmethod
    def coefficients(
        self, weight: Float[Tensor, "neurons width"], temperature: float, training: bool
    ) -> Float[Tensor, "neurons 4"]:
        """c0, ca, cb, cab of the relaxed gates."""

    @abc.abstractmethod
    def gates(self, weight: Float[Tensor, "neurons width"], rule: Rule) -> UInt8[Tensor, "neurons"]:
        """Discrete gates: the likeliest ("argmax", first of equals) or the rounded table ("rounding", ½ to 0)."""


def _ids(bits: Tensor) -> Tensor:
    """Truth tables (neurons, 4) to gate ids."""
    return (bits.to(torch.uint8) * bits.new_tensor([8, 4, 2, 1], dtype=torch.uint8)).sum(-1, dtype=torch.uint8)


def _hard_forward(hard: Tensor, soft: Tensor) -> Tensor:
    """The value of `hard` with the gradient of `soft`."""
    return hard + (soft - soft.detach())


class Op16(Parametrisation):
    """p = softmax(z / temperature) over the 16 gates."""

    name = "op16"
    width = 16

    def residual(self, neurons: int) -> Tensor:
        weight = torch.zeros(neurons, 16)
        weight[:, PASS_A] = math.log(15 * RESIDUAL_SHARE / (1 - RESIDUAL_SHARE))
        return weight

    def coefficients(self, weight: Tensor, temperature: float, training: bool) -> Tensor:
        return call("logic_coefficients", weight, temperature)[0]

    def gates(self, weight: Tensor, rule: Rule) -> Tensor:
        if rule == "argmax":
            # torch.argmax names any of equals: the first one is looked for.
            return (weight == weight.amax(-1, keepdim=True)).to(torch.uint8).argmax(-1).to(torch.uint8)
        return _ids(weight.double().softmax(-1) @ truth_table(weight.double()) > 0.5)


class StraightThrough(Op16):
    """The likeliest gate forward, with the gradient of op16: no gap between the relaxed and the discrete network."""

    name = "straight_through"

    def coefficients(self, weight: Tensor, temperature: float, training: bool) -> Tensor:
        soft = super().coefficients(weight, temperature, training)
        table = corners_to_coefficients(truth_table(weight))
        return _hard_forward(table[self.gates(weight, "argmax").long()], soft)


class Gumbel(Op16):
    """op16 with Gumbel noise on the logits while training, drawn from torch's global generator for every call."""

    name = "gumbel"

    def noisy(self, weight: Tensor, training: bool) -> Tensor:
        """The logits with their noise."""
        return weight - torch.empty_like(weight).exponential_().log() if training else weight

    def coefficients(self, weight: Tensor, temperature: float, training: bool) -> Tensor:
        return super().coefficients(self.noisy(weight, training), temperature, training)


class GumbelStraightThrough(Gumbel):
    """A gate sampled from softmax(z) forward in training, else the likeliest one; the gradient of Gumbel-softmax."""

    name = "gumbel_straight_through"

    def coefficients(self, weight: Tensor, temperature: float, training: bool) -> Tensor:
        noisy = self.noisy(weight, training)
        soft = Op16.coefficients(self, noisy, temperature, training)
        table = corners_to_coefficients(truth_table(weight))
        return _hard_forward(table[self.gates(noisy, "argmax").long()], soft)


class InputWise(Parametrisation):
    """w = sigmoid(z / temperature): a parameter for each entry of the truth table; the same functions as op16."""

    name = "iwp"
    width = 4

    def residual(self, neurons: int) -> Tensor:
        # The truth table of the residual mixture of op16: 8 of the other 15 gates are 1 where "a" is 0.
        low = (1 - RESIDUAL_SHARE) * 8 / 15
        z = math.log((1 - low) / low)
        return torch.tensor([-z, -z, z, z]).repeat(neurons, 1)

    def coefficients(self, weight: Tensor, temperature: float, training: bool) -> Tensor:
        return corners_to_coefficients((weight / temperature).sigmoid())

    def gates(self, weight: Tensor, rule: Rule) -> Tensor:
        # The entries are independent, so the likeliest gate is the rounded one.
        return _ids(weight > 0)


def parametrisation(name: str) -> Parametrisation:
    """The parametrisation called `name`; ValueError if there is none."""
    if name not in PARAMETRISATIONS:
        raise ValueError(f"parametrisation: expected one of {', '.join(PARAMETRISATIONS)}, got {name!r}")
    return PARAMETRISATIONS[name]
