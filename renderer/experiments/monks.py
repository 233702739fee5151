"""The MONK's problems: three rules over six categories of robots.

Thrun et al., "The MONK's Problems: A Performance Comparison of Different Learning Algorithms", 1991.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from renderer.experiments.tables import read_categories, read_rows
from renderer.logic import OneHot

SIZES = (3, 3, 2, 3, 4, 2)  # values of each attribute, counted from 1


def load_monks(
    folder: str | Path, problem: int, split: Literal["train", "test"]
) -> tuple[Bool[Tensor, "N 17"], Int[Tensor, " N"]]:
    """One bit a value of each attribute, and the classes 0 and 1, from monks-<problem>.<split>.

    Raises DataError, one line naming the file, when it is missing or not of the form expected.
    """
    if problem not in (1, 2, 3) or split not in ("train", "test"):
        raise ValueError(f"problem, split: expected 1, 2 or 3 and 'train' or 'test', got {problem} and {split!r}")
    path = Path(folder) / f"monks-{problem}.{split}"
    rows = list(zip(*read_rows(path, 8), strict=True))
    labels = read_categories(path, "class", rows[0], ("0", "1"))
    columns = [
        read_categories(path, f"a{i + 1}", rows[1 + i], [str(1 + value) for value in range(size)])
        for i, size in enumerate(SIZES)
    ]
    return OneHot(SIZES).discrete(torch.stack(columns, 1)), labels
