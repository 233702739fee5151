"""Values through a relaxed comparator network: `renderer::sort_values`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from renderer import _C
from renderer.ops import native
from renderer.ops.native_function import OpSpec, register
from renderer.ops.sort_call import SETTINGS, sort_arguments

native.LIBRARY.define(f"sort_values(Tensor x, {SETTINGS}) -> (Tensor)")
native.LIBRARY.define(f"sort_values_backward(Tensor grad, Tensor x, {SETTINGS}) -> (Tensor)")


@torch.library.impl(native.LIBRARY, "sort_values", "CPU")
def _forward(x: Tensor, *settings: Any) -> Tensor:
    x = x.contiguous()
    out = torch.empty_like(x)
    _C.sort_values_forward(*sort_arguments(x, settings), out.data_ptr())
    return out


@torch.library.impl(native.LIBRARY, "sort_values_backward", "CPU")
def _backward(grad: Tensor, x: Tensor, *settings: Any) -> Tensor:
    grad, x = native.contiguous(grad, x)
    grad_x = torch.empty_like(x)
    _C.sort_values_backward(*sort_arguments(x, settings), grad.data_ptr(), grad_x.data_ptr())
    return grad_x


def _fake(x: Tensor, *settings: Any) -> Tensor:
    return x.new_empty(x.shape)


register(OpSpec("sort_values", tensors=1, differentiable=(0,), batched=(0,), outputs=1, saved=()), fake=_fake)
