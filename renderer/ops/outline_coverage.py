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
from renderer.ops.native_function import OpSpec, register

_SETTINGS = "int height, int width, str distribution, bool squared, float support_eps"
native.LIBRARY.define(
    f"outline_coverage(Tensor vertices, Tensor faces, Tensor parameters, {_SETTINGS}) -> (Tensor, Tensor, Tensor)"
)
native.LIBRARY.define(
    "outline_coverage_backward(Tensor grad, Tensor vertices, Tensor faces, Tensor parameters, Tensor distance, "
    f"Tensor nearest, {_SETTINGS}) -> (Tensor, Tensor)"
)


def _settings(parameters: Tensor, distribution: str, squared: bool, support_eps: float) -> tuple:
    # One union of faces has nothing to aggregate: the T-conorm's name is not read.
    return parameters.data_ptr(), distribution, squared, support_eps, "", native.threads(), native.SIMD_LEVEL


@torch.library.impl(native.LIBRARY, "outline_coverage", "CPU")
def _forward(
    vertices: Tensor, faces: Tensor, parameters: Tensor, height: int, width: int, *settings: Any
) -> tuple[Tensor, ...]:
    vertices, faces, parameters = native.contiguous(vertices, faces, parameters)
    value = vertices.new_empty(vertices.shape[0], height, width)
    distance = torch.empty_like(value)
    nearest = torch.empty(*value.shape, 4, dtype=torch.int32)
    _C.outline_coverage_forward(
        *native.screen_arguments(vertices, faces, height, width),
        *_settings(parameters, *settings),
        value.data_ptr(),
        distance.data_ptr(),
        nearest.data_ptr(),
    )
    return value, distance, nearest


@torch.library.impl(native.LIBRARY, "outline_coverage_backward", "CPU")
def _backward(
    grad: Tensor,
    vertices: Tensor,
    faces: Tensor,
    parameters: Tensor,
    distance: Tensor,
    nearest: Tensor,
    height: int,
    width: int,
    *settings: Any,
) -> tuple[Tensor, Tensor]:
    grad, vertices, faces, parameters, distance, nearest = native.contiguous(
        grad, vertices, faces, parameters, distance, nearest
    )
    grad_vertices = torch.empty_like(vertices)
    grad_parameters = vertices.new_empty(vertices.shape[0], 4)
    _C.outline_coverage_backward(
        *native.screen_arguments(vertices, faces, height, width),
        *_settings(parameters, *settings),
        distance.data_ptr(),
        nearest.data_ptr(),
        grad.data_ptr(),
        grad_vertices.data_ptr(),
        grad_parameters.data_ptr(),
    )
    return grad_vertices, grad_parameters


def _fake(
    vertices: Tensor, faces: Tensor, parameters: Tensor, height: int, width: int, *settings: Any
) -> tuple[Tensor, ...]:
    value = vertices.new_empty(vertices.shape[0], height, width)
    return value, torch.empty_like(value), value.new_empty(*value.shape, 4, dtype=torch.int32)


register(
    OpSpec("outline_coverage", tensors=3, differentiable=(0, 2), batched=(0,), outputs=1, saved=(1, 2)),
    fake=_fake,
)
