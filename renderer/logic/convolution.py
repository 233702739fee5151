"""Convolution by trees of logic gates."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from renderer.logic.connections import connect
from renderer.logic.gates import check_t_conorm
from renderer.logic.layer import LogicLayer, as_features, check_bits, run_layers
from renderer.logic.netlist import FALSE, Builder
from renderer.logic.parametrisation import Rule
from renderer.relax import TConorm


class LogicConv2d(nn.Module):
    """Every output channel is a binary tree of gates over 2^depth pixels of a window; (N, C, H, W) in [0, 1].

    The leaves are drawn once for each channel from the (channel, dy, dx) of the window, without repetition where it is
    large enough; gates and leaves are the same at all positions. Output (N, out_channels, H', W'),
    H' = H + 2 padding − kernel_size + 1; beyond the border lie zeros. Differentiable in x and in the weights of
    `.layers`, which are `LogicLayer`s from the leaves to the root. Options as of `LogicLayer`.

    Petersen et al., "Convolutional Differentiable Logic Gate Networks", NeurIPS 2024.

    >>> LogicConv2d(1, 8, kernel_size=3, depth=2)(torch.rand(5, 1, 28, 28)).shape
    torch.Size([5, 8, 26, 26])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        depth: int,
        padding: int = 0,
        parametrisation: str = "op16",
        residual: bool = True,
        temperature: float = 1.0,
        t_conorm: TConorm | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if min(in_channels, out_channels, kernel_size, depth) < 1 or padding < 0:
            raise ValueError(
                "in_channels, out_channels, kernel_size, depth, padding: expected at least 1, 1, 1, 1, 0, "
                f"got {in_channels}, {out_channels}, {kernel_size}, {depth}, {padding}"
            )
        self.in_channels, self.out_channels, self.kernel_size = in_channels, out_channels, kernel_size
        self.depth, self.padding = depth, padding
        window = in_channels * kernel_size**2
        leaves = torch.stack([_leaves(window, 2**depth, generator) for _ in range(out_channels)])
        layers, inputs = [], window
        for level in range(depth - 1, -1, -1):
            neurons = out_channels * 2**level
            # A channel's neurons lie side by side: each reads two neighbours of the level before.
            places = leaves if level == depth - 1 else torch.arange(2 * neurons)
            layers.append(
                LogicLayer(
                    inputs,
                    neurons,
                    parametrisation=parametrisation,
                    connections=places.reshape(-1, 2).T,
                    residual=residual,
                    temperature=temperature,
                    t_conorm=check_t_conorm(t_conorm),
                    generator=generator,
                )
            )
            inputs = neurons
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Float[Tensor, "N C H W"] | Bool[Tensor, "N C H W"]) -> Float[Tensor, "N out H2 W2"]:
        """The relaxed trees."""
        height, width = self._size(x)
        x = as_features(x, self._trees()[0].weight)
        windows = functional.unfold(x, self.kernel_size, padding=self.padding)
        return run_layers(self._trees(), windows, dim=1).unflatten(-1, (height, width))

    def discrete(self, x: Bool[Tensor, "N C H W"], rule: Rule = "argmax") -> Bool[Tensor, "N out H2 W2"]:
        """The discrete trees."""
        check_bits(x)
        height, width = self._size(x)
        bits = functional.unfold(x.float(), self.kernel_size, padding=self.padding).bool().movedim(1, -1)
        for layer in self._trees():
            bits = layer.discrete(bits, rule)
        return bits.movedim(-1, 1).unflatten(-1, (height, width))

    def lower(self, builder: Builder, signals: np.ndarray, rule: Rule = "argmax") -> np.ndarray:
        """Add the gates of all positions to a netlist: literals (C, H, W) to (out_channels, H', W')."""
        if signals.ndim != 3 or signals.shape[0] != self.in_channels:
            raise ValueError(
                f"compile: LogicConv2d expects ({self.in_channels}, H, W) signals, the layer before has {signals.shape}"
            )
        k, p = self.kernel_size, self.padding
        padded = np.pad(signals, ((0, 0), (p, p), (p, p)), constant_values=FALSE)
        windows = np.lib.stride_tricks.sliding_window_view(padded, (k, k), axis=(1, 2))  # (C, H', W', k, k)
        height, width = windows.shape[1:3]
        values = windows.transpose(0, 3, 4, 1, 2).reshape(-1, height * width)
        for layer in self._trees():
            a, b = layer.indices.cpu().numpy()
            gates = np.repeat(layer.gates(rule).cpu().numpy()[:, None], height * width, 1)
            values = builder.add(gates, values[a], values[b])
        return values.reshape(self.out_channels, height, width)

    def _trees(self) -> list[LogicLayer]:
        return [layer for layer in self.layers if isinstance(layer, LogicLayer)]

    def _size(self, x: Tensor) -> tuple[int, int]:
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise ValueError(f"x: expected (N, {self.in_channels}, H, W), got {tuple(x.shape)}")
        height, width = (n + 2 * self.padding - self.kernel_size + 1 for n in x.shape[2:])
        if height < 1 or width < 1:
            least = self.kernel_size - 2 * self.padding
            raise ValueError(f"x: expected images of at least {least} pixels a side, got {tuple(x.shape[2:])}")
        return height, width

    def extra_repr(self) -> str:
        """Shown by print."""
        shape = f"{self.in_channels}, {self.out_channels}, {self.kernel_size}"
        return f"{shape}, depth={self.depth}, padding={self.padding}"


def _leaves(window: int, leaves: int, generator: torch.Generator | None) -> Tensor:
    """Places of a window for the leaves of one tree: all different if they suffice, else neighbours differ."""
    if leaves <= window:
        return torch.randperm(window, generator=generator)[:leaves]
    return connect(window, leaves // 2, "random", generator).T.flatten().long()
