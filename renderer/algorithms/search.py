"""Binary search, as a relaxed program."""

from __future__ import annotations

from typing import Any

from renderer.relax.program import relax


@relax(beta=8.0)
def binary_search(a: Any, x: Any) -> Any:
    """How many elements of the ascending `a` (B, n) are less than `x` (B,): where it is to be inserted."""
    low, high = 0, len(a)
    while low < high:
        middle = (low + high) // 2
        if a[middle] < x:
            low = middle + 1
        else:
            high = middle
    return low
