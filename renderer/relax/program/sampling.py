"""Sample semantics: the hard program at random arguments around the given ones, with the score-function gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from renderer.relax.parameters import as_number
from renderer.relax.program.arguments import batch_of, tensors
from renderer.relax.program.errors import RelaxError
from renderer.relax.program.settings import Settings
from renderer.relax.smoothing.noise import NOISES
from renderer.relax.smoothing.score_function import smooth

if TYPE_CHECKING:
    from renderer.relax.program.decorator import Program


def smooth_program(program: Program, settings: Settings, args: tuple, kwargs: dict) -> Any:
    """E of the hard program at arguments plus noise of scale 1/β; differentiable in the real ones.

    Raises RelaxError for a distribution without a score, or if the program does not return one tensor.
    """
    if settings.law.name not in NOISES:
        raise RelaxError(f"distribution: semantics='sample' takes {', '.join(NOISES)}, got {settings.law.name!r}")
    if isinstance(settings.beta, Tensor) and settings.beta.requires_grad:
        raise RelaxError("beta: semantics='sample' has no gradient in beta; give a number or a detached tensor")
    named = program._named(args, kwargs)
    batch = batch_of(named)
    leaves = [t.expand(batch.size) if t.dim() == 0 else t for t in tensors((args, kwargs)) if t.is_floating_point()]
    if not leaves:
        raise RelaxError(f"{program.__name__}: semantics='sample' perturbs real arguments, and there is none")
    joined = torch.cat([t.reshape(batch.size, -1) for t in leaves], 1)
    sizes = [t[0].numel() for t in leaves]

    def f(points: Tensor) -> Tensor:
        repeats = points.shape[0] // batch.size
        parts = iter(p.reshape(-1, *t.shape[1:]) for p, t in zip(points.split(sizes, 1), leaves, strict=True))

        def replace(value: Any) -> Any:
            if isinstance(value, Tensor):
                if value.is_floating_point():
                    return next(parts)
                return value.repeat(repeats, *(1,) * (value.dim() - 1)) if value.dim() else value
            if isinstance(value, list | tuple):
                return type(value)(replace(v) for v in value)
            return value

        result = program.hard(*replace(args), **{k: replace(v) for k, v in kwargs.items()})
        if not isinstance(result, Tensor):
            raise RelaxError(f"{program.__name__}: semantics='sample' takes a program that returns one tensor")
        return result

    scale = 1 / as_number(settings.beta)
    return smooth(f, joined, scale=scale, samples=settings.samples, distribution=settings.law.name)
