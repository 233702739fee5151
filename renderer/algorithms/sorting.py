"""Sorting as it is taught: bubble sort and insertion sort, as relaxed programs."""

from __future__ import annotations

from typing import Any

from renderer.relax.program import relax

DEFAULT_BETA = 8.0


@relax(beta=DEFAULT_BETA)
def bubble_sort(a: Any) -> Any:
    """The elements of `a` (B, n) in ascending order.

    Elements may also be rows, sorted by their first entry: `a` (B, n, m) is sorted as a whole by `bubble_sort_rows`.
    """
    n, swapped = len(a), True
    while swapped:
        swapped = False
        for i in range(n - 1):
            if a[i] > a[i + 1]:
                a[i], a[i + 1] = a[i + 1], a[i]
                swapped = True
        n -= 1
    return a


@relax(beta=DEFAULT_BETA)
def bubble_sort_rows(keys: Any, rows: Any) -> Any:
    """Keys (B, n) ascending, and with them rows (B, n, m); rows of the identity become a relaxed permutation."""
    n, swapped = len(keys), True
    while swapped:
        swapped = False
        for i in range(n - 1):
            if keys[i] > keys[i + 1]:
                keys[i], keys[i + 1] = keys[i + 1], keys[i]
                rows[i], rows[i + 1] = rows[i + 1], rows[i]
                swapped = True
        n -= 1
    return keys, rows


@relax(beta=DEFAULT_BETA)
def insertion_sort(a: Any) -> Any:
    """The elements of `a` (B, n) in ascending order."""
    for i in range(1, len(a)):
        for j in range(i, 0, -1):
            if a[j - 1] <= a[j]:
                break
            a[j - 1], a[j] = a[j], a[j - 1]
    return a
