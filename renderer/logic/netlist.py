"""Networks of gates as lists, simplified while they are built.

A literal is 2 · node + inverted. Node 0 is the constant false, nodes 1 … inputs are the inputs, the others gates in an
order in which every gate comes after what it reads. Gates are and, and-not, xor and or alone: an inverted output is
left to whoever reads it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np

AND, AND_NOT, XOR, OR = range(4)
KIND_NAMES = ("and", "and not", "xor", "or")
FALSE, TRUE = 0, 1

# Kind of gate for ids 0 … 7, whose output for (0, 0) is 0; "not a and b" is "a and not b" with its inputs exchanged.
_KIND = np.array([-1, AND, AND_NOT, -1, AND_NOT, -1, XOR, OR], np.int8)
_NOT_A_AND_B = 4


@dataclass(frozen=True)
class Netlist:
    """Gates (kind, a, b) on nodes, and the literals of the outputs, `groups` equal parts of them (0: single bits)."""

    inputs: int
    kind: np.ndarray  # (gates,) int8
    a: np.ndarray  # (gates,) int32, nodes
    b: np.ndarray
    outputs: np.ndarray  # (outputs,) int64, literals
    groups: int = 0
    tau: float = 1.0
    beta: float = 0.0

    def __post_init__(self) -> None:
        own = 1 + self.inputs + np.arange(len(self.kind))
        if self.inputs < 1 or len(self.outputs) < 1:
            raise ValueError(f"netlist: expected inputs and outputs, got {self.inputs} and {len(self.outputs)}")
        if not (len(self.a) == len(self.b) == len(self.kind)):
            raise ValueError(
                f"netlist: expected equally many kind, a and b, got {len(self.kind)}, {len(self.a)}, {len(self.b)}"
            )
        for operand in (self.a, self.b):
            if len(own) and (operand.min() < 1 or (operand >= own).any()):
                raise ValueError("netlist: expected gates that read inputs or earlier gates, got others")
        if len(own) and (self.kind.min() < 0 or self.kind.max() > OR):
            raise ValueError(f"netlist: expected kinds 0 to {OR}, got {self.kind.min()} to {self.kind.max()}")
        if self.outputs.min() < 0 or self.outputs.max() >= 2 * self.nodes:
            raise ValueError(f"netlist: expected output literals below {2 * self.nodes}, got {self.outputs.max()}")
        if self.groups < 0 or (self.groups and len(self.outputs) % self.groups):
            raise ValueError(f"netlist: expected {len(self.outputs)} outputs in equal groups, got {self.groups} groups")
        if not self.tau > 0:
            raise ValueError(f"netlist: expected tau > 0, got {self.tau}")

    @property
    def nodes(self) -> int:
        """The constant, the inputs and the gates."""
        return 1 + self.inputs + len(self.kind)

    def levels(self) -> np.ndarray:
        """Level of every node: 0 for the constant and the inputs, else one more than the higher of its inputs."""
        first = 1 + self.inputs
        level = np.zeros(self.nodes, np.int32)
        while True:
            new = 1 + np.maximum(level[self.a], level[self.b])
            if np.array_equal(new, level[first:]):
                return level
            level[first:] = new

    def live(self) -> Netlist:
        """Without the gates that no output depends on."""
        first = 1 + self.inputs
        level = self.levels()
        needed = np.zeros(self.nodes, bool)
        needed[self.outputs >> 1] = True
        order = np.argsort(level[first:], kind="stable")
        bounds = np.searchsorted(level[first:][order], np.arange(1, level.max(initial=0) + 2))
        for begin, end in reversed(list(itertools.pairwise(bounds))):
            gates = order[begin:end]
            gates = gates[needed[first + gates]]
            needed[self.a[gates]] = True
            needed[self.b[gates]] = True
        kept = needed.copy()
        kept[:first] = True
        number = np.cumsum(kept) - 1
        alive = kept[first:]
        return Netlist(
            self.inputs,
            self.kind[alive],
            number[self.a[alive]].astype(np.int32),
            number[self.b[alive]].astype(np.int32),
            2 * number[self.outputs >> 1] + (self.outputs & 1),
            self.groups,
            self.tau,
            self.beta,
        )


@dataclass
class Builder:
    """Collects gates, many at a time; constants, wires, inverters and equal gates of one call leave no gate behind."""

    inputs: int
    parts: list[np.ndarray] = field(default_factory=list)  # (3, n): kind, a, b
    gates: int = 0

    def input_literals(self) -> np.ndarray:
        """(inputs,)"""
        return 2 * np.arange(1, 1 + self.inputs, dtype=np.int64)

    def add(self, ids: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Literals of gates `ids` (0 … 15) on the literals a and b, all of one shape."""
        shape = ids.shape
        ids, a, b = (x.reshape(-1).astype(np.int64) for x in (ids, a, b))
        # Inverted inputs exchange columns of the truth table.
        ids = np.where(a & 1, (ids & 12) >> 2 | (ids & 3) << 2, ids)
        ids = np.where(b & 1, (ids & 10) >> 1 | (ids & 5) << 1, ids)
        a, b = a >> 1, b >> 1
        # Inputs that are constant, or equal, leave half of it.
        ids = np.where(a == 0, (ids & 12) | (ids & 12) >> 2, ids)
        ids = np.where(b == 0, (ids & 10) | (ids & 10) >> 1, ids)
        ids = np.where(a == b, 12 * (ids >> 3) + 3 * (ids & 1), ids)
        inverted = ids >> 3
        ids = np.where(inverted, 15 - ids, ids)
        literals = np.where(ids == 3, 2 * a, np.where(ids == 5, 2 * b, 0))
        new = np.flatnonzero(_KIND[ids] >= 0)
        if len(new):
            kind = _KIND[ids[new]].astype(np.int64)
            swap = np.where(kind == AND_NOT, ids[new] == _NOT_A_AND_B, a[new] > b[new])
            left, right = np.where(swap, b[new], a[new]), np.where(swap, a[new], b[new])
            nodes = 1 + self.inputs + self.gates
            key, same = np.unique((kind * nodes + left) * nodes + right, return_inverse=True)
            self.parts.append(np.stack([key // nodes // nodes, key // nodes % nodes, key % nodes]).astype(np.int32))
            literals[new] = 2 * (nodes + same)
            self.gates += len(key)
        return (literals | inverted).reshape(shape)

    def finish(self, outputs: np.ndarray, *, groups: int = 0, tau: float = 1.0, beta: float = 0.0) -> Netlist:
        """The netlist without gates that no output depends on."""
        kind, a, b = np.concatenate([np.zeros((3, 0), np.int32), *self.parts], axis=1)
        return Netlist(self.inputs, kind.astype(np.int8), a, b, outputs.reshape(-1), groups, tau, beta).live()
