"""Wires that learn which input to take."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from renderer.logic.layer import as_features, check_bits, check_features
from renderer.logic.netlist import Builder
from renderer.logic.parametrisation import RESIDUAL_SHARE, Rule


class Wiring(nn.Module):
    """Every output is one of k inputs, and learns which; (…, in_features) to (…, out_features).

    Relaxed, it is the mean of the candidates `.candidates` (out, k), a buffer, under softmax(`.weight` / temperature);
    discretely the likeliest candidate, the first of equals: wires, which cost a compiled program no gates. The first
    candidate starts with probability 0.9. In front of a `LogicLayer` it learns that layer's connections, at k times the
    memory of its inputs. Raises ValueError for k that are not 2 … in_features.

    Mommen et al., "A Method for Optimizing Connections in Differentiable Logic Gate Networks", 2025.

    >>> pairs = torch.arange(2 * 64).view(2, 64)
    >>> net = LogicNet(Wiring(784, 2 * 64, k=8), LogicLayer(2 * 64, 64, connections=pairs))
    """

    candidates: Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        k: int,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if out_features < 1 or not 2 <= k <= in_features:
            raise ValueError(
                f"out_features, k: expected at least 1, and 2 to in_features = {in_features}, "
                f"got {out_features} and {k}"
            )
        if not temperature > 0:
            raise ValueError(f"temperature: expected a number > 0, got {temperature}")
        self.in_features, self.out_features, self.temperature = in_features, out_features, temperature
        self.register_buffer("candidates", _candidates(in_features, out_features, k, generator))
        weight = torch.zeros(out_features, k)
        weight[:, 0] = math.log((k - 1) * RESIDUAL_SHARE / (1 - RESIDUAL_SHARE))
        self.weight = nn.Parameter(weight)

    def forward(self, x: Float[Tensor, "*batch in"] | Bool[Tensor, "*batch in"]) -> Float[Tensor, "*batch out"]:
        """The relaxed wires."""
        check_features(x, self.in_features)
        x = as_features(x, self.weight)
        shares = (self.weight / self.temperature).softmax(1)
        parts = zip(self.candidates.unbind(1), shares.unbind(1), strict=True)
        return sum((share * x.index_select(-1, place) for place, share in parts), x.new_zeros(()))

    def chosen(self) -> Int64[Tensor, "out"]:
        """The inputs that the discrete wires take."""
        # torch.argmax names any of equals: the first one is looked for.
        first = (self.weight == self.weight.amax(1, keepdim=True)).to(torch.uint8).argmax(1, keepdim=True)
        return self.candidates.gather(1, first).squeeze(1)

    def discrete(self, x: Bool[Tensor, "*batch in"], rule: Rule = "argmax") -> Bool[Tensor, "*batch out"]:
        """The discrete wires."""
        check_bits(x)
        check_features(x, self.in_features)
        return x.index_select(-1, self.chosen())

    def lower(self, builder: Builder, signals: np.ndarray, rule: Rule = "argmax") -> np.ndarray:
        """Literals (in_features,) to (out_features,); no gates."""
        if signals.shape != (self.in_features,):
            raise ValueError(
                f"compile: Wiring expects {self.in_features} signals, the layer before has {signals.shape}"
            )
        return signals[self.chosen().cpu().numpy()]

    def extra_repr(self) -> str:
        """Shown by print."""
        return f"{self.in_features}, {self.out_features}, k={self.candidates.shape[1]}"


def _candidates(inputs: int, outputs: int, k: int, generator: torch.Generator | None) -> Tensor:
    """k different inputs for each output, at random; the first candidates use all inputs equally often, up to one."""
    first = torch.randperm(inputs, generator=generator)[torch.randperm(outputs, generator=generator) % inputs, None]
    others = _distinct(inputs - 1, outputs, k - 1, generator)
    return torch.cat([first, others + (others >= first)], 1)


def _distinct(inputs: int, outputs: int, k: int, generator: torch.Generator | None) -> Tensor:
    """k different numbers below `inputs` for each output."""
    if k * k > inputs:
        return torch.rand(outputs, inputs, generator=generator).argsort(1)[:, :k]
    drawn = torch.randint(inputs, (outputs, k), generator=generator)
    while True:  # most draws have no number twice, as k is less than the root of how many there are
        ordered = drawn.sort(1).values
        again = (ordered[:, 1:] == ordered[:, :-1]).any(1).nonzero().flatten()
        if not len(again):
            return drawn
        drawn[again] = torch.randint(inputs, (len(again), k), generator=generator)
