"""Text files with one row of values a line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from renderer.scene.errors import DataError


def read_rows(path: str | Path, columns: int, *, separator: str | None = None) -> list[list[str]]:
    """The values of every row, without surrounding spaces; separator None is white space. Empty lines, and lines that
    begin with |, are left out.

    Raises DataError, one line naming the file and the line, when it is missing, unreadable, or has another number of
    values.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a readable text file ({error})") from error
    rows = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("|"):
            continue
        values = [value.strip() for value in line.split(separator)]
        if len(values) != columns:
            raise DataError(f"{path}: line {number}: expected {columns} values, got {len(values)}")
        rows.append(values)
    if not rows:
        raise DataError(f"{path}: expected rows of {columns} values, got an empty file")
    return rows


def read_numbers(path: str | Path, name: str, texts: Iterable[str]) -> Tensor:
    """A column of numbers, float32; DataError naming the file and the column if one is none."""
    try:
        return torch.tensor([float(text) for text in texts], dtype=torch.float32)
    except ValueError as error:
        raise DataError(f"{path}: column {name}: expected numbers ({error})") from None


def read_categories(path: str | Path, name: str, texts: Iterable[str], values: Sequence[str]) -> Tensor:
    """A column of categories as their places in `values`, int64; DataError naming file and column for others."""
    places = {value: i for i, value in enumerate(values)}
    column = list(texts)
    numbers = [places.get(text, -1) for text in column]
    if -1 in numbers:
        raise DataError(
            f"{path}: column {name}: expected one of {', '.join(values)}, got {column[numbers.index(-1)]!r}"
        )
    return torch.from_numpy(np.array(numbers, np.int64))
