"""What the native calls of the comparator networks share."""

from __future__ import annotations

from torch import Tensor

from renderer.ops import native
from renderer.sort.networks import table

SETTINGS = "str network, int k, str relaxation, float beta, float shape, float shift, bool straight_through"


def sort_arguments(x: Tensor, settings: tuple) -> tuple:
    """The leading arguments of every native call; x (B, n) contiguous, settings as in `SETTINGS`, k 0 meaning none."""
    network, k, relaxation, beta, shape, shift, straight_through = settings
    batch, n = x.shape
    comparators = table(network, n, k or None, str(x.device))
    return (
        *(n, comparators.layers, comparators.count, comparators.entries.data_ptr()),
        *(relaxation, beta, shape, shift, straight_through, native.threads(), native.SIMD_LEVEL),
        *(x.element_size() == 8, batch, x.data_ptr()),
    )
