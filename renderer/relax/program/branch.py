"""A soft `if`: both sides run, each from the values before, and what they leave is mixed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from renderer.relax.program.journal import Writes
from renderer.relax.program.mixture import Mixer, times
from renderer.relax.program.values import SoftBool

if TYPE_CHECKING:
    from renderer.relax.program.runtime import Runtime


def safe_divide(part: Tensor, total: Tensor) -> Tensor:
    """part / total, and 0 where the total is 0 and nothing depends on it."""
    some = total > 0
    return torch.where(some, part / torch.where(some, total, 1.0), 0.0)


class Branch:
    """One `if` statement under way; with a static condition it only says which side runs.

    The rewritten program calls `then`, `otherwise` and `join`, each with the values of the names that either side
    assigns. `exits` says whether a side holds a break, continue or return; then the probability that is left over on
    each side is followed, too.
    """

    __slots__ = (
        "alive",
        "before",
        "condition",
        "exits",
        "journal",
        "mark",
        "mass",
        "runtime",
        "start",
        "writes",
        "yes",
    )

    def __init__(self, runtime: Runtime, condition: bool | SoftBool, exits: bool) -> None:
        self.runtime = runtime
        self.condition = condition
        self.exits = exits
        self.journal = runtime.journal
        self.before: tuple = ()

    def then(self, *names: Any) -> bool:
        """Whether the first side runs."""
        condition = self.condition
        self.before = names
        if isinstance(condition, bool):
            return condition
        self.mark = self.journal.open()
        runtime = self.runtime
        runtime.around.append((condition, True))
        if self.exits:
            self.start = runtime.mass
            runtime.mass = times(self.start, condition.p)
        return True

    def otherwise(self, *names: Any) -> bool:
        """Whether the second side runs; keeps what the first has made."""
        condition = self.condition
        if isinstance(condition, bool):
            return not condition
        self.writes = self.journal.undo(self.mark, keep=names)
        self.yes = self.journal.kept, names
        runtime = self.runtime
        runtime.around[-1] = condition, False
        if self.exits:
            self.mass, self.alive = runtime.mass, runtime.alive
            runtime.mass, runtime.alive = times(self.start, condition.q), True
        return True

    def join(self, *names: Any) -> tuple:
        """The names after the statement."""
        condition = self.condition
        if isinstance(condition, bool):
            return names
        writes = self.journal.undo(self.mark, keep=names)
        no = self.journal.kept
        self.journal.close()
        runtime = self.runtime
        runtime.around.pop()
        if self.exits:
            share = self._surviving()
            if share is None:
                alive = self.alive
                for items, i, value in (self.writes if alive else writes).values():
                    self.journal.write(items, i, value)
                return (self.yes[1] if alive else names) if runtime.alive else self.before
            condition = share
        mixer = Mixer(condition, finite=runtime.finite, numbers=runtime.numbers)
        self._merge_writes(mixer, writes)
        kept, originals = self.yes
        return tuple(
            same if same is now else mixer.mix(a, b) for a, b, same, now in zip(kept, no, originals, names, strict=True)
        )

    def _merge_writes(self, mixer: Mixer, no: Writes) -> None:
        yes = self.writes
        for place, (items, i, value) in yes.items():
            other = no[place][2] if place in no else items[i]
            self.journal.write(items, i, mixer.mix(value, other))
        for place, (items, i, value) in no.items():
            if place not in yes:
                self.journal.write(items, i, mixer.mix(items[i], value))

    def _surviving(self) -> SoftBool | None:
        """The share of the first side in what goes on after the statement; None if at most one side does."""
        runtime, yes, no = self.runtime, self.mass, self.runtime.mass
        yes_alive, no_alive = self.alive, runtime.alive
        runtime.alive = yes_alive or no_alive
        if not (yes_alive and no_alive):
            runtime.mass = yes if yes_alive else no
            return None
        assert yes is not None
        assert no is not None
        total = yes + no
        runtime.mass = total
        return SoftBool(safe_divide(yes, total), complement=lambda: safe_divide(no, total))
