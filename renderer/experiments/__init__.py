"""Training experiments, one a file; `renderer train` offers every one that is registered here."""

from __future__ import annotations

from typing import Any

from renderer.experiments.bubble_sort import BubbleSort
from renderer.experiments.digits import Digits
from renderer.experiments.edit_distance import EditDistance
from renderer.experiments.logic import Logic
from renderer.experiments.ranking import Ranking
from renderer.experiments.shortest_path import ShortestPath
from renderer.experiments.single_view import SingleView
from renderer.experiments.top_k import TopK

# Name on the command line -> frozen dataclass of settings that is a `renderer.train.experiment.Experiment`, with the
# usual number of `steps` among its fields.
EXPERIMENTS: dict[str, type[Any]] = {
    "bubble-sort": BubbleSort,
    "digits": Digits,
    "edit-distance": EditDistance,
    "ranking": Ranking,
    "single-view": SingleView,
    "top-k": TopK,
    "logic": Logic,
    "shortest-path": ShortestPath,
}
