"""Logarithms of the regularised incomplete gamma functions, differentiable in the shape and in the argument.

PyTorch's `gammainc` has no derivative in its first argument, and is wrong in the ninth digit where that exceeds 20.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from renderer.relax.elementary import log1mexp, polynomial

SERIES_TERMS = 10  # the terms summed one by one raise the shape to at least 10; what is left is smooth to integrate
NEGLIGIBLE = 40.0  # exp(-40) of an integrand is below the precision of float64
# Gauss's rule with 48 nodes, in groups that are evaluated together: all at once would need 48 times the memory.
GAUSS_RULE = np.stack(np.polynomial.legendre.leggauss(48)).reshape(2, 6, 8).transpose(1, 0, 2).tolist()
STIRLING_SERIES = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156]
STIRLING_FROM = 10.0


def log_gamma_density(a: Float[Tensor, "*shape"], x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """ln(x^(a−1) e^−x / Γ(a)) for a > 0, x > 0, differentiable in both."""
    large = a >= STIRLING_FROM
    small_a, large_a = torch.where(large, 1.0, a), torch.where(large, a, STIRLING_FROM)
    direct = small_a * torch.log(x) - x - torch.lgamma(small_a)
    # a ln x − x − ln Γ(a) cancels for large a; with m = x/a − 1 it is a (ln(1+m) − m) up to Stirling's series.
    m = (x - large_a) / large_a
    far = m < -0.5
    log_ratio = torch.where(far, torch.log(x / large_a), torch.log1p(torch.where(far, 0.0, m)))
    correction = polynomial(large_a**-2, STIRLING_SERIES) / large_a
    stirling = 0.5 * torch.log(large_a / (2 * math.pi)) - large_a * (m - log_ratio) - correction
    return torch.where(large, stirling, direct) - torch.log(x)


def _integrals(a: Float[Tensor, "*shape"], x: Float[Tensor, "*shape"], end: Tensor, sign: int) -> tuple[Tensor, Tensor]:
    """∫ g du and ∫ ±u g du over [0, end]; g(u) = exp(±a u − x (e^±u − 1)) is t^a e^−t, scaled, at t = x e^±u."""
    total, moment = torch.zeros_like(x), torch.zeros_like(x)
    for group in GAUSS_RULE:
        nodes, weights = torch.tensor(group, dtype=x.dtype, device=x.device)  # on [-1, 1]
        u = sign * end.unsqueeze(-1) * (1 + nodes) / 2
        g = weights / 2 * torch.exp(a.unsqueeze(-1) * u - x.unsqueeze(-1) * torch.expm1(u))
        total, moment = total + g.sum(-1), moment + (u * g).sum(-1)
    return total * end, moment * end


def _lower_tail(a: Float[Tensor, "*shape"], x: Float[Tensor, "*shape"]) -> tuple[Tensor, Tensor]:
    """ln P(a, x) and its derivative in a, for x < a + 1: the first terms of the power series, and an integral."""
    term, total = torch.ones_like(x), torch.ones_like(x)
    dterm, dtotal = torch.zeros_like(x), torch.zeros_like(x)
    for k in range(1, SERIES_TERMS):  # terms x^k / ((a+1) ... (a+k)), and their derivatives in a
        term = term * x / (a + k)
        dterm = (x * dterm - term) / (a + k)
        total, dtotal = total + term, dtotal + dterm
    raised = a + SERIES_TERMS
    # Beyond `end` the integrand is negligible: it falls like exp(-(a-x) u), and like exp(-x u²/3) while u < 1.
    end = NEGLIGIBLE / (raised - x)
    end = torch.where(x > 3 * NEGLIGIBLE, torch.minimum(end, torch.sqrt(3 * NEGLIGIBLE / x)), end).detach()
    integral, dintegral = _integrals(raised, x, end, -1)
    total = total + x * term * integral
    dtotal = dtotal + x * (dterm * integral + term * dintegral)
    log_front = log_gamma_density(a, x) + torch.log(x / a)
    return log_front + torch.log(total), torch.log(x) - torch.digamma(a + 1) + dtotal / total


def _upper_tail(a: Float[Tensor, "*shape"], x: Float[Tensor, "*shape"]) -> tuple[Tensor, Tensor]:
    """ln Q(a, x) and its derivative in a, for x ≥ a + 1, by an integral."""
    # The integrand falls at least like exp(-(x-a) (e^u - 1)), and like exp(-x u²/2).
    end = torch.minimum(torch.log1p(NEGLIGIBLE / (x - a)), torch.sqrt(2 * NEGLIGIBLE / x)).detach()
    integral, dintegral = _integrals(a, x, end, 1)
    log_front = log_gamma_density(a, x) + torch.log(x)
    return log_front + torch.log(integral), torch.log(x) - torch.digamma(a) + dintegral / integral


def _tails(a: Float[Tensor, "*shape"], x: Float[Tensor, "*shape"]) -> tuple[Bool[Tensor, "*shape"], Tensor, Tensor]:
    """Whether x < a + 1, the logarithm of P there and of Q elsewhere, and its derivative in a."""
    lower = x < a + 1
    log_p, dlog_p = _lower_tail(torch.where(lower, a, 1.0), torch.where(lower, x, 1.0))
    log_q, dlog_q = _upper_tail(torch.where(lower, 1.0, a), torch.where(lower, 3.0, x))
    return lower, torch.where(lower, log_p, log_q), torch.where(lower, dlog_p, dlog_q)


class _LogGamma(torch.autograd.Function):
    """ln P(a, x), or ln Q(a, x) if `upper`; both derivatives are plain PyTorch, so second ones exist too."""

    generate_vmap_rule = True

    @staticmethod
    def forward(a: Tensor, x: Tensor, upper: bool) -> Tensor:
        lower, log_tail, _ = _tails(a, x)
        return torch.where(lower != upper, log_tail, log1mexp(-log_tail))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, bool], output: Tensor) -> None:
        a, x, ctx.upper = inputs
        ctx.save_for_backward(a, x, output)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        a, x, log_f = ctx.saved_tensors
        grad_a = grad_x = None
        if ctx.needs_input_grad[0]:
            lower, log_tail, dlog_tail = _tails(a, x)
            # of ln F = ln(1 - T): −T (ln T)' / F
            other = -torch.exp(torch.where(lower != ctx.upper, 0.0, log_tail) - log_f) * dlog_tail
            grad_a = grad * torch.where(lower != ctx.upper, dlog_tail, other)
        if ctx.needs_input_grad[1]:
            hazard = torch.exp(log_gamma_density(a, x) - log_f)
            grad_x = grad * (-hazard if ctx.upper else hazard)
        return grad_a, grad_x, None


def log_gamma_probability(
    a: Float[Tensor, "*shape"], x: Float[Tensor, "*shape"], *, upper: bool
) -> Float[Tensor, "*shape"]:
    """ln P(a, x), or ln Q(a, x) if `upper`, of the regularised incomplete gamma functions P = 1 − Q.

    `a` > 0 and 0 < `x` < inf have the same shape. Accurate to 1e-12 in float64, also where P or Q underflows;
    differentiable in both any number of times, with a derivative in `a` accurate to 1e-11. Computed in float64.

    P(a, x) = ∫₀ˣ t^(a−1) e^−t dt / Γ(a); NIST Digital Library of Mathematical Functions, 8.2 and 8.11.4.
    """
    return _LogGamma.apply(a.double(), x.double(), upper).to(x.dtype)
