"""Newton losses: the outputs take a damped second-order step on a loss, and the network is regressed to the result.

z*ᵢ = yᵢ − (M + λI)⁻¹ gᵢ with gᵢ = ∇ℓᵢ, not divided by N. Source: Petersen et al., arXiv 2410.19055.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from renderer.train.regression import Reduction, check_outputs, half_squared, leaf, scaled, summed

Curvature = Literal["hessian", "batch_hessian", "fisher"]
Definite = Literal["none", "abs", "clamp"]


class NewtonLoss(nn.Module):
    """Wraps a loss: ½‖z* − y‖², with z* the outputs y after a damped Newton step on it.

    The gradient in y is (M + λI)⁻¹ gᵢ (divided by N for "mean"); as λ grows it becomes gᵢ/λ. z* is a constant, so
    nothing else that the loss depends on gets a gradient. Under several processes each uses the M of its own part.

    Hessian and Fisher matrices of losses that are smoothed with three samples or fewer, and the Fisher matrix of
    Fenchel–Young losses, are known to make training worse.

    Args:
        loss: called as loss(outputs, *arguments, **options); sample i's part may depend on outputs[i] only.
        curvature: M. "hessian": ∇²ℓᵢ of each sample; "batch_hessian": their mean; "fisher": (1/N) Σ gᵢgᵢᵀ, which
            needs first derivatives only. A Hessian takes m backward passes.
        damping: λ > 0; with a Hessian that is regular, 0 is allowed.
        relative: λ is in units of tr(M)/m, the mean over the batch; else it is absolute.
        definite: what happens to negative eigenvalues of a Hessian, along which the plain step ("none") would ascend:
            "abs" takes their absolute value, "clamp" makes them 0.
        reduction: how `loss` reduces ("none": it gives (N,)), and how the result is reduced.

    Raises:
        ValueError: one line naming the argument; also where M + λI is singular, or the loss has no second derivative.

    Example:
        >>> loss = NewtonLoss(functional.cross_entropy, curvature="hessian", damping=0.1, reduction="mean")
        >>> loss(model(x), labels).backward()
    """

    def __init__(
        self,
        loss: Callable[..., Tensor],
        *,
        reduction: Reduction,
        curvature: Curvature = "fisher",
        damping: float = 0.1,
        relative: bool = True,
        definite: Definite = "abs",
    ) -> None:
        super().__init__()
        if curvature not in ("hessian", "batch_hessian", "fisher"):
            raise ValueError(f"curvature: expected 'hessian', 'batch_hessian' or 'fisher', got {curvature!r}")
        if definite not in ("none", "abs", "clamp"):
            raise ValueError(f"definite: expected 'none', 'abs' or 'clamp', got {definite!r}")
        if reduction not in ("none", "sum", "mean"):
            raise ValueError(f"reduction: expected 'none', 'sum' or 'mean', got {reduction!r}")
        _check_damping(damping, curvature)
        self.loss = loss
        self.reduction: Reduction = reduction
        self.curvature: Curvature = curvature
        self.damping, self.relative = damping, relative
        self.definite: Definite = definite

    def forward(self, outputs: Float[Tensor, "N *m"], *arguments: Any, **options: Any) -> Tensor:
        """½‖z* − y‖², reduced."""
        step = self.step(outputs, *arguments, **options)
        return half_squared(outputs, step, self.reduction)

    def step(self, outputs: Float[Tensor, "N *m"], *arguments: Any, **options: Any) -> Float[Tensor, "N *m"]:
        """y − z*, without gradient."""
        check_outputs(outputs, self.reduction)
        hessian = self.curvature != "fisher"
        with torch.enable_grad():
            start = leaf(outputs)
            total = summed(self.loss, start, self.reduction, arguments, options)
            # A factor that needs a gradient itself: else once_differentiable functions would pass for constants.
            one = torch.ones_like(total).requires_grad_(hessian)
            (gradient,) = torch.autograd.grad(total, [start], one, create_graph=hessian)
            matrix = hessians(gradient, start) if hessian else None
        gradient = gradient.detach().flatten(1).double()
        if matrix is None:
            step = fisher_step(gradient, damping=self.damping, relative=self.relative)
        else:
            if self.curvature == "batch_hessian":
                matrix = matrix.mean(0, keepdim=True)
            step = damped_solve(matrix.double(), gradient, self.damping, self.relative, self.definite)
        return step.to(outputs.dtype).reshape(outputs.shape)


def hessians(gradient: Float[Tensor, "N *m"], outputs: Float[Tensor, "N *m"]) -> Float[Tensor, "N M M"]:
    """∇²ℓᵢ of each sample from the gradient with its graph: one backward pass gives one row of all of them."""
    if _has_broken_branch(gradient.grad_fn):
        raise ValueError("loss: a part of it has no second derivative (once_differentiable): use curvature='fisher'")
    rows: list[Tensor | None] = []
    for column in gradient.flatten(1).sum(0):
        try:
            (row,) = torch.autograd.grad(column, [outputs], retain_graph=True, allow_unused=True)
        except RuntimeError as error:
            cause = str(error).splitlines()[0]
            raise ValueError(f"loss: has no second derivative ({cause}): use curvature='fisher'") from error
        rows.append(row)
    if all(row is None for row in rows):
        raise ValueError("loss: has no second derivative, as its gradient is constant: use curvature='fisher'")
    filled = [(torch.zeros_like(outputs) if row is None else row).flatten(1) for row in rows]
    matrix = torch.stack(filled, dim=1)
    return (matrix + matrix.mT) / 2  # rounding and summation order make it a little unsymmetric


def _has_broken_branch(node: Any) -> bool:
    """Whether torch marked part of a gradient's graph as not differentiable; it raises only on the way to an input."""
    todo, seen = [node], set()
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        if node.name() == "torch::autograd::Error":
            return True
        seen.add(node)
        todo += [following for following, _ in node.next_functions]
    return False


def damped_solve(
    matrix: Float[Tensor, "#N m m"], gradient: Float[Tensor, "N m"], damping: float, relative: bool, definite: Definite
) -> Float[Tensor, "N m"]:
    """(M + λI)⁻¹ gᵢ for symmetric M, of each sample or one for all."""
    values, vectors = torch.linalg.eigh(matrix)
    if definite != "none":
        values = values.abs() if definite == "abs" else values.clamp(min=0)
    damped = values + _level(values.sum(-1).abs(), gradient.shape[1], damping, relative)
    _check_regular(damped.abs())
    along = (vectors.mT @ gradient[..., None])[..., 0]
    return (vectors @ (along / damped)[..., None])[..., 0]


def fisher_step(
    gradient: Float[Tensor, "N m"], *, damping: float, relative: bool = True, woodbury: bool | None = None
) -> Float[Tensor, "N m"]:
    """(F + λI)⁻¹ gᵢ with F = (1/N) Σ gᵢgᵢᵀ; all gᵢ = 0 give 0.

    woodbury: solve the N × N system of G (GᵀG/N + λI)⁻¹ = (GGᵀ/N + λI)⁻¹ G instead of the m × m one, the same for
    λ > 0; None takes the smaller. Raises ValueError for λ ≤ 0, or so small that rounding makes the system singular.

    >>> fisher_step(torch.eye(2), damping=1.0, relative=False)
    tensor([[0.6667, 0.0000],
            [0.0000, 0.6667]])
    """
    _check_damping(damping, "fisher")
    count, size = gradient.shape
    if not bool(gradient.any()):
        return torch.zeros_like(gradient)
    small = size > count if woodbury is None else woodbury
    matrix = (gradient @ gradient.T if small else gradient.T @ gradient) / count
    level = _level(gradient.square().sum() / count, size, damping, relative)
    damped = matrix + level * torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device)
    factor, info = torch.linalg.cholesky_ex(damped)
    _check_regular(factor.diagonal().square() * (info == 0))
    return torch.cholesky_solve(gradient, factor) if small else torch.cholesky_solve(gradient.T, factor).T


def inject_fisher(
    outputs: Float[Tensor, "N *m"], *, reduction: Literal["sum", "mean"], damping: float = 0.1, relative: bool = True
) -> Float[Tensor, "N *m"]:
    """The outputs themselves; on the way back, their gradients gᵢ become (F + λI)⁻¹ gᵢ, F = (1/N) Σ gᵢgᵢᵀ.

    Put between network and loss, it makes any loss a Newton loss with the empirical Fisher matrix, in the backward
    pass alone, and the loss keeps its value.

    Args:
        outputs: y, of the network.
        reduction: how the loss reduces; with "mean", backward delivers gᵢ/N, and gets its result divided by N again.
        damping, relative: λ as in `NewtonLoss`.

    Raises:
        ValueError: one line naming the argument. RuntimeError: in a double backward pass.

    Example:
        >>> functional.cross_entropy(inject_fisher(model(x), reduction="mean"), labels).backward()
    """
    check_outputs(outputs, reduction)
    if reduction not in ("sum", "mean"):
        raise ValueError(f"reduction: expected 'sum' or 'mean', got {reduction!r}")
    _check_damping(damping, "fisher")
    return _InjectFisher.apply(outputs, reduction, damping, relative)


class _InjectFisher(torch.autograd.Function):
    @staticmethod
    def forward(outputs: Tensor, reduction: Reduction, damping: float, relative: bool) -> Tensor:
        return outputs.view_as(outputs)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _, ctx.reduction, ctx.damping, ctx.relative = inputs

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        each = scaled(gradient, ctx.reduction).flatten(1).double()
        step = fisher_step(each, damping=ctx.damping, relative=ctx.relative).to(gradient.dtype)
        step = step / len(step) if ctx.reduction == "mean" else step
        return step.reshape(gradient.shape), None, None, None


def _check_damping(damping: float, curvature: Curvature) -> None:
    # The Fisher matrix of N samples has rank N at most.
    least = "> 0" if curvature == "fisher" else ">= 0"
    if not math.isfinite(damping) or damping < 0 or (damping == 0 and curvature == "fisher"):
        raise ValueError(f"damping: expected a number {least}, got {damping}")


def _level(trace: Tensor, size: int, damping: float, relative: bool) -> Tensor:
    """λ; a relative one is in units of the mean eigenvalue, over the batch, so that flat samples do not run away."""
    return damping * trace.mean() / size if relative else torch.full_like(trace.mean(), damping)


def _check_regular(pivots: Tensor) -> None:
    """Raise if some are 0 up to rounding, beside the largest of their matrix."""
    least = pivots.shape[-1] * torch.finfo(pivots.dtype).eps * pivots.amax(-1, keepdim=True)
    if not bool((pivots > least).all()):
        raise ValueError("damping: expected more, as M + λI is singular")
