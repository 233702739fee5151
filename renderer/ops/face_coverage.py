"""Soft coverage by every face, aggregated by a T-conorm: `renderer::face_coverage`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from renderer import _C
from renderer.ops import native
from renderer.ops.coverage_call import coverage_arguments, coverage_backward
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


@torch.library.impl(native.LIBRARY, "face_coverage", "CPU")
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


@torch.library.impl(native.LIBRARY, "face_coverage_backward", "CPU")
def _backward(*args: Any) -> tuple[Tensor, Tensor]:
    return coverage_backward(_C.face_coverage_backward, *args)


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
