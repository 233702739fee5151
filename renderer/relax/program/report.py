"""How good is a relaxation? The gap to the hard result, what was cut off, a Monte-Carlo check of the closed form."""

from __future__ import annotations

import dataclasses
import math
import random
import warnings
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from renderer.relax.program import arguments
from renderer.relax.program.errors import RelaxError
from renderer.relax.program.paths import Decider
from renderer.relax.program.settings import Settings
from renderer.relax.program.values import SoftBool

if TYPE_CHECKING:
    from renderer.relax.program.decorator import Program
    from renderer.relax.program.runtime import Runtime


@dataclasses.dataclass(frozen=True)
class Report:
    """Figures of one call, for every sample (B,); results with several tensors are flattened into one (B, m).

    `gap`: largest |relaxed − hard|. `leftover`: probability still running when loops were cut at `max_iter`. `entropy`:
    of the way taken, in nats, estimated. `monte_carlo`: mean of the result over ways drawn at random, each comparison
    by its own noise; `error` its standard error; `bias`: largest |relaxed − monte_carlo|, which is what merging costs.
    """

    relaxed: Tensor
    hard: Tensor
    gap: Tensor
    leftover: Tensor
    entropy: Tensor
    monte_carlo: Tensor
    error: Tensor
    bias: Tensor
    draws: int

    def __str__(self) -> str:
        rows = {
            "gap to the hard result": self.gap,
            "leftover probability": self.leftover,
            "entropy of the way [nats]": self.entropy,
            "gap to the Monte-Carlo mean": self.bias,
            f"standard error of that ({self.draws} draws)": self.error.flatten(1).amax(1),
        }
        return "\n".join(
            f"{name:<42} mean {float(v.mean()):.3g}, largest {float(v.max()):.3g}" for name, v in rows.items()
        )


def make_report(program: Program, settings: Settings, args: tuple, kwargs: dict, *, draws: int, seed: int) -> Report:
    """See `Program.report`."""
    if draws < 2:
        raise ValueError(f"draws: expected at least 2, got {draws}")
    if settings.semantics == "sample":
        raise RelaxError("report: expected semantics='merge' or 'path', got 'sample'")
    named = program._named(args, kwargs)
    if not any(True for _ in arguments.tensors(named)):
        raise ValueError("report: expected at least one tensor among the arguments")
    batch = arguments.batch_of(named)
    leftovers: list[Tensor] = []

    def record(runtime: Runtime) -> None:
        leftovers.extend(runtime.leftover)

    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what max_iter cuts is reported as a figure
        relaxed = _flat(program.run(settings, args, kwargs, record=record), batch.size)
        hard = _flat(program.hard(*args, **kwargs), batch.size)
        means, errors, entropies = [], [], []
        for b in range(batch.size):
            one, keywords = _pick(args, b), {k: _pick(v, b) for k, v in kwargs.items()}
            ways = [_Draw(random.Random(hash((seed, b, i)))) for i in range(draws)]
            values = torch.cat(
                [_flat(program.run(settings, one, keywords, decide=Decider(way.choose)), 1) for way in ways]
            )
            means.append(values.mean(0))
            errors.append(values.std(0) / math.sqrt(draws))
            entropies.append(sum(way.surprise for way in ways) / draws)
    mean, error = torch.stack(means), torch.stack(errors)
    zero = torch.zeros(batch.size, dtype=batch.dtype, device=batch.device)
    return Report(
        relaxed=relaxed,
        hard=hard,
        gap=(relaxed - hard).abs().amax(1),
        leftover=torch.stack(leftovers).amax(0) if leftovers else zero,
        entropy=zero + torch.tensor(entropies, dtype=batch.dtype, device=batch.device),
        monte_carlo=mean,
        error=error,
        bias=(relaxed - mean).abs().amax(1),
        draws=draws,
    )


class _Draw:
    """Decides every condition at random, by its probability, and adds up −ln of what it has decided."""

    def __init__(self, generator: random.Random) -> None:
        self.generator = generator
        self.surprise = 0.0

    def choose(self, condition: SoftBool) -> bool:
        p = float(condition.p)
        decision = self.generator.random() < p
        self.surprise -= math.log(p if decision else float(condition.q))
        return decision


def _pick(value: Any, b: int) -> Any:
    if isinstance(value, Tensor):
        return value[b : b + 1] if value.dim() else value
    if isinstance(value, list | tuple):
        return type(value)(_pick(v, b) for v in value)
    return value


def _flat(value: Any, batch: int) -> Tensor:
    parts = value if isinstance(value, tuple | list) else (value,)
    flat = [_flat(p, batch) if isinstance(p, tuple | list) else p.reshape(batch, -1) for p in parts]
    return torch.cat([f.to(flat[0].dtype) for f in flat], 1)
