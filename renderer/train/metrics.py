"""Numbers of a training run: means over the steps between two lines of a JSONL file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from renderer.scene.errors import DataError
from renderer.train.ranks import Ranks

FILE = "metrics.jsonl"


class Averages:
    """Running means of named numbers; kept on the device, so that a step does not wait for it."""

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        self.sums: dict[str, tuple[Tensor, int]] = dict(state or {})

    def add(self, numbers: dict[str, Any], device: torch.device) -> None:
        """Count one step's numbers; each is a scalar tensor or a plain number."""
        for name, number in numbers.items():
            value = torch.as_tensor(number).detach().to(device, torch.float32)
            if value.ndim:
                raise ValueError(f"metric {name}: expected a number, got shape {tuple(value.shape)}")
            before, count = self.sums.get(name, (torch.zeros((), device=device), 0))
            self.sums[name] = (before.to(device) + value, count + 1)

    def means(self, ranks: Ranks) -> dict[str, float]:
        """The means over the processes, and over the steps since `take`."""
        return {name: float(ranks.mean(total / count)) for name, (total, count) in self.sums.items()}

    def take(self, ranks: Ranks) -> dict[str, float]:
        """As `means`, and begin anew."""
        means = self.means(ranks)
        self.sums = {}
        return means


class MetricsFile:
    """Lines of JSON, each with its step, appended as they come; optionally TensorBoard's files beside them.

    A resumed run passes the step of its checkpoint: later lines, from steps that will be done again, are taken out.
    """

    def __init__(self, folder: Path, *, after: int, tensorboard: bool = False) -> None:
        self.path = folder / FILE
        kept = [line for line in self._lines() if after and line["step"] <= after]
        partial = self.path.with_name(FILE + ".partial")
        partial.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
        os.replace(partial, self.path)
        self._board = _board(folder, after) if tensorboard else None

    def _lines(self) -> list[dict[str, Any]]:
        """What is there; a last line that a kill cut short is left out."""
        lines = []
        for text in self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else ():
            try:
                lines.append(json.loads(text))
            except json.JSONDecodeError:
                break
        return lines

    def write(self, step: int, kind: str, numbers: dict[str, float]) -> None:
        """Append one line: {"step": …, kind: {…}}."""
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, kind: numbers}) + "\n")
        if self._board is not None:
            for name, number in numbers.items():
                self._board.add_scalar(f"{kind}/{name}", number, step)

    def close(self) -> None:
        """Write what TensorBoard holds back."""
        if self._board is not None:
            self._board.close()


def _board(folder: Path, after: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise DataError("tensorboard: needs the package tensorboard: pip install tensorboard") from None
    return SummaryWriter(str(folder / "tensorboard"), purge_step=after + 1 if after else None)
