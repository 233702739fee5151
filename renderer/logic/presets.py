"""Networks of the papers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from renderer.logic.connections import Connections
from renderer.logic.convolution import LogicConv2d
from renderer.logic.group_sum import GroupSum
from renderer.logic.layer import LogicLayer
from renderer.logic.local import connect_locally
from renderer.logic.network import LogicNet
from renderer.logic.pooling import OrPool2d

Size = Literal["S", "M"]

# Output channels of the first convolution.
TREE_NET_CHANNELS: dict[str, int] = {"S": 16, "M": 64}


def dense_net(
    inputs: int,
    width: int,
    depth: int,
    classes: int,
    *,
    tau: float,
    parametrisation: str = "op16",
    residual: bool = True,
    temperature: float = 1.0,
    positions: Tensor | None = None,
    radii: Sequence[float] = (),
    generator: torch.Generator | None = None,
) -> LogicNet:
    """`depth` dense layers of `width` neurons and GroupSum, as in the experiments of Petersen et al., NeurIPS 2022.

    With `positions` (inputs, D) of the inputs, such as the rows and columns of pixels, the first layers read inputs no
    further apart than `radii`, one number a layer, as `connect_locally` has it; the others are wired at random.

    >>> dense_net(784, 8_000, 6, 10, tau=30.0)
    """
    if depth < 1:
        raise ValueError(f"depth: expected at least 1 layer, got {depth}")
    if (positions is None) != (not radii):
        raise ValueError(
            f"positions, radii: expected both or neither, got "
            f"{None if positions is None else tuple(positions.shape)} and {tuple(radii)}"
        )
    if positions is not None and (positions.ndim != 2 or len(positions) != inputs):
        raise ValueError(f"positions: expected ({inputs}, D), got {tuple(positions.shape)}")
    if len(radii) > depth:
        raise ValueError(f"radii: expected at most {depth}, one a layer, got {len(radii)}")
    layers = []
    for i in range(depth):
        connections: Connections | Tensor = "random"
        if positions is not None and i < len(radii):
            connections, positions = connect_locally(positions, width, radii[i], generator)
        layer = LogicLayer(
            inputs if i == 0 else width,
            width,
            parametrisation=parametrisation,
            connections=connections,
            residual=residual,
            temperature=temperature,
            generator=generator,
        )
        layers.append(layer)
    return LogicNet(nn.Flatten(), *layers, GroupSum(classes, tau))


def logic_tree_net(
    size: Size | int,
    *,
    tau: float,
    channels: int = 1,
    classes: int = 10,
    image_size: int = 28,
    parametrisation: str = "op16",
    generator: torch.Generator | None = None,
) -> LogicNet:
    """The LogicTreeNet for MNIST of Petersen et al., NeurIPS 2024: three convolutions by trees of depth 3, or-pooling,
    and three dense layers.

    k = `size` output channels ("S": 16, "M": 64) of 5 × 5 windows, then 3 k and 9 k of 3 × 3, each followed by
    pooling of 2 × 2; then 1280 k, 640 k and 320 k neurons; residual initialisation throughout. Input (N, channels,
    image_size, image_size); image_size − 4 must be a multiple of 8. The outputs must be a multiple of the classes.

    >>> logic_tree_net("S", tau=20.0)(torch.rand(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """
    if isinstance(size, str) and size not in TREE_NET_CHANNELS:
        raise ValueError(f"size: expected one of {', '.join(TREE_NET_CHANNELS)} or a number of channels, got {size!r}")
    k = TREE_NET_CHANNELS[size] if isinstance(size, str) else size
    if (image_size - 4) % 8 or image_size < 12:
        raise ValueError(f"image_size: expected 12, 20, 28, …, got {image_size}")
    side = (image_size - 4) // 8
    widths = [9 * k * side * side, 1280 * k, 640 * k, 320 * k]

    def convolution(inputs: int, outputs: int, kernel_size: int) -> LogicConv2d:
        padding = 0 if kernel_size == 5 else 1
        return LogicConv2d(
            inputs,
            outputs,
            kernel_size,
            depth=3,
            padding=padding,
            parametrisation=parametrisation,
            generator=generator,
        )

    return LogicNet(
        convolution(channels, k, 5),
        OrPool2d(2),
        convolution(k, 3 * k, 3),
        OrPool2d(2),
        convolution(3 * k, 9 * k, 3),
        OrPool2d(2),
        nn.Flatten(),
        *(
            LogicLayer(n, m, parametrisation=parametrisation, residual=True, generator=generator)
            for n, m in itertools.pairwise(widths)
        ),
        GroupSum(classes, tau),
    )
