"""Values through a relaxed comparator network: `renderer::sort_values`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from renderer import _C
from renderer.ops import cuda, native
from renderer.ops.native_function import OpSpec, register
from renderer.ops.sort_call import SETTINGS, comparators_of, launch_sort, scratch_rows, sort_arguments

native.LIBRARY.define(f"sort_values(Tensor x, {SETTINGS}) -> (Tensor)")
native.LIBRARY.define(f"sort_values_backward(Tensor grad, Tensor x, {SETTINGS}) -> (Tensor)")


def _forward(x: Tensor, *settings: Any) -> Tensor:
    x = x.contiguous()
    out = torch.empty_like(x)
    _C.sort_values_forward(*sort_arguments(x, settings), out.data_ptr())
    return out


def _backward(grad: Tensor, x: Tensor, *settings: Any) -> Tensor:
    grad, x = native.contiguous(grad, x)
    grad_x = torch.empty_like(x)
    _C.sort_values_backward(*sort_arguments(x, settings), grad.data_ptr(), grad_x.data_ptr())
    return grad_x


def _forward_cuda(x: Tensor, *settings: Any) -> Tensor:
    x = x.contiguous()
    out = torch.empty_like(x)
    launch_sort("sort_values_forward", x, settings, x.data_ptr(), out.data_ptr())
    return out


def _backward_cuda(grad: Tensor, x: Tensor, *settings: Any) -> Tensor:
    grad, x = native.contiguous(grad, x)
    grad_x = torch.empty_like(x)
    each = cuda.query("sort_values_scratch", x.device, x.shape[1], comparators_of(x, settings).layers)
    buffers = x.new_empty(scratch_rows(x, each), each)
    addresses = (x.data_ptr(), grad.data_ptr(), grad_x.data_ptr(), buffers.data_ptr(), len(buffers))
    launch_sort("sort_values_backward", x, settings, *addresses)
    return grad_x


cuda.implement("sort_values", cpu=_forward, cuda=_forward_cuda)
cuda.implement("sort_values_backward", cpu=_backward, cuda=_backward_cuda)


def _fake(x: Tensor, *settings: Any) -> Tensor:
    return x.new_empty(x.shape)


register(OpSpec("sort_values", tensors=1, differentiable=(0,), batched=(0,), outputs=1, saved=()), fake=_fake)
