"""Differentiable sorting, ranking and top-k: comparator networks whose comparators are relaxed.

    soft_sort(x)                      # ascending values
    soft_permutation(x)               # P[i, j]: the share of input i in output j
    soft_rank(x), soft_topk(x, 5)     # without P
    apply_permutation(x, payload)     # the payload in the order of x

Importing `networks` and `relaxations` first lets `renderer.ops`, which reads them, be imported from here.
"""

from renderer.sort.networks import NETWORKS, SELECTION_NETWORKS, layers
from renderer.sort.relaxations import RELAXATIONS

from renderer.sort.argsort import soft_argsort  # isort: skip
from renderer.sort.neuralsort import NeuralSort
from renderer.sort.payload import apply_permutation
from renderer.sort.permutation import soft_permutation
from renderer.sort.rank import soft_rank
from renderer.sort.softsort import SoftSort
from renderer.sort.topk import TopK, soft_topk
from renderer.sort.values import soft_sort

__all__ = [
    "NETWORKS",
    "RELAXATIONS",
    "SELECTION_NETWORKS",
    "NeuralSort",
    "SoftSort",
    "TopK",
    "apply_permutation",
    "layers",
    "soft_argsort",
    "soft_permutation",
    "soft_rank",
    "soft_sort",
    "soft_topk",
]
