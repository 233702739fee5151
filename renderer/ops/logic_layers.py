"""Dense layers of relaxed logic gates, one after the other: `renderer::logic_layers`.

The samples lie side by side, (B, features, N); groups > 0 returns the sums of that many equal parts of the last layer
instead of the layer itself. Nothing is kept but the input: the backward op runs the layers again
while a tile of samples is in the cache.
"""

from __future__ import annotations

import torch
from torch import Tensor

from renderer import _C
from renderer.ops import cuda, native
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


def _forward(x: Tensor, coefficients: Tensor, indices: Tensor, widths: list[int], groups: int) -> Tensor:
    _check(x, coefficients, indices, widths, groups)
    coefficients, indices = native.contiguous(coefficients, indices)
    out = x.new_empty(x.shape[0], groups or widths[-1], x.shape[2])
    sizes = torch.tensor(widths, device="cpu")
    _C.logic_layers_forward(*_arguments(x, coefficients, indices, sizes, groups), out.data_ptr())
    return out


def _backward(
    grad: Tensor, x: Tensor, coefficients: Tensor, indices: Tensor, widths: list[int], groups: int
) -> tuple[Tensor, Tensor]:
    _check(x, coefficients, indices, widths, groups)
    coefficients, indices = native.contiguous(coefficients, indices)
    grad_x = x.new_empty(x.shape)
    grad_coefficients = x.new_empty(x.shape[0], *coefficients.shape)
    sizes = torch.tensor(widths, device="cpu")
    _C.logic_layers_backward(
        *_arguments(x, coefficients, indices, sizes, groups),
        *(grad.data_ptr(), *grad.stride(), grad_x.data_ptr(), grad_coefficients.data_ptr()),
    )
    return grad_x, grad_coefficients


def _layers_cuda(
    x: Tensor, coefficients: Tensor, indices: Tensor, widths: list[int]
) -> tuple[list[tuple[tuple, Tensor, Tensor]], Tensor]:
    """For each layer the leading arguments of its kernels, its input and its indices; and the last one's output."""
    layers, start = [], 0
    for layer, width in enumerate(widths):
        pair, c = indices[:, start : start + width].contiguous(), coefficients[start : start + width]
        batch, inputs, columns = x.shape
        arguments = (
            *(layer, batch, inputs, width, columns, pair[0].data_ptr(), pair[1].data_ptr(), c.data_ptr()),
            *(x.dtype == torch.float64, x.data_ptr()),
        )
        layers.append((arguments, x, pair))
        x = x.new_empty(batch, width, columns)
        cuda.launch("logic_layer_forward", x.device, *arguments, x.data_ptr())
        start += width
    return layers, x


def _forward_cuda(x: Tensor, coefficients: Tensor, indices: Tensor, widths: list[int], groups: int) -> Tensor:
    _check(x, coefficients, indices, widths, groups)
    x, coefficients, indices = native.contiguous(x, coefficients, indices)
    _, out = _layers_cuda(x, coefficients, indices, widths)
    return out.unflatten(1, (groups, -1)).sum(2) if groups else out


def _backward_cuda(
    grad: Tensor, x: Tensor, coefficients: Tensor, indices: Tensor, widths: list[int], groups: int
) -> tuple[Tensor, Tensor]:
    _check(x, coefficients, indices, widths, groups)
    x, coefficients, indices = native.contiguous(x, coefficients, indices)
    if groups:
        grad = grad.repeat_interleave(widths[-1] // groups, 1)
    grad = grad.contiguous()
    gradients = []
    layers, _ = _layers_cuda(x, coefficients, indices, widths)
    for arguments, before, pair in reversed(layers):
        # By feature, the places in (neuron, a or b) that read it, in order: sums come out the same every time.
        features = pair.T.flatten()
        reader = features.argsort(stable=True)
        start = torch.searchsorted(
            features[reader], torch.arange(before.shape[1] + 1, device=x.device, dtype=torch.int32)
        )
        grad_before = before.new_empty(before.shape)
        grad_c = before.new_empty(before.shape[0], pair.shape[1], 4)
        tensors = (reader, start, grad, grad_before, grad_c)
        cuda.launch("logic_layer_backward", x.device, *arguments, *(t.data_ptr() for t in tensors))
        gradients.append(grad_c)
        grad = grad_before
    return grad, torch.cat(gradients[::-1], 1)


cuda.implement("logic_layers", cpu=_forward, cuda=_forward_cuda)
cuda.implement("logic_layers_backward", cpu=_backward, cuda=_backward_cuda)


def _fake(x: Tensor, coefficients: Tensor, indices: Tensor, widths: list[int], groups: int) -> Tensor:
    return x.new_empty(x.shape[0], groups or widths[-1], x.shape[2])


register(
    OpSpec("logic_layers", tensors=3, differentiable=(0, 1), batched=(0,), outputs=1, saved=()),
    fake=_fake,
)
