"""Soft coverage by every face, aggregated by a T-conorm: `renderer::face_coverage`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from renderer import _C
from renderer.ops import cuda, native
from renderer.ops.coverage_call import coverage_arguments, coverage_backward, cuda_arguments, new_plan
from renderer.ops.native_function import OpSpec, register

_SETTINGS = "int height, int width, str distribution, bool squared, float support_eps, str t_conorm"
native.LIBRARY.define(
    f"face_coverage(Tensor vertices, Tensor faces, Tensor parameters, {_SETTINGS}) -> (Tensor, Tensor, Tensor)"
)
native.LIBRARY.define(
    "face_coverage_backward(Tensor grad, Tensor vertices, Tensor faces, Tensor parameters, Tensor state, Tensor ties, "
    f"{_SETTINGS}) -> (Tensor, Tensor)"
)


def _ties(value: Tensor, settings: tuple) -> Tensor:
    # A maximum shares its gradient among equals: only such a T-conorm needs their number.
    counts_ties = _C.t_conorm_traits(settings[-1])[1]
    return torch.empty_like(value) if counts_ties else value.new_empty(value.shape[0], 0, 0)


def _forward(
    vertices: Tensor, faces: Tensor, parameters: Tensor, height: int, width: int, *settings: Any
) -> tuple[Tensor, ...]:
    vertices, faces, parameters = native.contiguous(vertices, faces, parameters)
    value, state, ties = _fake(vertices, faces, parameters, height, width, *settings)
    _C.face_coverage_forward(
        *coverage_arguments(vertices, faces, parameters, height, width, *settings),
        *(out.data_ptr() for out in (state, ties, value)),
    )
    return value, state, ties


def _backward(*args: Any) -> tuple[Tensor, Tensor]:
    return coverage_backward(_C.face_coverage_backward, *args)


def _bins(vertices: Tensor, faces: Tensor, height: int, width: int) -> cuda.Bins:
    return cuda.Bins("face_coverage", vertices.device, vertices.shape[0], faces.shape[0], cuda.tiles(height, width))


def _forward_cuda(
    vertices: Tensor, faces: Tensor, parameters: Tensor, height: int, width: int, *settings: Any
) -> tuple[Tensor, ...]:
    vertices, faces, parameters = native.contiguous(vertices, faces, parameters)
    value, state, ties = _fake(vertices, faces, parameters, height, width, *settings)
    plan, bins = new_plan(vertices), _bins(vertices, faces, height, width)
    cuda.launch(
        "face_coverage_forward",
        vertices.device,
        *cuda_arguments(vertices, faces, parameters, height, width, *settings),
        plan.data_ptr(),
        *bins.arguments(),
        *(out.data_ptr() if out.numel() else 0 for out in (state, ties, value)),
    )
    return value, state, ties


def _backward_cuda(*args: Any) -> tuple[Tensor, Tensor]:
    grad, vertices, faces, parameters, state, ties = native.contiguous(*args[:6])
    height, width = args[6:8]
    plan, bins = new_plan(vertices), _bins(vertices, faces, height, width)
    views, count = vertices.shape[0], faces.shape[0]
    grad_vertices = cuda.Scatter(vertices, 3 * views * count)
    parts = cuda.tiles(height, width) + (count if cuda.deterministic() else 0)
    parameter_parts = torch.empty(views, parts, 4, dtype=torch.float64, device=vertices.device)
    cuda.launch(
        "face_coverage_backward",
        vertices.device,
        *cuda_arguments(vertices, faces, parameters, *args[6:]),
        plan.data_ptr(),
        *bins.arguments(),
        *(t.data_ptr() if t.numel() else 0 for t in (state, ties, grad)),
        *grad_vertices.addresses(),
        parameter_parts.data_ptr(),
    )
    return grad_vertices.result(), parameter_parts.sum(1).to(vertices.dtype)


cuda.implement("face_coverage", cpu=_forward, cuda=_forward_cuda)
cuda.implement("face_coverage_backward", cpu=_backward, cuda=_backward_cuda)


def _fake(
    vertices: Tensor, faces: Tensor, parameters: Tensor, height: int, width: int, *settings: Any
) -> tuple[Tensor, ...]:
    value = vertices.new_empty(vertices.shape[0], height, width)
    return value, torch.empty_like(value), _ties(value, settings)


register(
    OpSpec("face_coverage", tensors=3, differentiable=(0, 2), batched=(0,), outputs=1, saved=(1, 2)),
    fake=_fake,
)


def covered_pairs(vertices: Tensor, faces: Tensor, parameters: Tensor, height: int, width: int, *settings: Any) -> int:
    """How many (pixel, face) pairs lie within the support: the unit of work that benchmarks divide by."""
    vertices, faces, parameters = native.contiguous(vertices, faces, parameters)
    return _C.covered_pairs(*coverage_arguments(vertices, faces, parameters, height, width, *settings))
