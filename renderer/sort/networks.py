"""Comparator networks: layers of disjoint comparators (lo, hi) that leave the smaller value on wire lo.

All networks end with ascending values and are right for every n, not only for powers of two. Sources: Knuth, The Art of
Computer Programming 3, 5.3.4; Batcher, "Sorting networks and their applications", 1968.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from renderer.sort.selection import splitter_selection

Pairs = list[tuple[int, int]]


def odd_even(n: int) -> Iterator[Pairs]:
    """Odd-even transposition: n layers of neighbours."""
    for layer in range(n):
        yield [(lo, lo + 1) for lo in range(layer % 2, n - 1, 2)]


def bitonic(n: int) -> Iterator[Pairs]:
    """Bitonic sort with all blocks ascending: the first layer of a merge compares mirror images within a block.

    Wires from n on would hold +inf all the time, so leaving them out changes nothing. In the usual form, with
    descending blocks, it does: that one fails for 22, 38, 42, ... wires.
    """
    half = 1
    while half < n:
        mirror = 2 * half - 1
        yield [(lo, lo ^ mirror) for lo in range(n) if not lo & half and lo ^ mirror < n]
        distance = half // 2
        while distance:
            yield [(lo, lo + distance) for lo in range(n - distance) if not lo & distance]
            distance //= 2
        half *= 2


def odd_even_merge(n: int) -> Iterator[Pairs]:
    """Batcher's odd-even merge sort: as many layers as bitonic, fewer comparators."""
    run = 1  # length of the sorted runs to merge
    while run < n:
        distance = run
        while distance:
            first = distance % run
            starts = (start for block in range(first, n, 2 * distance) for start in range(block, block + distance))
            yield [
                (lo, lo + distance)
                for lo in starts
                if lo + distance < n and lo // (2 * run) == (lo + distance) // (2 * run)
            ]
            distance //= 2
        run *= 2


NETWORKS: dict[str, Callable[[int], Iterator[Pairs]]] = {
    "odd_even": odd_even,
    "bitonic": bitonic,
    "odd_even_merge": odd_even_merge,
}
# These leave only the k largest values, ascending, on the last k wires.
SELECTION_NETWORKS: dict[str, Callable[[int, int], Iterator[Pairs]]] = {"splitter_selection": splitter_selection}


def check_network(name: str, n: int, k: int | None = None) -> None:
    """Raises ValueError for an unknown network, n < 1, or a k that the network needs and lacks, or has no use for."""
    if name not in NETWORKS and name not in SELECTION_NETWORKS:
        raise ValueError(f"network: expected one of {', '.join([*NETWORKS, *SELECTION_NETWORKS])}, got {name!r}")
    if n < 1:
        raise ValueError(f"n: expected at least one value to sort, got {n}")
    if name in NETWORKS and k is not None:
        raise ValueError(f"k: expected None, as {name} sorts all values, got {k}")
    if name in SELECTION_NETWORKS and k is None:
        raise ValueError(f"network: {name} leaves only the k largest values, so it serves soft_topk alone")
    if k is not None and not 1 <= k <= n:
        raise ValueError(f"k: expected 1 to {n}, got {k}")


@lru_cache(maxsize=256)
def comparators(name: str, n: int, k: int | None = None) -> tuple[tuple[tuple[int, int], ...], ...]:
    """The layers of `layers` as tuples, without empty ones; each layer in the order of its comparators' lower wires."""
    check_network(name, n, k)
    generated = NETWORKS[name](n) if k is None else SELECTION_NETWORKS[name](n, k)
    return tuple(tuple(sorted(layer, key=min)) for layer in generated if layer)


def layers(name: str, n: int, *, k: int | None = None) -> list[tuple[Tensor, Tensor]]:
    """The network's layers as index tensors (lo, hi); a comparator leaves min on wire lo and max on wire hi.

    `name` is one of "odd_even", "bitonic", "odd_even_merge", or, with `k`, "splitter_selection", after which only the
    last k wires are in order. Raises ValueError for an unknown name, n < 1, or a k out of range, missing or not taken.

    >>> [(lo.tolist(), hi.tolist()) for lo, hi in layers("odd_even", 3)]
    [([0], [1]), ([1], [2]), ([0], [1])]
    """
    pairs = [torch.tensor(layer, dtype=torch.int64) for layer in comparators(name, n, k)]
    return [(layer[:, 0], layer[:, 1]) for layer in pairs]


@dataclass(frozen=True)
class Table:
    """The comparators of a network as the kernels read them: starts, lo, hi and reach, one after the other."""

    layers: int
    count: int
    entries: Tensor  # int32: layers + 1 starts; then lo, hi, and the highest wire so far within the layer


@lru_cache(maxsize=256)
def table(name: str, n: int, k: int | None, device: str) -> Table:
    """The network of `comparators` in the memory of a device."""
    found = comparators(name, n, k)
    starts, lo, hi, reach = [0], [], [], []
    for layer in found:
        starts.append(starts[-1] + len(layer))
        highest = -1
        for a, b in layer:
            highest = max(highest, a, b)
            lo.append(a)
            hi.append(b)
            reach.append(highest)
    entries = torch.tensor([*starts, *lo, *hi, *reach], dtype=torch.int32, device=device)
    return Table(len(found), len(lo), entries)
