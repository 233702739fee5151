"""One `autograd.Function` for every coverage op: native gradient, second derivatives by the reference."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from renderer.ops.vmap import fold_into_batch


def _forward(op: str, *args: Any) -> tuple[Tensor, ...]:
    return getattr(torch.ops.renderer, op)(*args)


def _backward(op: str, *args: Any) -> tuple[Tensor, ...]:
    return getattr(torch.ops.renderer, f"{op}_backward")(*args)


def coverage(op: str, *args: Any) -> Tensor:
    """Coverage (B, H, W) by the op of that name; the other arguments as `Coverage`."""
    needs_grad = torch.is_grad_enabled() and any(isinstance(a, Tensor) and a.requires_grad for a in args)
    run = _forward if torch.compiler.is_compiling() and not needs_grad else Coverage.apply
    return run(op, *args)[0]


class Coverage(torch.autograd.Function):
    """(op, vertices (B, V, 3), faces (F, 3), parameters (4,), *settings) -> value (B, H, W) and what the backward op
    needs.

    `op` names a native op, its `<op>_backward`, and its twin `renderer.reference.<op>.<op>`.
    """

    @staticmethod
    def forward(op: str, *args: Any) -> tuple[Tensor, ...]:
        return _forward(op, *args)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: tuple) -> None:
        op, vertices, faces, parameters, *settings = inputs
        _, *kept = output
        ctx.mark_non_differentiable(*kept)
        ctx.save_for_backward(vertices, faces, parameters, *kept)
        ctx.op, ctx.settings = op, settings

    @staticmethod
    def backward(ctx: Any, grad: Tensor, *_: Any) -> tuple:
        # torch.compile calls a Function that needs no gradient with a wrong signature, and has no second derivatives.
        run = _backward if torch.compiler.is_compiling() else CoverageBackward.apply
        grad_vertices, grad_parameters = run(ctx.op, grad, *ctx.saved_tensors, *ctx.settings)
        return None, grad_vertices, None, grad_parameters.sum(0), *[None] * len(ctx.settings)

    @staticmethod
    def vmap(info: Any, in_dims: tuple, *args: Any) -> tuple:
        return fold_into_batch(Coverage.apply, (1,), info, in_dims, args)


class CoverageBackward(torch.autograd.Function):
    """(op, grad, vertices, faces, parameters, kept, kept, *settings) -> grad_vertices, grad_parameters (B, 4)."""

    @staticmethod
    def forward(op: str, *args: Any) -> tuple[Tensor, ...]:
        return _backward(op, *args)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: tuple) -> None:
        op, grad, vertices, faces, parameters, _, _, *settings = inputs
        ctx.save_for_backward(grad, vertices, faces, parameters)
        ctx.op, ctx.settings = op, settings

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> tuple:
        grad, vertices, faces, parameters = ctx.saved_tensors
        reference = getattr(import_module(f"renderer.reference.{ctx.op}"), ctx.op)
        views = []
        with torch.enable_grad():
            # Views, because `grad` may itself depend on `vertices`: only the direct derivatives are wanted. What is
            # constant in the caller's graph becomes a leaf here, and autograd drops its derivative.
            grad, vertices, parameters = (
                t.view_as(t) if t.requires_grad else t.detach().requires_grad_() for t in (grad, vertices, parameters)
            )
            # View by view, because the native op returns the parameters' gradient of each view.
            for b in range(vertices.shape[0]):
                value = reference(vertices[b : b + 1], faces, parameters, *ctx.settings)
                first = torch.autograd.grad(
                    value, (vertices, parameters), grad[b : b + 1], create_graph=True, materialize_grads=True
                )
                views.append((first[0][b], first[1]))
            outputs = tuple(torch.stack(parts) for parts in zip(*views, strict=True))
            grads = torch.autograd.grad(
                outputs,
                (grad, vertices, parameters),
                cotangents,
                create_graph=torch.is_grad_enabled(),
                allow_unused=True,
            )
        return None, grads[0], grads[1], None, grads[2], None, None, *[None] * len(ctx.settings)

    @staticmethod
    def vmap(info: Any, in_dims: tuple, *args: Any) -> tuple:
        return fold_into_batch(CoverageBackward.apply, (1, 2, 5, 6), info, in_dims, args)


def register_fakes(library: torch.library.Library, op: str, kept: Any) -> None:
    """Fake kernels of `op` and its backward; `kept(value, settings)` makes the outputs after the value."""

    def forward(
        vertices: Tensor, faces: Tensor, parameters: Tensor, height: int, width: int, *settings: Any
    ) -> tuple[Tensor, ...]:
        value = vertices.new_empty(vertices.shape[0], height, width)
        return value, *kept(value, settings)

    def backward(grad: Tensor, vertices: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
        return torch.empty_like(vertices, memory_format=torch.contiguous_format), vertices.new_empty(
            vertices.shape[0], 4
        )

    torch.library.register_fake(f"renderer::{op}", forward, lib=library)
    torch.library.register_fake(f"renderer::{op}_backward", backward, lib=library)
