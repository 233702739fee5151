"""Rows of the matrix P of a relaxed comparator network: `renderer::sort_matrix`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from renderer import _C
from renderer.ops import native
from renderer.ops.native_function import OpSpec, register
from renderer.ops.sort_call import SETTINGS, sort_arguments

native.LIBRARY.define(f"sort_matrix(Tensor x, int first, int count, {SETTINGS}) -> (Tensor)")
native.LIBRARY.define(f"sort_matrix_backward(Tensor grad, Tensor x, int first, int count, {SETTINGS}) -> (Tensor)")


@torch.library.impl(native.LIBRARY, "sort_matrix", "CPU")
def _forward(x: Tensor, first: int, count: int, *settings: Any) -> Tensor:
    x = x.contiguous()
    out = _fake(x, first, count)
    _C.sort_matrix_forward(*sort_arguments(x, settings), first, count, out.data_ptr())
    return out


@torch.library.impl(native.LIBRARY, "sort_matrix_backward", "CPU")
def _backward(grad: Tensor, x: Tensor, first: int, count: int, *settings: Any) -> Tensor:
    grad, x = native.contiguous(grad, x)
    grad_x = torch.empty_like(x)
    _C.sort_matrix_backward(*sort_arguments(x, settings), first, count, grad.data_ptr(), grad_x.data_ptr())
    return grad_x


def _fake(x: Tensor, first: int, count: int, *settings: Any) -> Tensor:
    return x.new_empty(x.shape[0], count, x.shape[1])


register(OpSpec("sort_matrix", tensors=1, differentiable=(0,), batched=(0,), outputs=1, saved=()), fake=_fake)
