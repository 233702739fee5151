"""One `autograd.Function` for every native op: native gradient, second derivatives by the reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from renderer.ops.native import LIBRARY
from renderer.ops.vmap import fold_into_batch


@dataclass(frozen=True)
class OpSpec:
    """What the Function has to know about `renderer::<name>`, its `<name>_backward` and its twin in `reference`.

    The op takes `tensors` tensors, then settings, and returns `outputs` differentiable tensors, then some that only
    the backward op reads. The backward op takes the gradients of the outputs, the tensors, the outputs named by `saved`
    and the settings; it returns one gradient for each of `differentiable`, view by view for unbatched tensors.
    """

    name: str
    tensors: int
    differentiable: tuple[int, ...]
    batched: tuple[int, ...]
    outputs: int
    saved: tuple[int, ...]


SPECS: dict[str, OpSpec] = {}


def register(spec: OpSpec, *, fake: Callable[..., Tensor | tuple[Tensor, ...]]) -> None:
    """Makes `call(spec.name, ...)` work; `fake` gives the op's outputs without computing them."""
    SPECS[spec.name] = spec

    def fake_backward(*args: Any) -> Tensor | tuple[Tensor, ...]:
        tensors = args[spec.outputs : spec.outputs + spec.tensors]
        batch = tensors[0].shape[0]
        gradients = tuple(
            tensors[i].new_empty(tensors[i].shape if i in spec.batched else (batch, *tensors[i].shape))
            for i in spec.differentiable
        )
        return gradients if len(gradients) > 1 else gradients[0]

    torch.library.register_fake(f"renderer::{spec.name}", fake, lib=LIBRARY)
    torch.library.register_fake(f"renderer::{spec.name}_backward", fake_backward, lib=LIBRARY)


def call(op: str, *args: Any) -> tuple[Tensor, ...]:
    """The differentiable outputs of an op; arguments as in its schema."""
    needs_grad = torch.is_grad_enabled() and any(isinstance(a, Tensor) and a.requires_grad for a in args)
    # torch.compile calls a Function that needs no gradient with a wrong signature.
    run = _forward if not needs_grad and (torch.compiler.is_compiling() or _untransformed()) else NativeFunction.apply
    return run(op, *args)[: SPECS[op].outputs]


def _untransformed() -> bool:
    """Whether no transform of torch.func is at work: an op may be called without its Function, in half the time."""
    return not torch._C._are_functorch_transforms_active()


def _forward(op: str, *args: Any) -> tuple[Tensor, ...]:
    return _as_tuple(getattr(torch.ops.renderer, op)(*args))


def _backward(op: str, *args: Any) -> tuple[Tensor, ...]:
    return _as_tuple(getattr(torch.ops.renderer, f"{op}_backward")(*args))


def _sum_of_views(gradient: Tensor) -> Tensor:
    return gradient.squeeze(0) if gradient.shape[0] == 1 else gradient.sum(0)  # the sum of one would be a copy


def _as_tuple(outputs: Any) -> tuple[Tensor, ...]:
    return outputs if isinstance(outputs, tuple) else (outputs,)


class NativeFunction(torch.autograd.Function):
    """(op, tensors..., settings...) -> all outputs of the op."""

    @staticmethod
    def forward(op: str, *args: Any) -> tuple[Tensor, ...]:
        return _forward(op, *args)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: tuple) -> None:
        op, *args = inputs
        spec = SPECS[op]
        ctx.mark_non_differentiable(*output[spec.outputs :])
        ctx.shapes = [out.shape for out in output[: spec.outputs]]
        ctx.set_materialize_grads(False)  # an image of zeros for every output that only the backward op reads
        ctx.save_for_backward(*args[: spec.tensors], *(output[i] for i in spec.saved))
        ctx.op, ctx.settings = op, args[spec.tensors :]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple:
        spec = SPECS[ctx.op]
        # As above; and a compiled graph has no second derivatives.
        once = torch.compiler.is_compiling() or (not torch.is_grad_enabled() and _untransformed())
        run = _backward if once else NativeFunctionBackward.apply
        if all(g is None for g in grads[: spec.outputs]):
            return (None,) * (1 + spec.tensors + len(ctx.settings))
        saved = ctx.saved_tensors
        # One of several outputs may have got no gradient.
        filled = [
            saved[0].new_zeros(shape) if gradient is None else gradient
            for gradient, shape in zip(grads, ctx.shapes, strict=False)
        ]
        results = run(ctx.op, *filled, *saved, *ctx.settings)
        gradients: list[Tensor | None] = [None] * (spec.tensors + len(ctx.settings))
        for position, gradient in zip(spec.differentiable, results, strict=True):
            gradients[position] = gradient if position in spec.batched else _sum_of_views(gradient)
        return None, *gradients

    @staticmethod
    def vmap(info: Any, in_dims: tuple, *args: Any) -> tuple:
        foldable = [1 + i for i in SPECS[args[0]].batched]
        return fold_into_batch(NativeFunction.apply, foldable, info, in_dims, args)


def _first_gradients(
    spec: OpSpec, reference: Callable[..., Any], grads: list[Tensor], tensors: list[Tensor], settings: tuple
) -> list[Tensor]:
    """What the backward op returns, by autograd through the reference, itself differentiable."""
    leaves = [tensors[i] for i in spec.differentiable]

    def gradients(inputs: list[Tensor], cotangents: list[Tensor]) -> tuple[Tensor, ...]:
        outputs = reference(*inputs, *settings)
        return torch.autograd.grad(outputs, leaves, cotangents, create_graph=True, materialize_grads=True)

    if all(i in spec.batched for i in spec.differentiable):
        return list(gradients(tensors, grads))
    batch = tensors[0].shape[0]
    views = []
    for b in range(batch):
        # A batched tensor may have fewer rows than there are views, each of which then serves as many views.
        rows = [b * len(t) // batch for t in tensors]
        one = [
            t[row : row + 1] if i in spec.batched else t for i, (t, row) in enumerate(zip(tensors, rows, strict=True))
        ]
        first = gradients(one, [g[b : b + 1] for g in grads])
        views.append([g[rows[i]] if i in spec.batched else g for i, g in zip(spec.differentiable, first, strict=True)])
    stacked = [torch.stack(parts) for parts in zip(*views, strict=True)]
    return [
        g.unflatten(0, (len(tensors[i]), -1)).sum(1) if i in spec.batched else g
        for i, g in zip(spec.differentiable, stacked, strict=True)
    ]


class NativeFunctionBackward(torch.autograd.Function):
    """(op, gradients of the outputs..., tensors..., saved outputs..., settings...) -> gradients of the tensors."""

    @staticmethod
    def forward(op: str, *args: Any) -> tuple[Tensor, ...]:
        return _backward(op, *args)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: tuple) -> None:
        op, *args = inputs
        spec = SPECS[op]
        ctx.save_for_backward(*args[: spec.outputs + spec.tensors])
        ctx.op, ctx.settings = op, args[spec.outputs + spec.tensors + len(spec.saved) :]

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> tuple:
        spec = SPECS[ctx.op]
        reference = getattr(import_module(f"renderer.reference.{ctx.op}"), ctx.op)
        positions = [*range(spec.outputs), *(spec.outputs + i for i in spec.differentiable)]
        inputs = list(ctx.saved_tensors)
        with torch.enable_grad():
            # Views, because the gradients may themselves depend on the tensors: only direct derivatives are wanted.
            # What is constant in the caller's graph becomes a leaf here, and autograd drops its derivative.
            for i in positions:
                t = inputs[i]
                inputs[i] = t.view_as(t) if t.requires_grad else t.detach().requires_grad_()
            grads, tensors = inputs[: spec.outputs], inputs[spec.outputs :]
            outputs = _first_gradients(spec, reference, grads, tensors, ctx.settings)
            seconds = torch.autograd.grad(
                outputs,
                [inputs[i] for i in positions],
                cotangents,
                create_graph=torch.is_grad_enabled(),
                allow_unused=True,
            )
        gradients: list[Tensor | None] = [None] * (len(inputs) + len(spec.saved) + len(ctx.settings))
        for position, second in zip(positions, seconds, strict=True):
            gradients[position] = second
        return None, *gradients

    @staticmethod
    def vmap(info: Any, in_dims: tuple, *args: Any) -> tuple:
        spec = SPECS[args[0]]
        first_saved = 1 + spec.outputs + spec.tensors
        foldable = [
            *range(1, 1 + spec.outputs),
            *(1 + spec.outputs + i for i in spec.batched),
            *range(first_saved, first_saved + len(spec.saved)),
        ]
        return fold_into_batch(NativeFunctionBackward.apply, foldable, info, in_dims, args)
