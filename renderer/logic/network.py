"""Networks of logic gates: relaxed, discrete, compiled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from renderer.logic.convolution import LogicConv2d
from renderer.logic.encoding import Encoding
from renderer.logic.group_sum import GroupSum
from renderer.logic.layer import LogicLayer, check_bits, run_layers
from renderer.logic.netlist import Builder
from renderer.logic.parametrisation import Rule
from renderer.logic.pooling import OrPool2d
from renderer.logic.program import BitProgram
from renderer.logic.wiring import Wiring

Layer: TypeAlias = LogicLayer | LogicConv2d | OrPool2d | Wiring


class LogicNet(nn.Module):
    """Layers one after the other: encodings first, if any, then gates, then GroupSum, if any.

    Called, it is the relaxed network, differentiable; `discrete` is the network of gates, and `compile` makes a program
    of it. Consecutive dense layers run in one kernel. Layers: `LogicLayer`, `LogicConv2d`, `OrPool2d`, `Wiring`,
    `nn.Flatten`, an `Encoding` at the beginning, `GroupSum` at the end; TypeError for others.

    >>> net = LogicNet(LogicLayer(16, 64), LogicLayer(64, 64), GroupSum(2, tau=4.0))
    >>> net.compile()(torch.rand(5, 16) > 0.5).shape
    torch.Size([5, 2])
    """

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        encoding = True
        for i, layer in enumerate(layers):
            last = i == len(layers) - 1
            encoding &= isinstance(layer, Encoding)
            fits = isinstance(layer, Layer | nn.Flatten) or encoding or (isinstance(layer, GroupSum) and last)
            if not fits:
                raise TypeError(
                    f"layers: expected encodings first, then LogicLayer, LogicConv2d, OrPool2d, Wiring or nn.Flatten, "
                    f"then GroupSum, got {type(layer).__name__} in place {i}"
                )
        if not any(isinstance(layer, Layer) for layer in layers):
            raise ValueError("layers: expected at least one LogicLayer, LogicConv2d, OrPool2d or Wiring, got none")
        self.layers = nn.ModuleList(layers)

    @property
    def gate_layers(self) -> list[LogicLayer]:
        """All dense layers, those of the trees of convolutions among them."""
        return [module for module in self.modules() if isinstance(module, LogicLayer)]

    def forward(self, x: Tensor) -> Tensor:
        """Scores (…, k), or the relaxed outputs without GroupSum."""
        dense: list[LogicLayer] = []
        for layer in self.layers:
            if isinstance(layer, LogicLayer):
                dense.append(layer)
                continue
            if dense and isinstance(layer, GroupSum):
                layer.check(dense[-1].out_features)
                return layer.scores(run_layers(dense, x, groups=layer.k))
            if dense:
                x, dense = run_layers(dense, x), []
            x = layer(x)
        return run_layers(dense, x) if dense else x

    def encode(self, x: Tensor) -> Tensor:
        """The bits that the compiled program takes: what the encodings at the beginning make of data, (N, bits)."""
        for layer in self.layers:
            if not isinstance(layer, Encoding):
                break
            x = layer.discrete(x)
        check_bits(x)
        return x.flatten(1)

    def discrete(self, x: Tensor, *, rule: Rule = "argmax") -> Tensor:
        """The network of discrete gates, layer by layer in plain PyTorch: float32 scores, or bits without GroupSum."""
        for layer in self.layers:
            if isinstance(layer, Encoding | GroupSum):
                x = layer.discrete(x)
            elif isinstance(layer, Layer):
                x = layer.discrete(x, rule)
            else:
                x = layer(x)
        return x

    def compile(  # type: ignore[override]  # nn.Module.compile is torch.compile in place: use that function instead
        self, *, input_shape: Sequence[int] | None = None, rule: Rule = "argmax"
    ) -> BitProgram:
        """The network as a bit-packed program: simplified, scheduled, without any compiler.

        input_shape: the shape of one sample's bits (C, H, W), needed where the first layer is a convolution or pooling;
        the program takes them flat, as `encode` makes them. rule: how gates are chosen, see `LogicLayer.gates`. Later
        training does not change the program.
        """
        gates = [layer for layer in self.layers if not isinstance(layer, Encoding)]
        if input_shape is None:
            first = next(layer for layer in gates if not isinstance(layer, nn.Flatten))
            if not isinstance(first, LogicLayer | Wiring):
                raise ValueError(f"input_shape: expected (C, H, W), as {type(first).__name__} comes first, got None")
            input_shape = (first.in_features,)
        builder = Builder(int(np.prod(input_shape)))
        signals: np.ndarray = builder.input_literals().reshape(tuple(input_shape))
        groups, tau, beta = 0, 1.0, 0.0
        for layer in gates:
            if isinstance(layer, GroupSum):
                layer.check(signals.size)
                groups, tau, beta = layer.k, layer.tau, layer.beta
            elif isinstance(layer, Layer):
                signals = layer.lower(builder, signals, rule)
            else:
                signals = signals.reshape(-1)
        return BitProgram(builder.finish(signals, groups=groups, tau=tau, beta=beta))


def accuracy(scores: Tensor, labels: Tensor) -> float:
    """Share of samples whose best score, the first of equals, is that of their label; scores may be integer counts.

    >>> accuracy(torch.tensor([[1.0, 1.0], [0.0, 2.0]]), torch.tensor([0, 1]))
    1.0
    """
    best = scores.amax(-1, keepdim=True)
    # torch.argmax names any of equals, and discrete networks have many.
    first = (scores == best).to(torch.uint8).argmax(-1)
    return float((first == labels).double().mean())
