"""Rows moved as a relaxed comparator network moves its keys, there and back.

`renderer::sort_payload` is Pᵀ · payload, `renderer::sort_transposed` is P · payload. Both are the same bilinear form in
the payload and the gradient, which change places, so that one kernel computes both gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from renderer import _C
from renderer.ops import cuda, native
from renderer.ops.native_function import OpSpec, register
from renderer.ops.sort_call import SETTINGS, comparators_of, launch_sort, scratch_rows, sort_arguments

for _name in ("sort_payload", "sort_transposed"):
    native.LIBRARY.define(f"{_name}(Tensor x, Tensor payload, {SETTINGS}) -> (Tensor)")
    native.LIBRARY.define(f"{_name}_backward(Tensor grad, Tensor x, Tensor payload, {SETTINGS}) -> (Tensor, Tensor)")


def _apply(x: Tensor, payload: Tensor, settings: tuple, *, transposed: bool) -> Tensor:
    x, payload = native.contiguous(x, payload)
    out = torch.empty_like(payload)
    arguments = sort_arguments(x, settings)
    _C.sort_payload_forward(*arguments, payload.data_ptr(), payload.shape[2], transposed, out.data_ptr())
    return out


def _gradients(x: Tensor, payload: Tensor, grad: Tensor, settings: tuple, *, transposed: bool) -> tuple[Tensor, Tensor]:
    """Of the form ⟨grad, Pᵀ payload⟩, in x and in the payload or, if transposed, in grad."""
    x, payload, grad = native.contiguous(x, payload, grad)
    grad_x, other = torch.empty_like(x), torch.empty_like(payload)
    addresses = (other.data_ptr(), 0) if transposed else (0, other.data_ptr())
    _C.sort_payload_backward(
        *(*sort_arguments(x, settings), payload.data_ptr(), grad.data_ptr(), payload.shape[2]),
        *(grad_x.data_ptr(), *addresses),
    )
    return grad_x, other


def apply_cuda(x: Tensor, payload: Tensor, settings: tuple, *, transposed: bool) -> Tensor:
    """Pᵀ · payload, or P · payload if transposed, by the CUDA kernels."""
    x, payload = native.contiguous(x, payload)
    out = torch.empty_like(payload)
    count = comparators_of(x, settings).count
    at_a_time = scratch_rows(x, x.shape[1] + count)
    for rows, moved, result in zip(*(t.split(at_a_time) for t in (x, payload, out)), strict=True):
        state, shares = torch.empty_like(rows), rows.new_empty(len(rows), count)
        launch_sort("sort_shares", rows, settings, rows.data_ptr(), False, state.data_ptr(), shares.data_ptr())
        addresses = (shares.data_ptr(), moved.data_ptr(), payload.shape[2], transposed, result.data_ptr())
        launch_sort("sort_payload_forward", rows, settings, *addresses)
    return out


def gradients_cuda(
    x: Tensor, payload: Tensor, grad: Tensor, settings: tuple, *, transposed: bool
) -> tuple[Tensor, Tensor]:
    """Of the form ⟨grad, Pᵀ payload⟩, in x and in the payload or, if transposed, in grad, by the CUDA kernels."""
    x, payload, grad = native.contiguous(x, payload, grad)
    grad_x, other = torch.empty_like(x), torch.empty_like(payload)
    found = comparators_of(x, settings)
    each = cuda.query("sort_payload_scratch", x.device, x.shape[1], found.layers, found.count)
    at_a_time = scratch_rows(x, each + x.shape[1] + 4 * found.count)
    parts = (t.split(at_a_time) for t in (x, payload, grad, grad_x, other))
    for rows, moved, g, to, result in zip(*parts, strict=True):
        state, shares = torch.empty_like(rows), rows.new_empty(len(rows), 4, found.count)
        launch_sort("sort_shares", rows, settings, rows.data_ptr(), True, state.data_ptr(), shares.data_ptr())
        buffers = rows.new_empty(len(rows), each)
        addresses = (result.data_ptr(), 0) if transposed else (0, result.data_ptr())
        tensors = (shares.data_ptr(), moved.data_ptr(), g.data_ptr(), payload.shape[2], to.data_ptr())
        launch_sort("sort_payload_backward", rows, settings, *tensors, *addresses, buffers.data_ptr())
    return grad_x, other


def _implement(name: str, *, transposed: bool) -> None:
    """The op on both devices: the gradient of P · payload has payload and gradient in each other's place."""

    def forward(apply: Callable) -> Callable:
        return lambda x, payload, *settings: apply(x, payload, settings, transposed=transposed)

    def backward(gradients: Callable) -> Callable:
        if transposed:
            return lambda grad, x, payload, *settings: gradients(x, grad, payload, settings, transposed=True)
        return lambda grad, x, payload, *settings: gradients(x, payload, grad, settings, transposed=False)

    cuda.implement(name, cpu=forward(_apply), cuda=forward(apply_cuda))
    cuda.implement(f"{name}_backward", cpu=backward(_gradients), cuda=backward(gradients_cuda))


_implement("sort_payload", transposed=False)
_implement("sort_transposed", transposed=True)


def _fake(x: Tensor, payload: Tensor, *settings: Any) -> Tensor:
    return payload.new_empty(payload.shape)


for _name in ("sort_payload", "sort_transposed"):
    register(OpSpec(_name, tensors=2, differentiable=(0, 1), batched=(0, 1), outputs=1, saved=()), fake=_fake)
