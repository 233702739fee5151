"""The journal of writes into lists and arrays, by which a soft branch is undone and a soft loop remembers its rounds.

A write is an entry (list, position, value before it). Containers keep their identity, so that two names of one list see
each other's writes, as in Python.
"""

from __future__ import annotations

from typing import Any

from renderer.relax.program.array import SoftArray

Place = tuple[int, int]
Writes = dict[Place, tuple[list, int, Any]]  # by identity and position: list, position, value


class Journal:
    """Writes since the outermost soft branch or loop began; inactive outside of these."""

    def __init__(self) -> None:
        self.entries: list[tuple[list, int, Any]] = []
        self.depth = 0
        self.kept: tuple = ()

    def open(self) -> int:
        """Begins a scope and returns its mark."""
        self.depth += 1
        return len(self.entries)

    def close(self) -> None:
        self.depth -= 1
        if not self.depth:
            self.entries.clear()

    def write(self, items: list, position: int, value: Any) -> None:
        if self.depth:
            self.entries.append((items, position, items[position]))
        items[position] = value

    def current(self, mark: int) -> Writes:
        """The present values of all places written since the mark."""
        return {(id(items), i): (items, i, items[i]) for items, i, _ in self.entries[mark:]}

    def before(self, mark: int) -> Writes:
        """The values that those places had at the mark."""
        return {(id(items), i): (items, i, old) for items, i, old in reversed(self.entries[mark:])}

    def undo(self, mark: int, keep: tuple) -> Writes:
        """Takes all writes since the mark back, and returns what they had made.

        `kept` is then `keep` with copies of the containers whose writes were taken back.
        """
        self.kept = keep
        if len(self.entries) == mark:
            return {}
        made = self.current(mark)
        self.kept = captured(keep, made)
        for items, i, old in reversed(self.entries[mark:]):
            items[i] = old
        del self.entries[mark:]
        return made

    def compress(self, mark: int) -> None:
        """Keeps only the first write to every place since the mark; only while no inner scope is open."""
        if len(self.entries) - mark > 1:
            self.entries[mark:] = self.before(mark).values()


def captured(values: tuple, writes: Writes) -> tuple:
    """The values, with copies of those containers that the writes touch, which may be undone later."""
    if not writes:
        return values
    if not any(isinstance(v, CONTAINERS) for v in values):
        return values
    written = {place[0] for place in writes}
    return tuple(copy(v) if _touches(v, written) else v for v in values)


CONTAINERS = (list, tuple, SoftArray)


def copy(value: Any) -> Any:
    """A value whose lists and arrays nobody else writes to."""
    if isinstance(value, SoftArray):
        return value if value.is_whole() else SoftArray(None, value.integer, [copy(v) for v in value.items()])
    if isinstance(value, list | tuple):
        return type(value)(copy(v) for v in value)
    return value


def _touches(value: Any, written: set[int]) -> bool:
    if isinstance(value, SoftArray):
        return not value.is_whole() and _touches(value.items(), written)
    if not isinstance(value, list | tuple):
        return False
    return id(value) in written or any(_touches(v, written) for v in value)
