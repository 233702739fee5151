"""A library of relaxed algorithms: plain programs under `relax`, and dynamic programs in vector form."""

from renderer.algorithms.alignment import dtw, edit_distance, lcs
from renderer.algorithms.clustering import kmeans_assign
from renderer.algorithms.graphs import dijkstra, floyd_warshall, grid_weights
from renderer.algorithms.knapsack import knapsack
from renderer.algorithms.search import binary_search
from renderer.algorithms.shortest_path import bellman_ford, path_probability, shortest_path
from renderer.algorithms.silhouette import covered
from renderer.algorithms.sorting import bubble_sort, bubble_sort_rows, insertion_sort

__all__ = [
    "bellman_ford",
    "binary_search",
    "bubble_sort",
    "bubble_sort_rows",
    "covered",
    "dijkstra",
    "dtw",
    "edit_distance",
    "floyd_warshall",
    "grid_weights",
    "insertion_sort",
    "kmeans_assign",
    "knapsack",
    "lcs",
    "path_probability",
    "shortest_path",
]
