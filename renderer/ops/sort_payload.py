"""Rows moved as a relaxed comparator network moves its keys, there and back.

`renderer::sort_payload` is Pᵀ · payload, `renderer::sort_transposed` is P · payload. Both are the same bilinear form in the
payload and the gradient, which change places, so that one kernel computes both gradients.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from renderer import _C
from renderer.ops import native
from renderer.ops.native_function import OpSpec, register
from renderer.ops.sort_call import SETTINGS, sort_arguments

for _name in ("sort_payload", "sort_transposed"):
    native.LIBRARY.define(f"{_name}(Tensor x, Tensor payload, {SETTINGS}) -> (Tensor)")
    native.LIBRARY.define(
        f"{_name}_backward(Tensor grad, Tensor x, Tensor payload, {SETTINGS}) -> (Tensor, Tensor)"
    )


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


@torch.library.impl(native.LIBRARY, "sort_payload", "CPU")
def _payload(x: Tensor, payload: Tensor, *settings: Any) -> Tensor:
    return _apply(x, payload, settings, transposed=False)


@torch.library.impl(native.LIBRARY, "sort_payload_backward", "CPU")
def _payload_backward(grad: Tensor, x: Tensor, payload: Tensor, *settings: Any) -> tuple[Tensor, Tensor]:
    return _gradients(x, payload, grad, settings, transposed=False)


@torch.library.impl(native.LIBRARY, "sort_transposed", "CPU")
def _transposed(x: Tensor, payload: Tensor, *settings: Any) -> Tensor:
    return _apply(x, payload, settings, transposed=True)


@torch.library.impl(native.LIBRARY, "sort_transposed_backward", "CPU")
def _transposed_backward(grad: Tensor, x: Tensor, payload: Tensor, *settings: Any) -> tuple[Tensor, Tensor]:
    return _gradients(x, grad, payload, settings, transposed=True)


def _fake(x: Tensor, payload: Tensor, *settings: Any) -> Tensor:
    return payload.new_empty(payload.shape)


for _name in ("sort_payload", "sort_transposed"):
    register(OpSpec(_name, tensors=2, differentiable=(0, 1), batched=(0, 1), outputs=1, saved=()), fake=_fake)
