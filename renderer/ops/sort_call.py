"""What the native calls of the comparator networks share."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from renderer.ops import cuda, native
from renderer.sort.networks import Table, table

SETTINGS = "str network, int k, str relaxation, float beta, float shape, float shift, bool straight_through"
# Rows that the CUDA kernels have scratch for at a time.
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


def scratch(x: Tensor, rows: int, kernel: str, *sizes: int) -> Tensor:
    """As much as `<kernel>_scratch` says that each of the rows needs, on the device of x."""
    return x.new_empty(rows, cuda.query(f"{kernel}_scratch", x.device, *sizes))


def _network(x: Tensor, settings: tuple) -> tuple:
    comparators = comparators_of(x, settings)
    return x.shape[1], comparators.layers, comparators.count, comparators.entries.data_ptr(), *settings[2:]
