"""What the coverage ops hand to the native library, and the call of their backward kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from renderer.ops import native


def coverage_arguments(
    vertices: Tensor,
    faces: Tensor,
    parameters: Tensor,
    height: int,
    width: int,
    distribution: str,
    squared: bool,
    support_eps: float,
    t_conorm: str = "",
) -> tuple:
    """The leading arguments of every coverage kernel; `t_conorm` is not read where faces are not aggregated."""
    return (
        *native.screen_arguments(vertices, faces, height, width),
        *(parameters.data_ptr(), distribution, squared, support_eps, t_conorm, native.threads(), native.SIMD_LEVEL),
    )


def cuda_arguments(
    vertices: Tensor,
    faces: Tensor,
    parameters: Tensor,
    height: int,
    width: int,
    distribution: str,
    squared: bool,
    support_eps: float,
    t_conorm: str = "",
) -> tuple:
    """The leading arguments of every coverage kernel on the GPU."""
    return (
        *native.screen_arguments(vertices, faces, height, width),
        *(parameters.data_ptr(), distribution, squared, support_eps, t_conorm),
    )


def new_plan(like: Tensor) -> Tensor:
    """Memory for a CoveragePlan: csrc/cuda/coverage_plan.h."""
    return torch.empty(16, dtype=torch.float64, device=like.device)


def coverage_backward(kernel: Callable[..., None], *args: Any) -> tuple[Tensor, Tensor]:
    """Gradients of vertices and parameters; args: grad, vertices, faces, parameters, two kept outputs, settings."""
    grad, vertices, faces, parameters, *kept = native.contiguous(*args[:6])
    grad_vertices = torch.empty_like(vertices)
    grad_parameters = vertices.new_empty(vertices.shape[0], 4)
    addresses = (t.data_ptr() for t in (*kept, grad, grad_vertices, grad_parameters))
    kernel(*coverage_arguments(vertices, faces, parameters, *args[6:]), *addresses)
    return grad_vertices, grad_parameters
