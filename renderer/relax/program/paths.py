"""Path semantics: every way through a program, with its probability; exact, and exponential."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from renderer.relax.program.arguments import Batch, to_result
from renderer.relax.program.errors import RelaxError
from renderer.relax.program.mixture import mixture, times
from renderer.relax.program.values import SoftBool


class Decider:
    """Decides every soft condition, for runs that follow one way; `mass` is the probability of the way so far."""

    def __init__(self, choose: Callable[[SoftBool], bool]) -> None:
        self.choose = choose
        self.mass: Tensor | None = None

    def __call__(self, condition: SoftBool) -> bool:
        decision = self.choose(condition)
        self.mass = times(self.mass, condition.p if decision else condition.q)
        return decision


class _Way:
    """Decisions as prescribed, then `True` wherever that is possible."""

    def __init__(self, prescribed: list[bool]) -> None:
        self.prescribed = prescribed
        self.decisions: list[bool] = []
        self.open: list[bool] = []  # whether the other decision is possible, too

    def choose(self, condition: SoftBool) -> bool:
        taken = len(self.decisions)
        possible, avoidable = (bool((v.detach() > 0).any()) for v in (condition.p, condition.q))
        decision = self.prescribed[taken] if taken < len(self.prescribed) else possible
        self.decisions.append(decision)
        self.open.append(possible and avoidable)
        return decision


def enumerate_paths(run: Callable[[Decider], Any], batch: Batch, *, max_paths: int, name: str, finite: bool) -> Any:
    """Σ over all ways of P(way) · result.

    Raises RelaxError if there are more than `max_paths`.
    """
    prescribed: list[bool] = []
    masses: list[Tensor] = []
    results: list[Any] = []
    while True:
        if len(results) == max_paths:
            raise RelaxError(f"{name}: more than max_paths = {max_paths} ways; use semantics='merge'")
        way = _Way(prescribed)
        decide = Decider(way.choose)
        results.append(to_result(run(decide), batch))
        masses.append(_certain(batch) if decide.mass is None else decide.mass)
        last = len(way.decisions) - 1
        while last >= 0 and not (way.decisions[last] and way.open[last]):
            last -= 1
        if last < 0:
            break
        prescribed = [*way.decisions[:last], False]
    if len(results) == 1:
        return results[0]
    return to_result(mixture(masses, [results], finite=finite)[0], batch)


def _certain(batch: Batch) -> Tensor:
    return torch.ones(batch.size, dtype=batch.dtype, device=batch.device)
