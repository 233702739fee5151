"""A soft loop: its result is the sum over the rounds at which it may be left.

With the probability cₖ that the test holds in round k, p₋₁ = 1 and pₖ = pₖ₋₁ cₖ, the loop is left before round k with
probability pₖ₋₁ (1 − cₖ). Every sample stops by itself, once the probability that it goes on is at most `eps`: the test
then counts as false for it, and it takes no part in later rounds, in value or gradient.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from renderer.relax.program.branch import safe_divide
from renderer.relax.program.errors import RelaxationWarning, RelaxError
from renderer.relax.program.journal import Writes, captured
from renderer.relax.program.mixture import detach, mixture, select, times
from renderer.relax.program.values import SoftBool

if TYPE_CHECKING:
    from renderer.relax.program.runtime import Runtime


class Exit(NamedTuple):
    """A way out of a loop or of a round: its probability (None for 1), the names and the writes at that time."""

    mass: Tensor | None
    names: tuple
    kept: tuple
    writes: Writes


class Loop:
    """One `while` or `for` statement under way."""

    def __init__(self, runtime: Runtime, line: int) -> None:
        self.runtime = runtime
        self.line = line
        self.exits: list[Exit] = []  # by the test, or at the end of what a `for` runs over
        self.breaks: list[Exit] = []
        self.continues: list[Exit] = []
        self.rounds = 0
        self.closed = False
        self.stopped: Tensor | None = None  # samples that take no part any more
        self.names: tuple | None = None  # at the start of this round
        self.writes: Writes = {}
        self.mark = runtime.journal.open()
        self.returns = len(runtime.returns)
        runtime.outer.append(runtime.mass)
        runtime.mass = None

    # What the rewritten program calls, in this order.

    def go(self, test: bool | SoftBool, *names: Any) -> bool:
        """Whether another round runs; what leaves here is recorded with the names that are needed after the loop."""
        runtime = self.runtime
        if isinstance(test, SoftBool):
            test = self._limited(test, names)
            if runtime.decide is not None:
                runtime.mass = times(runtime.mass, test.p)  # of this loop: it decides when a sample stops
                return self._decided(runtime.decide(test), names)
        if isinstance(test, bool):
            return self._decided(test, names)
        before = runtime.mass
        journal = runtime.journal
        journal.compress(self.mark)
        writes = journal.current(self.mark)
        self.exits.append(Exit(times(before, test.q), names, captured(names, writes), writes))
        self._freeze_writes(writes)
        runtime.mass = times(before, test.p)
        return not self.closed

    def start(self, *names: Any) -> tuple:
        """The names with which a round starts: a stopped sample repeats its last one, without a gradient."""
        if self.stopped is not None:
            before = self.names or names
            mask = self.stopped
            names = tuple(select(mask, detach(b), n) for b, n in zip(before, names, strict=True))
        self.names = names
        return names

    def leave(self, *names: Any) -> None:
        """`break`."""
        self._record(self.breaks, names)

    def skip(self, *names: Any) -> None:
        """`continue`."""
        self._record(self.continues, names)

    def gather(self, *names: Any) -> tuple:
        """The names at the end of a round, those of every `continue` among them; closes the loop if none is left."""
        runtime = self.runtime
        if not self.continues:
            self.closed = not runtime.alive
            return names
        ways, self.continues = self.continues, []
        if runtime.alive:
            self._record(ways, names)
        names, runtime.mass = self._merge(ways, whole=False)
        runtime.alive = True
        return names

    def unbroken(self, *names: Any) -> tuple:
        """The names with which an `else` starts: those of the ways out that were no `break`."""
        runtime = self.runtime
        runtime.alive = bool(self.exits)
        if self.exits:
            ways, self.exits = self.exits, []
            names, runtime.mass = self._merge(ways, whole=False)
        return names

    def end(self, *names: Any) -> None:
        """A `for` loop ran out of elements, or an `else` came to its end."""
        if self.runtime.alive:
            self._record(self.exits, names)

    def result(self, *names: Any) -> tuple:
        """The names after the loop."""
        runtime = self.runtime
        outer = runtime.outer.pop()
        ways = self.exits + self.breaks
        if ways:
            lost = len(runtime.returns) > self.returns
            dropped = self.stopped is not None and runtime.settings.leftover == "renormalise"
            names, mass = self._merge(ways, whole=not (lost or dropped))
            runtime.alive = True
            runtime.mass = times(outer, mass) if lost and mass is not None else outer
        else:  # every way returned
            runtime.alive = False
            runtime.mass = outer
        runtime.journal.close()
        return names

    def _decided(self, test: bool, names: tuple) -> bool:
        if not test:
            self._record(self.exits, names)
            self.runtime.alive = True
        return test

    def _record(self, ways: list[Exit], names: tuple) -> None:
        runtime = self.runtime
        writes = runtime.journal.current(self.mark)
        ways.append(Exit(runtime.mass, names, captured(names, writes), writes))
        runtime.alive = False

    def _merge(self, ways: list[Exit], *, whole: bool) -> tuple[tuple, Tensor | None]:
        """Names after several ways have met, written lists brought to the same, and the probability of all of them.

        Whether the ways are the `whole` of what went in is known without looking: then that is None, for 1.
        """
        journal = self.runtime.journal
        if len(ways) == 1:
            way = ways[0]
            for items, i, value in (journal.before(self.mark) | way.writes).values():
                if items[i] is not value:
                    journal.write(items, i, value)
            return way.names, way.mass
        places = [
            (items, i, [way.writes[place][2] if place in way.writes else old for way in ways])
            for place, (items, i, old) in journal.before(self.mark).items()
        ]
        originals, kept = (list(zip(*part, strict=True)) for part in ([w.names for w in ways], [w.kept for w in ways]))
        columns = [a if all(v is a[0] for v in a) else b for a, b in zip(originals, kept, strict=True)]
        masses = [way.mass for way in ways if way.mass is not None]
        if len(masses) < len(ways):
            raise AssertionError("a way that is certain among others")
        total = None if whole else torch.stack(masses).sum(0)
        weights = masses if total is None else [safe_divide(m, total) for m in masses]
        mixed = mixture(weights, [*columns, *(column for _, _, column in places)], finite=self.runtime.finite)
        for (items, i, _), value in zip(places, mixed[len(columns) :], strict=True):
            if items[i] is not value:
                journal.write(items, i, value)
        return tuple(mixed[: len(columns)]), total

    def _limited(self, test: SoftBool, names: tuple) -> SoftBool:
        """The test, false for the samples that stop here."""
        runtime = self.runtime
        running = times(runtime.mass, test.p)
        self.rounds += 1
        if torch.compiler.is_compiling():  # what a tensor holds is not known: the loop runs to its static end
            if self.rounds <= runtime.settings.max_iter:
                return test
            self.closed, stopped = True, torch.ones_like(running, dtype=torch.bool)
        else:
            observed = running.detach()
            mask = runtime.reachable(anew=False)
            if mask is not None:  # a sample that cannot be here need not wait for its loop to end
                observed = torch.where(mask, observed, 0.0)
            eps = runtime.settings.stop_mass(running.dtype)
            smallest, largest = (float(v) for v in torch.aminmax(observed))
            if self.rounds > runtime.settings.max_iter and largest > eps:
                self._cut(observed, largest)
                stopped = torch.ones_like(observed, dtype=torch.bool)
            elif smallest > eps:
                return test
            else:
                stopped = observed <= eps
            self.closed = bool(stopped.all())
        self.stopped = stopped
        dropped = runtime.settings.leftover == "renormalise"
        return SoftBool(torch.where(stopped, 0.0, test.p), test.q if dropped else torch.where(stopped, 1.0, test.q))

    def _cut(self, observed: Tensor, largest: float) -> None:
        runtime = self.runtime
        policy = runtime.settings.leftover
        message = (
            f"{runtime.where(self.line)}: the loop still runs with probability {largest:.3g} after max_iter = "
            f"{runtime.settings.max_iter} rounds"
        )
        if policy == "raise":
            raise RelaxError(message)
        kept = "left in its last state" if policy == "last" else "dropped, and the rest renormalised"
        runtime.leftover.append(observed)
        warnings.warn(f"{message}: that is {kept}", RelaxationWarning, stacklevel=2)

    def _freeze_writes(self, writes: Writes) -> None:
        """As `start` does, for the lists that the loop writes to."""
        if self.stopped is not None and not self.closed:
            journal = self.runtime.journal
            before = journal.before(self.mark)
            for place, (items, i, value) in writes.items():
                earlier = self.writes[place][2] if place in self.writes else before[place][2]
                frozen = select(self.stopped, detach(earlier), value)
                if frozen is not value:
                    journal.write(items, i, frozen)
            writes = journal.current(self.mark)
        self.writes = writes
