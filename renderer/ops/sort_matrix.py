"""Rows of the matrix P of a relaxed comparator network: `renderer::sort_matrix`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from renderer import _C
from renderer.ops import cuda, native
from renderer.ops.native_function import OpSpec, register
from renderer.ops.sort_call import SETTINGS, sort_arguments
from renderer.ops.sort_payload import apply_cuda, gradients_cuda

native.LIBRARY.define(f"sort_matrix(Tensor x, int first, int count, {SETTINGS}) -> (Tensor)")
native.LIBRARY.define(f"sort_matrix_backward(Tensor grad, Tensor x, int first, int count, {SETTINGS}) -> (Tensor)")


def _forward(x: Tensor, first: int, count: int, *settings: Any) -> Tensor:
    x = x.contiguous()
    out = _fake(x, first, count)
    _C.sort_matrix_forward(*sort_arguments(x, settings), first, count, out.data_ptr())
    return out


def _backward(grad: Tensor, x: Tensor, first: int, count: int, *settings: Any) -> Tensor:
    grad, x = native.contiguous(grad, x)
    grad_x = torch.empty_like(x)
    _C.sort_matrix_backward(*sort_arguments(x, settings), first, count, grad.data_ptr(), grad_x.data_ptr())
    return grad_x


def _forward_cuda(x: Tensor, first: int, count: int, *settings: Any) -> Tensor:
    return apply_cuda(x, _unit_rows(x, first, count), settings, transposed=False).mT.contiguous()


def _backward_cuda(grad: Tensor, x: Tensor, first: int, count: int, *settings: Any) -> Tensor:
    return gradients_cuda(x, _unit_rows(x, first, count), grad.mT, settings, transposed=False)[0]


def _unit_rows(x: Tensor, first: int, count: int) -> Tensor:
    """A payload of which P makes the rows asked for, as columns."""
    unit = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)[:, first : first + count]
    return unit.expand(x.shape[0], -1, -1)


cuda.implement("sort_matrix", cpu=_forward, cuda=_forward_cuda)
cuda.implement("sort_matrix_backward", cpu=_backward, cuda=_backward_cuda)


def _fake(x: Tensor, first: int, count: int, *settings: Any) -> Tensor:
    return x.new_empty(x.shape[0], count, x.shape[1])


register(OpSpec("sort_matrix", tensors=1, differentiable=(0,), batched=(0,), outputs=1, saved=()), fake=_fake)
