"""Logits of the 16 gates to the four coefficients of their mixture: `renderer::logic_coefficients`."""

from __future__ import annotations

import torch
from torch import Tensor

from renderer import _C
from renderer.ops import cuda, native
from renderer.ops.native_function import OpSpec, register

native.LIBRARY.define("logic_coefficients(Tensor logits, float temperature) -> Tensor")
native.LIBRARY.define("logic_coefficients_backward(Tensor grad, Tensor logits, float temperature) -> Tensor")


def _arguments(logits: Tensor, temperature: float) -> tuple:
    if logits.ndim != 2 or logits.shape[1] != 16 or logits.dtype not in (torch.float32, torch.float64):
        raise ValueError(
            f"logits: expected (neurons, 16) in float32 or float64, got {tuple(logits.shape)} in {logits.dtype}"
        )
    return logits.shape[0], logits.data_ptr(), temperature, logits.dtype == torch.float64


def _forward(logits: Tensor, temperature: float) -> Tensor:
    (logits,) = native.contiguous(logits)
    out = logits.new_empty(logits.shape[0], 4)
    arguments = (*_arguments(logits, temperature), native.SIMD_LEVEL, native.threads())
    _C.logic_coefficients_forward(*arguments, out.data_ptr())
    return out


def _backward(grad: Tensor, logits: Tensor, temperature: float) -> Tensor:
    grad, logits = native.contiguous(grad, logits)
    grad_logits = logits.new_empty(logits.shape)
    arguments = (*_arguments(logits, temperature), native.SIMD_LEVEL, native.threads())
    _C.logic_coefficients_backward(*arguments, grad.data_ptr(), grad_logits.data_ptr())
    return grad_logits


def _forward_cuda(logits: Tensor, temperature: float) -> Tensor:
    (logits,) = native.contiguous(logits)
    out = logits.new_empty(logits.shape[0], 4)
    cuda.launch("logic_coefficients_forward", logits.device, *_arguments(logits, temperature), out.data_ptr())
    return out


def _backward_cuda(grad: Tensor, logits: Tensor, temperature: float) -> Tensor:
    grad, logits = native.contiguous(grad, logits)
    grad_logits = logits.new_empty(logits.shape)
    results = (grad.data_ptr(), grad_logits.data_ptr())
    cuda.launch("logic_coefficients_backward", logits.device, *_arguments(logits, temperature), *results)
    return grad_logits


cuda.implement("logic_coefficients", cpu=_forward, cuda=_forward_cuda)
cuda.implement("logic_coefficients_backward", cpu=_backward, cuda=_backward_cuda)


def _fake(logits: Tensor, temperature: float) -> Tensor:
    return logits.new_empty(logits.shape[0], 4)


register(
    OpSpec("logic_coefficients", tensors=1, differentiable=(0,), batched=(0,), outputs=1, saved=()),
    fake=_fake,
)
