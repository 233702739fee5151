"""Soft coverage by the union of the faces: `renderer::outline_coverage`.

Beside the value the op keeps the signed distance in pixels (past the support: any value past it, or infinite) and
the vertices that each pixel's nearest outline point hangs on.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from renderer import _C
from renderer.ops import native
from renderer.ops.coverage_call import coverage_arguments, coverage_backward
from renderer.ops.native_function import OpSpec, register

_SETTINGS = "int height, int width, str distribution, bool squared, float support_eps"
native.LIBRARY.define(
    f"outline_coverage(Tensor vertices, Tensor faces, Tensor parameters, {_SETTINGS}) -> (Tensor, Tensor, Tensor)"
)
native.LIBRARY.define(
    "outline_coverage_backward(Tensor grad, Tensor vertices, Tensor faces, Tensor parameters, Tensor distance, "
    f"Tensor nearest, {_SETTINGS}) -> (Tensor, Tensor)"
)


@torch.library.impl(native.LIBRARY, "outline_coverage", "CPU")
def _forward(
    vertices: Tensor, faces: Tensor, parameters: Tensor, height: int, width: int, *settings: Any
) -> tuple[Tensor, ...]:
    vertices, faces, parameters = native.contiguous(vertices, faces, parameters)
    outputs = _fake(vertices, faces, parameters, height, width, *settings)
    _C.outline_coverage_forward(
        *coverage_arguments(vertices, faces, parameters, height, width, *settings),
        *(out.data_ptr() for out in outputs),
    )
    return outputs


@torch.library.impl(native.LIBRARY, "outline_coverage_backward", "CPU")
def _backward(*args: Any) -> tuple[Tensor, Tensor]:
    return coverage_backward(_C.outline_coverage_backward, *args)


def _fake(
    vertices: Tensor, faces: Tensor, parameters: Tensor, height: int, width: int, *settings: Any
) -> tuple[Tensor, ...]:
    value = vertices.new_empty(vertices.shape[0], height, width)
    return value, torch.empty_like(value), value.new_empty(*value.shape, 4, dtype=torch.int32)


register(
    OpSpec("outline_coverage", tensors=3, differentiable=(0, 2), batched=(0,), outputs=1, saved=(1, 2)),
    fake=_fake,
)
