"""Checkpoints that a kill at any moment cannot spoil."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from renderer.scene.errors import DataError


def save_checkpoint(path: str | Path, state: dict[str, Any]) -> None:
    """Write tensors and plain values, whole or not at all: to a file beside `path`, synced, then moved over it.

    >>> save_checkpoint("run/checkpoint.pt", {"step": 3, "latent": latent})
    """
    path = Path(path)
    partial = path.with_name(path.name + ".partial")
    with open(partial, "wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read what `save_checkpoint` wrote; only tensors and plain values are accepted, no code is run.

    Raises DataError naming the file when it is missing or damaged.

    >>> load_checkpoint("run/checkpoint.pt")["step"]
    3
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can fail anywhere inside the unpickler
        raise DataError(f"{path}: not a readable checkpoint ({type(error).__name__})") from error
    if not isinstance(state, dict):
        raise DataError(f"{path}: expected a checkpoint, got a saved {type(state).__name__}")
    return state
