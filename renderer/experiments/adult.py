"""Adult: does a person of the US census of 1994 earn more than 50,000 dollars a year? (Becker and Kohavi, 1996)"""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from renderer.experiments.tables import read_categories, read_numbers, read_rows
from renderer.logic import OneHot, Thermometer
from renderer.scene.errors import DataError

FILES = {"train": "adult.data", "test": "adult.test"}
COLUMNS = (
    *("age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship"),
    *("race", "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country", "class"),
)
CATEGORIES = ("workclass", "marital-status", "occupation", "relationship", "race", "sex", "native-country")

# Thresholds x > t. education-num, the years, replaces the names of the degrees, which say the same; fnlwgt, the number
# of people that a row stands for, says nothing about the person. Gains and losses are 0 for nine of ten.
THRESHOLDS: dict[str, tuple[float, ...]] = {
    "age": (19, 21, 23, 25, 27, 29, 31, 33, 35, 37, 39, 41, 43, 45, 48, 51, 54, 57, 61, 65, 70),
    "education-num": tuple(range(1, 16)),
    "capital-gain": (0, 2_000, 3_000, 4_000, 5_000, 6_500, 7_000, 7_500, 10_000, 14_000, 20_000, 50_000),
    "capital-loss": (0, 1_200, 1_500, 1_600, 1_700, 1_820, 1_880, 1_950, 2_000, 2_200, 2_400, 2_600),
    "hours-per-week": (9, 15, 19, 24, 29, 34, 37, 39, 40, 42, 44, 47, 49, 54, 59, 64, 74),
}

Table = tuple[Bool[Tensor, "N bits"], Int[Tensor, " N"]]


def load_adult(folder: str | Path) -> dict[str, Table]:
    """ "train" and "test": bits of the numbers and of the categories of the training file, and the classes (1: more).

    As published results have it, rows with an unknown value ("?") are left out: 30,162 and 15,060 remain. Raises
    DataError, one line naming the file, when one is missing or not of the form expected.
    """
    rows = {split: _complete(Path(folder) / name) for split, name in FILES.items()}
    known = {name: sorted({row[COLUMNS.index(name)] for row in rows["train"]}) for name in CATEGORIES}
    return {split: _table(Path(folder) / FILES[split], table, known) for split, table in rows.items()}


def _complete(path: Path) -> list[list[str]]:
    rows = [row for row in read_rows(path, len(COLUMNS), separator=",") if "?" not in row]
    if not rows:
        raise DataError(f"{path}: expected rows without unknown values, got none")
    return rows


def _table(path: Path, rows: list[list[str]], known: dict[str, list[str]]) -> Table:
    columns = dict(zip(COLUMNS, zip(*rows, strict=True), strict=True))
    parts = [
        Thermometer(torch.tensor(thresholds, dtype=torch.float32)).discrete(
            read_numbers(path, name, columns[name]).unsqueeze(1)
        )
        for name, thresholds in THRESHOLDS.items()
    ]
    values = torch.stack([read_categories(path, name, columns[name], known[name]) for name in CATEGORIES], 1)
    parts.append(OneHot([len(known[name]) for name in CATEGORIES]).discrete(values))
    # The test file ends its classes with a full stop.
    labels = read_categories(path, "class", (label.rstrip(".") for label in columns["class"]), ("<=50K", ">50K"))
    return torch.cat(parts, 1), labels
