"""Breast cancer recurrence: nine categories of 286 patients (Ljubljana Oncology Institute, Zwitter, Soklic, 1988)."""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from renderer.experiments.tables import read_categories, read_rows
from renderer.logic import OneHot

FILE = "breast-cancer.data"
CLASSES = ("no-recurrence-events", "recurrence-events")


def _ranges(width: int, count: int) -> list[str]:
    return [f"{width * i}-{width * i + width - 1}" for i in range(count)]


# Attributes and their values; "?" stands for an unknown one.
ATTRIBUTES: dict[str, list[str]] = {
    "age": [f"{10 * i}-{10 * i + 9}" for i in range(1, 10)],
    "menopause": ["lt40", "ge40", "premeno"],
    "tumor-size": _ranges(5, 12),
    "inv-nodes": _ranges(3, 13),
    "node-caps": ["yes", "no", "?"],
    "deg-malig": ["1", "2", "3"],
    "breast": ["left", "right"],
    "breast-quad": ["left_up", "left_low", "right_up", "right_low", "central", "?"],
    "irradiat": ["yes", "no"],
}


def load_breast_cancer(folder: str | Path) -> tuple[Bool[Tensor, "N 53"], Int[Tensor, " N"]]:
    """One bit a value of each attribute, and the classes (1: recurrence), of all patients.

    Raises DataError, one line naming the file, when it is missing or not of the form expected.
    """
    path = Path(folder) / FILE
    rows = list(zip(*read_rows(path, 1 + len(ATTRIBUTES), separator=","), strict=True))
    labels = read_categories(path, "class", rows[0], CLASSES)
    columns = [
        read_categories(path, name, column, values)
        for (name, values), column in zip(ATTRIBUTES.items(), rows[1:], strict=True)
    ]
    return OneHot([len(values) for values in ATTRIBUTES.values()]).discrete(torch.stack(columns, 1)), labels
