"""In which order gates run, and where their results lie.

Gates of one level are sorted by the level that reads them last, then by kind: each such part is one stretch of slots,
which are free again after that level, and each kind within it one loop.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from renderer.logic.netlist import Netlist


@dataclass(frozen=True)
class Schedule:
    """What csrc/cpu/logic_program.h reads."""

    slots: int
    runs: np.ndarray  # (runs, 4) int32: kind, first slot of the results, count, offset into a and b
    a: np.ndarray  # (gates,) int32, slots
    b: np.ndarray
    outputs: np.ndarray  # int32, slots; a group's plain ones, then its inverted ones
    group_starts: np.ndarray  # (2 groups + 1,) int32
    offsets: np.ndarray  # (groups,) int64: how many outputs are constantly true


def schedule(netlist: Netlist) -> Schedule:
    """The order and the slots of a netlist; inputs have slots 0 … inputs − 1."""
    first = 1 + netlist.inputs
    level = netlist.levels()
    last = np.zeros(netlist.nodes, np.int32)
    np.maximum.at(last, netlist.a, level[first:])
    np.maximum.at(last, netlist.b, level[first:])
    last[netlist.outputs >> 1] = level.max() + 1
    order = np.lexsort((netlist.a, netlist.kind, last[first:], level[first:]))
    key = np.stack([level[first:], last[first:], netlist.kind], 1)[order]
    bounds = _changes(key)
    parts = _changes(key[:, :2])
    starts, slots = _allocate(netlist.inputs, key, parts)
    slot = np.zeros(netlist.nodes, np.int64)
    slot[1:first] = np.arange(netlist.inputs)
    place = np.arange(len(order)) - np.repeat(parts[:-1], np.diff(parts)) + np.repeat(starts, np.diff(parts))
    slot[first + order] = place
    runs = np.stack([key[bounds[:-1], 2], place[bounds[:-1]], np.diff(bounds), bounds[:-1]], 1)
    outputs, group_starts, offsets = _outputs(netlist, slot)
    return Schedule(
        slots,
        np.ascontiguousarray(runs, np.int32),
        slot[netlist.a[order]].astype(np.int32),
        slot[netlist.b[order]].astype(np.int32),
        outputs,
        group_starts,
        offsets,
    )


def _changes(rows: np.ndarray) -> np.ndarray:
    """Where rows differ from the one before, with 0 and their number."""
    different = np.flatnonzero((rows[1:] != rows[:-1]).any(1)) + 1
    return np.concatenate([[0], different, [len(rows)]]) if len(rows) else np.zeros(1, np.int64)


def _allocate(inputs: int, key: np.ndarray, parts: np.ndarray) -> tuple[np.ndarray, int]:
    """First slot of every part, and the slots in all: first fit among the stretches that are no longer read."""
    free: list[tuple[int, int]] = []  # (first, count), in order
    used: list[tuple[int, int, int]] = []  # (last level that reads it, first, count)
    starts, slots, now = [], inputs, 0
    for begin, end in itertools.pairwise(parts):
        level, last = int(key[begin, 0]), int(key[begin, 1])
        if level != now:
            free = _join(free + [(at, n) for until, at, n in used if until < level])
            used = [part for part in used if part[0] >= level]
            now = level
        count = int(end - begin)
        fitting = next((i for i, (_, n) in enumerate(free) if n >= count), None)
        if fitting is None:
            at, slots = slots, slots + count
        else:
            at, n = free[fitting]
            free[fitting : fitting + 1] = [(at + count, n - count)] if n > count else []
        used.append((last, at, count))
        starts.append(at)
    return np.array(starts, np.int64), slots


def _join(stretches: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Adjacent stretches as one."""
    joined: list[tuple[int, int]] = []
    for at, count in sorted(stretches):
        if joined and sum(joined[-1]) == at:
            joined[-1] = (joined[-1][0], joined[-1][1] + count)
        else:
            joined.append((at, count))
    return joined


def _outputs(netlist: Netlist, slot: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Slots of the outputs by group and sign, where these begin, and the constants."""
    groups = netlist.groups or len(netlist.outputs)
    group = np.repeat(np.arange(groups), len(netlist.outputs) // groups)
    node, inverted = netlist.outputs >> 1, netlist.outputs & 1
    offsets = np.bincount(group[(node == 0) & (inverted == 1)], minlength=groups)
    varying = node > 0
    part = (2 * group + inverted)[varying]
    slots = slot[node[varying]]
    order = np.lexsort((slots, part))
    starts = np.concatenate([[0], np.cumsum(np.bincount(part, minlength=2 * groups))])
    return slots[order].astype(np.int32), starts.astype(np.int32), offsets.astype(np.int64)
