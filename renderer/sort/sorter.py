"""How rows of values are sorted: by a comparator network or by a softmax, chosen by the arguments that users give."""

from __future__ import annotations

import abc
from dataclasses import dataclass

import torch
from torch import Tensor

from renderer.ops.native_function import call
from renderer.relax import Distribution
from renderer.sort.networks import check_network
from renderer.sort.neuralsort import NeuralSort
from renderer.sort.relaxations import DEFAULT_BETA, Relaxation, relaxation
from renderer.sort.softmax_sort import SoftmaxSort
from renderer.sort.softsort import SoftSort

SOFTMAX_SORTS: dict[str, SoftmaxSort] = {"softsort": SoftSort(), "neuralsort": NeuralSort()}
DEFAULT_DISTRIBUTION = "cauchy"


class Sorter(abc.ABC):
    """Everything there is to do with the matrix P of rows x (B, n): P[i, j] is the share of input i in output j."""

    @abc.abstractmethod
    def values(self, x: Tensor) -> Tensor:
        """x · P, (B, n), ascending."""

    @abc.abstractmethod
    def moved(self, x: Tensor, payload: Tensor) -> Tensor:
        """Pᵀ · payload, (B, n, d)."""

    @abc.abstractmethod
    def shared(self, x: Tensor, payload: Tensor) -> Tensor:
        """P · payload, (B, n, d)."""

    @abc.abstractmethod
    def matrix_rows(self, x: Tensor, first: int, count: int) -> Tensor:
        """Rows first … first + count − 1 of P, (B, count, n)."""


@dataclass(frozen=True)
class NetworkSorter(Sorter):
    """Through the layers of a comparator network; without P unless it is asked for."""

    network: str
    k: int
    relaxation: Relaxation
    straight_through: bool

    def values(self, x: Tensor) -> Tensor:
        """See `Sorter`."""
        return call("sort_values", x, *self._settings)[0]

    def moved(self, x: Tensor, payload: Tensor) -> Tensor:
        """See `Sorter`."""
        return call("sort_payload", x, payload, *self._settings)[0]

    def shared(self, x: Tensor, payload: Tensor) -> Tensor:
        """See `Sorter`."""
        return call("sort_transposed", x, payload, *self._settings)[0]

    def matrix_rows(self, x: Tensor, first: int, count: int) -> Tensor:
        """See `Sorter`."""
        return call("sort_matrix", x, first, count, *self._settings)[0]

    @property
    def _settings(self) -> tuple:
        r = self.relaxation
        return self.network, self.k, r.name, r.beta, r.shape, r.shift, self.straight_through


@dataclass(frozen=True)
class SoftmaxSorter(Sorter):
    """Through the matrix of a softmax sort."""

    sort: SoftmaxSort
    beta: float
    straight_through: bool

    def values(self, x: Tensor) -> Tensor:
        """See `Sorter`."""
        return torch.einsum("bi,bij->bj", x, self._matrix(x))

    def moved(self, x: Tensor, payload: Tensor) -> Tensor:
        """See `Sorter`."""
        return self._matrix(x).mT @ payload

    def shared(self, x: Tensor, payload: Tensor) -> Tensor:
        """See `Sorter`."""
        return self._matrix(x) @ payload

    def matrix_rows(self, x: Tensor, first: int, count: int) -> Tensor:
        """See `Sorter`."""
        return self._matrix(x)[:, first : first + count]

    def _matrix(self, x: Tensor) -> Tensor:
        return self.sort.matrix(x, self.beta, self.straight_through)


def sorter(
    n: int,
    network: str | SoftmaxSort,
    distribution: str | Distribution,
    beta: float | None,
    slope: float | None,
    straight_through: bool,
    *,
    k: int | None = None,
) -> Sorter:
    """The sorter that these arguments of the public functions describe, for n values.

    Raises ValueError for what `check_network` and `relaxation` refuse, and for a distribution or slope beside a softmax
    sort, which has none.
    """
    soft = SOFTMAX_SORTS.get(network) if isinstance(network, str) else network
    if soft is None:
        assert isinstance(network, str)
        if network not in SOFTMAX_SORTS:
            check_network(network, n, k)
        return NetworkSorter(network, k or 0, relaxation(distribution, beta=beta, slope=slope), straight_through)
    if distribution != DEFAULT_DISTRIBUTION:
        raise ValueError(
            f"distribution: expected none beside {type(soft).__name__}, whose softmax relaxes, got {distribution!r}"
        )
    if slope is not None:
        raise ValueError(f"slope: expected None beside {type(soft).__name__}: give beta = 1/temperature, got {slope}")
    checked = relaxation(DEFAULT_DISTRIBUTION, beta=DEFAULT_BETA if beta is None else beta)
    return SoftmaxSorter(soft, checked.beta, straight_through)
