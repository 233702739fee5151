"""Soft coverage by the union of the faces: `renderer::outline_coverage`.

Beside the value the op keeps the signed distance in pixels (past the support: any value past it, or infinite) and
the vertices that each pixel's nearest outline point hangs on.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from renderer import _C
from renderer.ops import cuda, native
from renderer.ops.coverage_call import coverage_arguments, coverage_backward, cuda_arguments, new_plan
from renderer.ops.edges import sorted_edges
from renderer.ops.native_function import OpSpec, register

_FACES_PER_CELL = 16
_CANDIDATE_BYTES = 48  # of an OutlineCandidateSlot: csrc/cuda/outline_coverage.h

_SETTINGS = "int height, int width, str distribution, bool squared, float support_eps"
native.LIBRARY.define(
    f"outline_coverage(Tensor vertices, Tensor faces, Tensor parameters, {_SETTINGS}) -> (Tensor, Tensor, Tensor)"
)
native.LIBRARY.define(
    "outline_coverage_backward(Tensor grad, Tensor vertices, Tensor faces, Tensor parameters, Tensor distance, "
    f"Tensor nearest, {_SETTINGS}) -> (Tensor, Tensor)"
)


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


def _backward(*args: Any) -> tuple[Tensor, Tensor]:
    return coverage_backward(_C.outline_coverage_backward, *args)


def _forward_cuda(
    vertices: Tensor, faces: Tensor, parameters: Tensor, height: int, width: int, *settings: Any
) -> tuple[Tensor, ...]:
    vertices, faces, parameters = native.contiguous(vertices, faces, parameters)
    outputs = _fake(vertices, faces, parameters, height, width, *settings)
    views, count, device = vertices.shape[0], faces.shape[0], vertices.device
    key, order = sorted_edges(faces, vertices.shape[1])
    domain = torch.empty(views, 4, dtype=torch.float64, device=device)
    candidates = torch.empty(views * 3 * count, _CANDIDATE_BYTES, dtype=torch.uint8, device=device)
    side = min(max(math.isqrt(count // _FACES_PER_CELL), 8), 256)  # of the grid that faces and edges are found in
    bins = (
        cuda.Bins("outline faces", device, views, count, side * side),
        cuda.Bins("outline edges", device, views, 3 * count, side * side),
        cuda.Bins("outline tile faces", device, views, count, cuda.tiles(height, width)),
        cuda.Bins("outline tile edges", device, views, 3 * count, cuda.tiles(height, width)),
    )
    plan = new_plan(vertices)
    cuda.launch(
        "outline_coverage_forward",
        device,
        *cuda_arguments(vertices, faces, parameters, height, width, *settings),
        *(t.data_ptr() for t in (plan, key, order, domain, candidates)),
        *(side, side),
        *(argument for b in bins for argument in b.arguments()),
        *(out.data_ptr() for out in outputs),
    )
    return outputs


def _backward_cuda(*args: Any) -> tuple[Tensor, Tensor]:
    grad, vertices, faces, parameters, distance, nearest = native.contiguous(*args[:6])
    grad_vertices, plan = cuda.Scatter(vertices, 4 * grad.numel()), new_plan(vertices)
    parts = cuda.tiles(*args[6:8])
    parameter_parts = torch.empty(vertices.shape[0], parts, 4, dtype=torch.float64, device=vertices.device)
    cuda.launch(
        "outline_coverage_backward",
        vertices.device,
        *cuda_arguments(vertices, faces, parameters, *args[6:]),
        *(t.data_ptr() for t in (plan, distance, nearest, grad)),
        *grad_vertices.addresses(),
        parameter_parts.data_ptr(),
    )
    return grad_vertices.result(), parameter_parts.sum(1).to(vertices.dtype)


cuda.implement("outline_coverage", cpu=_forward, cuda=_forward_cuda)
cuda.implement("outline_coverage_backward", cpu=_backward, cuda=_backward_cuda)


def _fake(
    vertices: Tensor, faces: Tensor, parameters: Tensor, height: int, width: int, *settings: Any
) -> tuple[Tensor, ...]:
    value = vertices.new_empty(vertices.shape[0], height, width)
    return value, torch.empty_like(value), value.new_empty(*value.shape, 4, dtype=torch.int32)


register(
    OpSpec("outline_coverage", tensors=3, differentiable=(0, 2), batched=(0,), outputs=1, saved=(1, 2)),
    fake=_fake,
)
