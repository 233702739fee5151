"""Step sizes that change as training goes on."""

from __future__ import annotations

import math
from typing import Any

import torch


def cosine_decay(optimiser: torch.optim.Optimizer, steps: int) -> torch.optim.Optimizer:
    """Lets the step size of `optimiser` fall from its value to 0 over `steps` updates, along half a cosine; returns it.

    How far it has come is in the optimiser's state dict, so a resumed run goes on as if it had not been interrupted.
    Later updates have step size 0. Raises ValueError for fewer than 1 step. Loshchilov and Hutter, "SGDR", 2017.

    >>> optimiser = cosine_decay(torch.optim.Adam(model.parameters(), lr=0.1), steps=1_000)
    """
    if steps < 1:
        raise ValueError(f"steps: expected at least 1, got {steps}")
    for group in optimiser.param_groups:
        group["first_lr"], group["updates"] = group["lr"], 0

    def before_update(optimiser: torch.optim.Optimizer, *_: Any) -> None:
        for group in optimiser.param_groups:
            done = min(group["updates"] / steps, 1.0)
            group["lr"] = group["first_lr"] * (1 + math.cos(math.pi * done)) / 2
            group["updates"] += 1

    optimiser.register_step_pre_hook(before_update)
    return optimiser
