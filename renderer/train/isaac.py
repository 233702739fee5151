"""ISAAC: second-order steps of a layer from its inputs alone, at about the cost of the gradient."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


def isaac_gradient(
    inputs: Float[Tensor, "b n"],
    gradients: Float[Tensor, "b m"],
    *,
    damping: float,
    damping_gradients: float | None = None,
) -> Float[Tensor, "m n"]:
    """ζ* = λ gᵀa (aᵀa/b + λI)⁻¹ from a layer's inputs a and the per-sample gradients g of its outputs.

    As λ → ∞ it is the weight's gradient gᵀa. It is the same as gᵀ(I − (I + K)⁻¹K)a with K = aaᵀ/(bλ); the smaller of
    both systems is solved. damping_gradients: λ_g of the full ζ = λ_g (gᵀg/b + λ_g I)⁻¹ ζ*; None is λ_g → ∞.
    Source: Petersen et al., arXiv 2305.00604.

    Raises:
        ValueError: a damping that is not positive, or shapes that do not match.

    Example:
        >>> isaac_gradient(torch.eye(2), torch.eye(2), damping=0.5)
        tensor([[0.5000, 0.0000],
                [0.0000, 0.5000]])
    """
    if inputs.ndim != 2 or gradients.ndim != 2 or len(inputs) != len(gradients):
        came = f"{tuple(inputs.shape)} and {tuple(gradients.shape)}"
        raise ValueError(f"inputs, gradients: expected shapes (b, n) and (b, m), got {came}")
    _check_damping("damping", damping)
    rows, columns = inputs.shape
    if columns <= rows:
        matrix = _damped(inputs.T @ inputs / rows, damping)
        step = damping * torch.linalg.solve(matrix, gradients.T @ inputs, left=False)
    else:  # a (aᵀa/b + λI)⁻¹ = (aaᵀ/b + λI)⁻¹ a
        matrix = _damped(inputs @ inputs.T / rows, damping)
        step = damping * (gradients.T @ torch.linalg.solve(matrix, inputs))
    if damping_gradients is None:
        return step
    _check_damping("damping_gradients", damping_gradients)
    matrix = _damped(gradients.T @ gradients / rows, damping_gradients)
    return damping_gradients * torch.linalg.solve(matrix, step)


def _damped(matrix: Tensor, damping: float) -> Tensor:
    return matrix + damping * torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device)


def _check_damping(name: str, damping: float) -> None:
    if not (math.isfinite(damping) and damping > 0):
        raise ValueError(f"{name}: expected a number > 0, got {damping}")


class Isaac(nn.Module):
    """Wraps a Linear or Conv2d layer: the same outputs, and ζ* of `isaac_gradient` as gradient of weight and bias.

    The bias is the weight of an input that is always 1. b counts the rows: all positions of all samples; the gradient
    of the inputs is the usual one. Double backward raises RuntimeError.

    Args:
        layer: nn.Linear (inputs of any rank) or nn.Conv2d (any stride, padding, dilation, groups).
        damping: λ > 0, in units of a squared input.
        damping_gradients: λ_g > 0 for the full ζ, in units of a squared gradient; None leaves that factor out.
        reduction: how the loss reduces; only the full ζ asks, whose g are those of single samples.

    Raises:
        ValueError: a damping that is not positive, no `reduction` beside `damping_gradients`. TypeError: another layer.

    Example:
        >>> model = nn.Sequential(Isaac(nn.Linear(784, 100), damping=1.0), nn.ReLU(), nn.Linear(100, 10))
    """

    def __init__(
        self,
        layer: nn.Linear | nn.Conv2d,
        *,
        damping: float,
        damping_gradients: float | None = None,
        reduction: Literal["sum", "mean"] | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(layer, (nn.Linear, nn.Conv2d)):
            raise TypeError(f"layer: expected nn.Linear or nn.Conv2d, got {type(layer).__name__}")
        _check_damping("damping", damping)
        if damping_gradients is not None:
            _check_damping("damping_gradients", damping_gradients)
            if reduction not in ("sum", "mean"):
                raise ValueError(f"reduction: expected 'sum' or 'mean' beside damping_gradients, got {reduction!r}")
        self.layer = layer
        self.damping, self.damping_gradients, self.reduction = damping, damping_gradients, reduction

    def forward(self, inputs: Tensor) -> Tensor:
        """As the layer itself."""
        if torch.is_autocast_enabled(inputs.device.type):
            inputs = inputs.to(torch.get_autocast_dtype(inputs.device.type))
        return _Isaac.apply(inputs, self.layer.weight, self.layer.bias, self)

    def solve(self, rows: Float[Tensor, "b n"], gradients: Float[Tensor, "b m"], samples: int) -> Float[Tensor, "m n"]:
        """ζ* or ζ; the gradient of a mean is scaled to that of single samples and back."""
        scale = samples if self.reduction == "mean" else 1
        gradients = gradients * scale
        both = isaac_gradient(rows, gradients, damping=self.damping, damping_gradients=self.damping_gradients)
        return both / scale


class _Isaac(torch.autograd.Function):
    @staticmethod
    def forward(inputs: Tensor, weight: Tensor, bias: Tensor | None, isaac: Isaac) -> Tensor:
        return isaac.layer(inputs)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        values, weight, bias, ctx.isaac = inputs
        ctx.save_for_backward(values, weight)
        ctx.has_bias = bias is not None

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor | None, None]:
        inputs, weight = ctx.saved_tensors
        isaac: Isaac = ctx.isaac
        layer = isaac.layer
        to_inputs = None
        if ctx.needs_input_grad[0]:
            with torch.enable_grad():  # the layer's own, whatever its padding
                start = inputs.detach().requires_grad_()
                output = layer(start)
            (to_inputs,) = torch.autograd.grad(output, [start], gradient.to(output.dtype))
        samples = 1 if isinstance(layer, nn.Conv2d) and inputs.ndim == 3 else len(inputs)
        parts = []
        for rows, gradients in zip(*_rows(layer, inputs, gradient), strict=True):
            rows, gradients = rows.to(weight.dtype), gradients.to(weight.dtype)
            if ctx.has_bias:
                rows = torch.cat([rows, torch.ones_like(rows[:, :1])], dim=1)
            parts.append(isaac.solve(rows, gradients, samples))
        joint = torch.cat(parts)
        if not ctx.has_bias:
            return to_inputs, joint.reshape(weight.shape), None, None
        return to_inputs, joint[:, :-1].reshape(weight.shape), joint[:, -1].contiguous(), None


def _rows(layer: nn.Linear | nn.Conv2d, inputs: Tensor, gradient: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """For each group: what the weight is multiplied with, a row a position, and the gradients of the outputs there."""
    if isinstance(layer, nn.Linear):
        return [inputs.reshape(-1, inputs.shape[-1])], [gradient.reshape(-1, gradient.shape[-1])]
    batched = inputs if inputs.ndim == 4 else inputs[None]
    gradient = gradient if gradient.ndim == 4 else gradient[None]
    padded = functional.pad(batched, *_padding(layer))
    patches = functional.unfold(padded, layer.kernel_size, dilation=layer.dilation, stride=layer.stride)
    rows = [part.transpose(1, 2).flatten(0, 1) for part in patches.chunk(layer.groups, dim=1)]
    return rows, [part.flatten(2).transpose(1, 2).flatten(0, 1) for part in gradient.chunk(layer.groups, dim=1)]


def _padding(layer: nn.Conv2d) -> tuple[list[int], str]:
    """Arguments of `functional.pad`, last axis first."""
    if layer.padding == "same":
        total = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
        sides = [(t // 2, t - t // 2) for t in total]
    elif layer.padding == "valid":
        sides = [(0, 0), (0, 0)]
    else:
        sides = [(int(p), int(p)) for p in layer.padding]
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    return [*sides[1], *sides[0]], mode
