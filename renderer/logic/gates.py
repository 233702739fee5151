"""The sixteen gates of two inputs, and their relaxation.

The id i of 0 … 15 spells the truth table, high to low: the outputs for (a, b) = 00, 01, 10, 11. A relaxed gate is the
expectation over Bernoulli inputs with means a and b. Its only non-linear part is P(A ∧ B) = T(a, b), the T-norm (the
product where A and B are independent), so a mixture of gates with corner probabilities w_uv = P(output | A = u, B = v)
is y = c0 + ca a + cb b + cab T(a, b).

Petersen et al., "Deep Differentiable Logic Gate Networks", NeurIPS 2022.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from renderer.relax import TConorm

GATES = (
    *("false", "a and b", "a and not b", "a", "not a and b", "b", "a xor b", "a or b"),
    *("a nor b", "a xnor b", "not b", "a or not b", "not a", "not a or b", "a nand b", "true"),
)

PASS_A = 3  # the gate "a", which residual initialisation prefers

# A T-norm is a joint probability of A and B, a copula, only where it changes no faster than its arguments; elsewhere
# some gate would leave [0, 1]. Nelsen, "An Introduction to Copulas", 2006: the range of p in which that holds.
_COPULA_RANGE = {
    "hamacher": (0.0, 2.0),
    "yager": (1.0, float("inf")),
    "aczel_alsina": (1.0, float("inf")),
    "dombi": (1.0, float("inf")),
}


def truth_table(like: Tensor) -> Float[Tensor, "16 4"]:
    """Outputs of all gates for (a, b) = 00, 01, 10, 11, in the dtype and on the device of `like`."""
    ids = torch.arange(16, device=like.device)
    return torch.stack([(ids >> shift) & 1 for shift in (3, 2, 1, 0)], -1).to(like.dtype)


def corners_to_coefficients(w: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 4"]:
    """Corner probabilities w00, w01, w10, w11 to c0, ca, cb, cab."""
    w00, w01, w10, w11 = w.unbind(-1)
    return torch.stack([w00, w10 - w00, w01 - w00, w00 - w01 - w10 + w11], -1)


def mix(c: Sequence[Tensor], a: Tensor, b: Tensor, t_conorm: TConorm | None = None) -> Tensor:
    """y = c0 + ca a + cb b + cab T(a, b), where T is the dual of `t_conorm`; the product if that is None."""
    c0, ca, cb, cab = c
    both = a * b if t_conorm is None else t_conorm.dual_pair(a, b)
    return c0 + ca * a + cb * b + cab * both


def check_t_conorm(t_conorm: TConorm | None) -> TConorm | None:
    """The T-conorm as the layers keep it: None for the probabilistic one, which has kernels.

    Raises ValueError for a p at which the T-norm is no joint probability.
    """
    if t_conorm is None or t_conorm.name == "probabilistic":
        return None
    low, high = _COPULA_RANGE.get(t_conorm.name, (-float("inf"), float("inf")))
    if t_conorm.p is not None and not low <= float(t_conorm.p) <= high:
        raise ValueError(
            f"t_conorm: expected {t_conorm.name} with p in [{low:g}, {high:g}], where gates stay in [0, 1], "
            f"got p = {float(t_conorm.p):g}"
        )
    return t_conorm
