"""Selection network: the k largest values in order, all others wherever they fall.

First every wire is split into winners and losers, as often as there are bits in n (Petersen et al., "Differentiable
Top-k Classification Learning", 2022): a wire that lost m times has 2^m − 1 others above it, so few stay in the race for
the k largest. After that, those two wires are compared whose order says most. All along it is known which wires hold at
most as much as which others; a wire with k others above it has left the race, and the network ends when the k largest
stand in a row.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

Pairs = list[tuple[int, int]]


def splitter_selection(n: int, k: int) -> Iterator[Pairs]:
    """Layers of comparators (lo, hi) after which wires n − k … n − 1 hold the k largest values, ascending."""
    below = np.eye(n, dtype=bool)  # below[x, y]: wire x holds at most what wire y holds
    found: list[Pairs] = []
    distance = 1
    while True:
        above = below.sum(1) - 1
        racing = np.flatnonzero(above < k)
        if _in_a_row(below, racing, k):
            break
        if distance < n:
            in_race = above < k
            layer = [(lo, lo ^ distance) for lo in racing.tolist() if not lo & distance and lo ^ distance < n]
            layer = [(lo, hi) for lo, hi in layer if in_race[hi]]
            distance *= 2
        else:
            layer = _most_telling(below, above, racing)
        found.append(layer)
        below = _after(below, layer)
    # The wires are renamed so that the k largest end on the last ones; which input starts on which wire is arbitrary.
    place = np.empty(n, dtype=int)
    place[np.lexsort((np.arange(n), -above))] = np.arange(n)
    yield from ([(int(place[lo]), int(place[hi])) for lo, hi in layer] for layer in found)


def _in_a_row(below: np.ndarray, racing: np.ndarray, k: int) -> bool:
    """Whether only k wires may hold one of the k largest, and these are ordered among themselves."""
    order = below[np.ix_(racing, racing)]
    return len(racing) == k and bool((order | order.T).all())


def _most_telling(below: np.ndarray, above: np.ndarray, racing: np.ndarray) -> Pairs:
    """Disjoint pairs of wires in the race: those first whose loser will have the most wires above it."""
    one, other = (racing[index] for index in np.triu_indices(len(racing), 1))
    open_ = ~(below[one, other] | below[other, one])
    one, other = one[open_], other[open_]
    led = below[np.ix_(racing, racing)].sum(0)
    leads = dict(zip(racing.tolist(), led.tolist(), strict=True))
    both_lead = np.array([leads[a] + leads[b] for a, b in zip(one.tolist(), other.tolist(), strict=True)])
    order = np.lexsort((-both_lead, abs(above[one] - above[other]), -(below[one] | below[other]).sum(1)))
    pairs: Pairs = []
    taken: set[int] = set()
    for a, b in zip(one[order].tolist(), other[order].tolist(), strict=True):
        if a not in taken and b not in taken:
            taken |= {a, b}
            pairs.append((a, b))
    return pairs


def _after(below: np.ndarray, layer: list[tuple[int, int]]) -> np.ndarray:
    """What is known after a layer, from what was known of the two wires whose minimum or maximum a wire now holds."""
    a = np.arange(len(below))
    b = a.copy()
    is_max = np.zeros(len(below), dtype=bool)
    for lo, hi in layer:
        b[lo], b[hi] = hi, lo
        is_max[hi] = True
    aa, ab, ba, bb = (below[np.ix_(x, y)] for x in (a, b) for y in (a, b))
    min_min = (aa | ba) & (ab | bb)
    max_max = (aa | ab) & (ba | bb)
    min_max = aa | ab | ba | bb
    max_min = aa & ab & ba & bb
    left, right = is_max[:, None], is_max[None, :]
    return np.where(left, np.where(right, max_max, max_min), np.where(right, min_max, min_min))
