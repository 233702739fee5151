"""What the native calls of the comparator networks share."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from renderer.ops import cuda, native
from renderer.sort.networks import Table, table

SETTINGS = "str network, int k, str relaxation, float beta, float shape, float shift, bool straight_through"
# The CUDA kernels have scratch for this many numbers at a time, but no fewer rows than occupy a large GPU.
CUDA_SCRATCH = 2**24
CUDA_ROWS = 256


def comparators_of(x: Tensor, settings: tuple) -> Table:
    """The network in the memory of x (B, n); settings as in `SETTINGS`, k 0 meaning none."""
    network, k, *_ = settings
    return table(network, x.shape[1], k or None, str(x.device))


def sort_arguments(x: Tensor, settings: tuple) -> tuple:
    """The leading arguments of every call for the CPU; x contiguous."""
    threads = (native.threads(), native.SIMD_LEVEL)
    return *_network(x, settings), *threads, x.element_size() == 8, x.shape[0], x.data_ptr()


def launch_sort(kernel: str, x: Tensor, settings: tuple, *args: Any) -> None:
    """Calls a CUDA launcher for the rows of x, which is contiguous."""
    cuda.launch(kernel, x.device, *_network(x, settings), x.element_size() == 8, x.shape[0], *args)


def scratch_rows(x: Tensor, each: int) -> int:
    """How many rows of x (B, n) the CUDA kernels take at a time, each with so many numbers of scratch."""
    return max(1, min(x.shape[0], max(CUDA_ROWS, CUDA_SCRATCH // max(each, 1))))


def _network(x: Tensor, settings: tuple) -> tuple:
    comparators = comparators_of(x, settings)
    return x.shape[1], comparators.layers, comparators.count, comparators.entries.data_ptr(), *settings[2:]
