"""A dense layer of relaxed logic gates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn

import renderer.ops.logic_layers  # noqa: F401  registers the op
from renderer.logic.connections import Connections, connect
from renderer.logic.gates import GATES, check_t_conorm, mix
from renderer.logic.netlist import Builder
from renderer.logic.parametrisation import Parametrisation, Rule, parametrisation
from renderer.ops.native_function import call
from renderer.relax import TConorm


class LogicLayer(nn.Module):
    """Neurons that each learn which gate of two inputs to be; (…, in_features) in [0, 1] to (…, out_features).

    Differentiable in the inputs and in `weight`. A neuron's value is the expectation c0 + ca a + cb b + cab T(a, b) of
    its mixture of gates: see `renderer.logic.gates`. `.weight` is (out, 16), or (out, 4) for "iwp"; `.indices` (2, out)
    is a buffer: it moves with the layer and is in its state dict.

    Args:
        parametrisation: "op16" (softmax over 16 gates), "iwp" (the truth table's 4 entries), "straight_through",
            "gumbel" or "gumbel_straight_through".
        connections: "random", "unique", or the indices (2, out): see `connect`.
        residual: start as the gate "a" with probability 0.9 each, so that deep networks have a gradient.
        temperature: of the softmax (sigmoid), > 0; lower is nearer to one gate.
        grad_factor: multiplies the gradient that goes on to the inputs.
        t_conorm: whose dual T-norm is the relaxed "and"; None is the probabilistic one, the only one with kernels.
        generator: of the connections and the weights; torch's global one if None.

    Raises:
        ValueError, TypeError: one line naming the argument.

    >>> LogicLayer(4, 3)(torch.rand(7, 4)).shape
    torch.Size([7, 3])
    """

    indices: Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        parametrisation: str = "op16",
        connections: Connections | Tensor = "random",
        residual: bool = False,
        temperature: float = 1.0,
        grad_factor: float = 1.0,
        t_conorm: TConorm | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if not temperature > 0:
            raise ValueError(f"temperature: expected a number > 0, got {temperature}")
        self.in_features, self.out_features = in_features, out_features
        self.parametrisation = parametrisation
        self.residual, self.temperature, self.grad_factor = residual, temperature, grad_factor
        self.t_conorm = check_t_conorm(t_conorm)
        kind = self._kind()
        self.register_buffer("indices", connect(in_features, out_features, connections, generator))
        self.weight = nn.Parameter(kind.residual(out_features) if residual else kind.random(out_features, generator))

    def _kind(self) -> Parametrisation:
        return parametrisation(self.parametrisation)

    def coefficients(self) -> Float[Tensor, "out 4"]:
        """c0, ca, cb, cab of every neuron, differentiable in `weight`."""
        return self._kind().coefficients(self.weight, self.temperature, self.training)

    def gates(self, rule: Rule = "argmax") -> UInt8[Tensor, "out"]:
        """The ids of the discrete gates, named by `renderer.logic.GATES`: see `Parametrisation.gates`."""
        if rule not in ("argmax", "rounding"):
            raise ValueError(f"rule: expected 'argmax' or 'rounding', got {rule!r}")
        return self._kind().gates(self.weight.detach(), rule)

    def forward(self, x: Float[Tensor, "*batch in"] | Bool[Tensor, "*batch in"]) -> Float[Tensor, "*batch out"]:
        """The relaxed layer."""
        return run_layers([self], x)

    def discrete(self, x: Bool[Tensor, "*batch in"], rule: Rule = "argmax") -> Bool[Tensor, "*batch out"]:
        """The discrete layer, one gate after the other's truth table."""
        check_bits(x)
        check_features(x, self.in_features)
        a, b = (x.index_select(-1, i) for i in self.indices)
        return discrete_gates(self.gates(rule), a, b)

    def lower(self, builder: Builder, signals: np.ndarray, rule: Rule = "argmax") -> np.ndarray:
        """Add the discrete gates to a netlist: literals (in_features,) to (out_features,)."""
        if signals.shape != (self.in_features,):
            raise ValueError(
                f"compile: LogicLayer expects {self.in_features} signals, the layer before has {signals.shape}"
            )
        a, b = self.indices.cpu().numpy()
        return builder.add(self.gates(rule).cpu().numpy(), signals[a], signals[b])

    def extra_repr(self) -> str:
        """Shown by print."""
        return f"{self.in_features}, {self.out_features}, parametrisation={self.parametrisation!r}"


def run_layers(layers: Sequence[LogicLayer], x: Tensor, *, dim: int = -1, groups: int = 0) -> Tensor:
    """Relaxed layers one after the other, in one kernel where they allow it; x has its features in dimension `dim`.

    dim = -1: (…, features); dim = 1: (N, features, positions), as convolutions have them. groups > 0 sums that many
    equal parts of the last layer's outputs.
    """
    x = as_features(x, layers[0].weight)
    while layers:
        first, count = layers[0], 1
        if x.ndim < 1 or x.shape[dim] != first.in_features:
            raise ValueError(f"x: expected {first.in_features} features, got shape {tuple(x.shape)}")
        if first.grad_factor != 1:
            x = scale_gradient(x, first.grad_factor)
        if first.t_conorm is not None:
            a, b = (x.index_select(dim, i) for i in first.indices)
            c = first.coefficients() if dim == -1 else first.coefficients().unsqueeze(1)
            x = mix(c.unbind(-1), a, b, first.t_conorm)
        else:
            while count < len(layers) and _joins(layers[count - 1], layers[count]):
                count += 1
            summed = groups if count == len(layers) else 0
            x = _fused(layers[:count], x, dim, summed)
            if summed:
                return x
        layers = layers[count:]
    return x.unflatten(dim, (groups, -1)).sum(dim) if groups else x


def _joins(before: LogicLayer, layer: LogicLayer) -> bool:
    """Whether a layer can run in one kernel with the one before."""
    return layer.t_conorm is None and layer.grad_factor == 1 and layer.in_features == before.out_features


def _fused(layers: Sequence[LogicLayer], x: Tensor, dim: int, groups: int) -> Tensor:
    coefficients = torch.cat([layer.coefficients() for layer in layers])
    indices = torch.cat([layer.indices for layer in layers], 1)
    widths = [layer.out_features for layer in layers]
    if dim == 1:
        return call("logic_layers", x, coefficients, indices, widths, groups)[0]
    # The kernel has the samples side by side, and takes and gives transposed views without copying.
    (y,) = call("logic_layers", x.reshape(-1, x.shape[-1]).T.unsqueeze(0), coefficients, indices, widths, groups)
    return y.squeeze(0).T.reshape(*x.shape[:-1], y.shape[1])


def discrete_gates(gates: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Outputs of gates (out,) for inputs (…, out)."""
    place = 3 - (2 * a.to(torch.uint8) + b.to(torch.uint8))
    return (gates >> place & 1).bool()


def scale_gradient(x: Tensor, factor: float) -> Tensor:
    """x, whose gradient is multiplied by `factor`."""
    return x.detach() + factor * (x - x.detach())


def as_features(x: Tensor, weight: Tensor) -> Tensor:
    """Bits as numbers; numbers as they are, if they are of the weights' dtype."""
    if x.dtype == torch.bool:
        return x.to(weight.dtype)
    if x.dtype != weight.dtype:
        raise TypeError(f"x: expected bool or {weight.dtype} as the weights, got {x.dtype}")
    return x


def check_features(x: Tensor, features: int) -> None:
    """ValueError unless the last dimension has `features`."""
    if x.ndim < 1 or x.shape[-1] != features:
        raise ValueError(f"x: expected shape (…, {features}), got {tuple(x.shape)}")


def check_bits(x: Tensor) -> None:
    """TypeError unless x is bool."""
    if x.dtype != torch.bool:
        raise TypeError(f"x: expected bool, got {x.dtype}: the discrete network takes bits")


def count_gates(layers: Sequence[LogicLayer], rule: Rule = "argmax") -> dict[str, int]:
    """How often each gate was chosen, by name.

    >>> count_gates([LogicLayer(4, 100, residual=True)])["a"]
    100
    """
    counts = sum(torch.bincount(layer.gates(rule).long().cpu(), minlength=16) for layer in layers)
    return dict(zip(GATES, torch.as_tensor(counts).tolist(), strict=True))
