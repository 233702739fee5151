"""Comparisons that every op of the CUDA library has to pass; the kernels run wherever the tensors are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module

import torch
from torch import Tensor

from renderer.ops.native_function import SPECS, call

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}


def convert(args: Sequence, dtype: torch.dtype) -> list:
    """The arguments with their floating-point tensors in `dtype`, on fresh leaves where the op is differentiable."""
    return [a.to(dtype, copy=True) if isinstance(a, Tensor) and a.is_floating_point() else a for a in args]


def run(function, op: str, args: Sequence) -> tuple[list[Tensor], list[Tensor]]:
    """The differentiable outputs of an op, and the gradients of a random sum of them, in float64."""
    spec = SPECS[op]
    leaves = [a.detach().clone().requires_grad_() if i in spec.differentiable else a for i, a in enumerate(args)]
    outputs = function(*leaves)
    outputs = list(outputs[: spec.outputs]) if isinstance(outputs, tuple) else [outputs]
    generator = torch.Generator().manual_seed(1)
    weights = [torch.rand(out.shape, generator=generator, dtype=torch.float64).to(out) for out in outputs]
    total = sum(((w * out).sum() for w, out in zip(weights, outputs, strict=True)), torch.zeros(()).to(outputs[0]))
    gradients = torch.autograd.grad(total, [leaves[i] for i in spec.differentiable], materialize_grads=True)
    return [out.detach().double().cpu() for out in outputs], [g.double().cpu() for g in gradients]


def check_close(ours: Sequence[Tensor], exact: Sequence[Tensor], tolerance: float, *, least: float = 1.0) -> None:
    """Equal but for `tolerance` times the largest of the exact values, or times `least` where they are smaller."""
    for mine, expected in zip(ours, exact, strict=True):
        scale = max(least, float(expected.abs().max())) if expected.numel() else least
        torch.testing.assert_close(mine, expected, rtol=0, atol=tolerance * scale)


def check_against_reference(op: str, args: Sequence, dtype: torch.dtype, *, gradients: bool = True) -> None:
    """Values and gradients equal those of the reference, computed in float64 from what `dtype` can hold.

    Without `gradients` they need only be finite.
    """
    reference = getattr(import_module(f"renderer.reference.{op}"), op)
    given = convert(args, dtype)
    outputs, slopes = run(lambda *a: call(op, *a), op, given)
    exact, exact_slopes = run(reference, op, convert(given, torch.float64))
    check_close(outputs, exact, TOLERANCE[dtype])
    if gradients:
        check_close(slopes, exact_slopes, TOLERANCE[dtype])
    assert all(torch.isfinite(slope).all() for slope in slopes)


def check_deterministic(op: str, args: Sequence) -> None:
    """With torch.use_deterministic_algorithms the gradient has the same bits whatever the order of the threads."""
    torch.use_deterministic_algorithms(True)
    try:
        given = convert(args, torch.float32)
        first = run(lambda *a: call(op, *a), op, given)
        order = os.environ.get("RENDERER_EMULATION_ORDER")
        os.environ["RENDERER_EMULATION_ORDER"] = "forward" if order == "reverse" else "reverse"
        try:
            second = run(lambda *a: call(op, *a), op, given)
        finally:
            os.environ["RENDERER_EMULATION_ORDER"] = order or ""
    finally:
        torch.use_deterministic_algorithms(False)
    for mine, other in zip(first[0] + first[1], second[0] + second[1], strict=True):
        assert torch.equal(mine, other)
    exact = run(lambda *a: call(op, *a), op, convert(args, torch.float64))
    check_close(first[0] + first[1], exact[0] + exact[1], TOLERANCE[torch.float32])


def check_float32(op: str, args: Sequence, tolerance: float) -> None:
    """Values and gradients of an op in float32 against those in float64, of the same numbers."""
    given = convert(args, torch.float32)
    ours, exact = (run(lambda *a: call(op, *a), op, convert(given, dtype)) for dtype in (torch.float32, torch.float64))
    check_close(ours[0] + ours[1], exact[0] + exact[1], tolerance, least=0.0)


def check_not_drawn(vertices: Tensor, faces: Tensor, parameters: Tensor) -> None:
    """The faces have no outline and cover no pixel of 24 x 24."""
    size = (24, 24)
    assert not torch.ops.renderer.outline_coverage(vertices, faces, parameters, *size, "logistic", False, 1e-6)[0].any()
    assert (torch.ops.renderer.rasterize(vertices, faces, *size, False, False, None)[0] == -1).all()
