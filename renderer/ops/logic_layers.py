"""Dense layers of relaxed logic gates, one after the other: `renderer::logic_layers`.

The samples lie side by side, (B, features, N); groups > 0 returns the sums of that many equal parts of the last layer
instead of the layer itself. Nothing is kept but the input: the backward op runs the layers again
while a tile of samples is in the cache.
"""

from __future__ import annotations

import torch
from torch import Tensor

from renderer import _C
from renderer.ops import native
from renderer.ops.native_function import OpSpec, register

_TENSORS = "Tensor x, Tensor coefficients, Tensor indices"
native.LIBRARY.define(f"logic_layers({_TENSORS}, int[] widths, int groups) -> Tensor")
native.LIBRARY.define(f"logic_layers_backward(Tensor grad, {_TENSORS}, int[] widths, int groups) -> (Tensor, Tensor)")


def _check(x: Tensor, coefficients: Tensor, indices: Tensor, widths: list[int], groups: int) -> None:
    neurons = sum(widths)
    if x.ndim != 3 or x.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"x: expected (B, features, N) in float32 or float64, got {tuple(x.shape)} in {x.dtype}")
    if not widths or min(widths) < 1:
        raise ValueError(f"widths: expected at least one layer of at least one neuron, got {list(widths)}")
    if tuple(coefficients.shape) != (neurons, 4) or coefficients.dtype != x.dtype:
        expected = f"({neurons}, 4) in {x.dtype}"
        raise ValueError(f"coefficients: expected {expected}, got {tuple(coefficients.shape)} in {coefficients.dtype}")
    if tuple(indices.shape) != (2, neurons) or indices.dtype != torch.int32:
        raise ValueError(
            f"indices: expected (2, {neurons}) in torch.int32, got {tuple(indices.shape)} in {indices.dtype}"
        )
    if groups < 0 or (groups and widths[-1] % groups):
        raise ValueError(f"groups: expected a divisor of {widths[-1]}, got {groups}")


def _arguments(x: Tensor, coefficients: Tensor, indices: Tensor, widths: Tensor, groups: int) -> tuple:
    batch, inputs, columns = x.shape
    return (
        *(batch, inputs, columns, len(widths), groups, widths.data_ptr()),
        *(indices[0].data_ptr(), indices[1].data_ptr()),
        *(coefficients.data_ptr(), x.dtype == torch.float64, native.SIMD_LEVEL, native.threads()),
        *(x.data_ptr(), *x.stride()),
    )


@torch.library.impl(native.LIBRARY, "logic_layers", "CPU")
def _forward(x: Tensor, coefficients: Tensor, indices: Tensor, widths: list[int], groups: int) -> Tensor:
    _check(x, coefficients, indices, widths, groups)
    coefficients, indices = native.contiguous(coefficients, indices)
    out = x.new_empty(x.shape[0], groups or widths[-1], x.shape[2])
    sizes = torch.tensor(widths)
    _C.logic_layers_forward(*_arguments(x, coefficients, indices, sizes, groups), out.data_ptr())
    return out


@torch.library.impl(native.LIBRARY, "logic_layers_backward", "CPU")
def _backward(
    grad: Tensor, x: Tensor, coefficients: Tensor, indices: Tensor, widths: list[int], groups: int
) -> tuple[Tensor, Tensor]:
    _check(x, coefficients, indices, widths, groups)
    coefficients, indices = native.contiguous(coefficients, indices)
    grad_x = x.new_empty(x.shape)
    grad_coefficients = x.new_empty(x.shape[0], *coefficients.shape)
    sizes = torch.tensor(widths)
    _C.logic_layers_backward(
        *_arguments(x, coefficients, indices, sizes, groups),
        *(grad.data_ptr(), *grad.stride(), grad_x.data_ptr(), grad_coefficients.data_ptr()),
    )
    return grad_x, grad_coefficients


def _fake(x: Tensor, coefficients: Tensor, indices: Tensor, widths: list[int], groups: int) -> Tensor:
    return x.new_empty(x.shape[0], groups or widths[-1], x.shape[2])


register(
    OpSpec("logic_layers", tensors=3, differentiable=(0, 1), batched=(0,), outputs=1, saved=()),
    fake=_fake,
)
