"""Ways of probability 0: a sample that cannot be where the program is contributes neither value nor gradient.

Values are left out when ways meet. Gradients need more: 0 · (derivative of √x at −1) is NaN. So an operation whose
derivative depends on its operands takes 1 in their place for such samples, as `torch.where` chooses, and lets nothing
of the operands through.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from renderer.relax.program.array import SoftArray
from renderer.relax.program.mixture import per_sample
from renderer.relax.program.values import Shared, SoftInteger


def possible(probabilities: Sequence[Tensor], inherited: Tensor | None) -> Tensor | None:
    """Which samples (B,) have no probability of 0 among these, and none `inherited`; None if that is known of all."""
    mask = inherited
    for p in probabilities:
        here = p.detach() > 0
        here = here.flatten(1).any(1) if here.dim() > 1 else here
        mask = here if mask is None else mask & here
    if mask is None or (not torch.compiler.is_compiling() and bool(mask.all())):
        return None
    return mask


def guarded(value: Any, mask: Tensor) -> Any:
    """A value of the program with ones, that let no gradient through, for the samples outside of the mask.

    What no sample owns stays as it is: numbers, tensors of another first dimension, and what is `Shared`.
    """
    if isinstance(value, Tensor):
        own = value.dim() > 0 and value.shape[0] == mask.shape[0] and value.is_floating_point()
        return torch.where(per_sample(mask, value), value, 1.0) if own else value
    if isinstance(value, Shared):
        return value.value
    if isinstance(value, SoftArray):
        return SoftArray(guarded(value.tensor(), mask), value.integer)
    if isinstance(value, SoftInteger):
        return SoftInteger(guarded(value.value, mask))
    if isinstance(value, list | tuple):
        return type(value)(guarded(v, mask) for v in value)
    if isinstance(value, dict):
        return {key: guarded(v, mask) for key, v in value.items()}
    return value
