"""Pooling by a relaxed or."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor, nn

from renderer.logic.layer import check_bits
from renderer.logic.netlist import Builder
from renderer.logic.parametrisation import Rule
from renderer.relax import TConorm, t_conorm

_OR = 7  # the gate's id


class OrPool2d(nn.Module):
    """The or of each window of k × k pixels, k = kernel_size; (N, C, H, W) to (N, C, H / k, W / k).

    Relaxed by a T-conorm, "max" unless another one is given; discretely the same for all. H and W must be multiples of
    kernel_size.

    >>> OrPool2d(2)(torch.rand(1, 1, 4, 4)).shape
    torch.Size([1, 1, 2, 2])
    """

    def __init__(self, kernel_size: int, *, t_conorm: TConorm | None = None) -> None:
        super().__init__()
        if kernel_size < 1:
            raise ValueError(f"kernel_size: expected at least 1, got {kernel_size}")
        self.kernel_size = kernel_size
        self.t_conorm = t_conorm or _max()

    def forward(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C H2 W2"]:
        """The relaxed or."""
        return self.t_conorm.reduce(self._windows(x), dim=-1)

    def discrete(self, x: Bool[Tensor, "N C H W"], rule: Rule = "argmax") -> Bool[Tensor, "N C H2 W2"]:
        """The or."""
        check_bits(x)
        return self._windows(x).any(-1)

    def lower(self, builder: Builder, signals: np.ndarray, rule: Rule = "argmax") -> np.ndarray:
        """Add the gates to a netlist: literals (C, H, W) to (C, H', W')."""
        if signals.ndim != 3:
            raise ValueError(f"compile: OrPool2d expects (C, H, W) signals, the layer before has {signals.shape}")
        self._check(*signals.shape[1:])
        k = self.kernel_size
        channels, height, width = signals.shape
        windows = signals.reshape(channels, height // k, k, width // k, k).transpose(0, 1, 3, 2, 4)
        values = windows.reshape(channels, height // k, width // k, k * k)
        while values.shape[-1] > 1:
            pairs = values.shape[-1] // 2
            a, b = values[..., 0 : 2 * pairs : 2], values[..., 1 : 2 * pairs : 2]
            values = np.concatenate([builder.add(np.full(a.shape, _OR), a, b), values[..., 2 * pairs :]], -1)
        return values[..., 0]

    def _windows(self, x: Tensor) -> Tensor:
        if x.ndim != 4:
            raise ValueError(f"x: expected (N, C, H, W), got {tuple(x.shape)}")
        self._check(*x.shape[2:])
        k = self.kernel_size
        return x.unflatten(3, (-1, k)).unflatten(2, (-1, k)).transpose(3, 4).flatten(4)

    def _check(self, height: int, width: int) -> None:
        if height % self.kernel_size or width % self.kernel_size:
            raise ValueError(f"x: expected sides that are multiples of {self.kernel_size}, got ({height}, {width})")

    def extra_repr(self) -> str:
        """Shown by print."""
        return f"{self.kernel_size}, t_conorm={self.t_conorm.name!r}"


def _max() -> TConorm:
    return t_conorm("max")
