"""Randomness as a function of seed and step."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def seed_all(*numbers: int) -> None:
    """Seed the global generators of Python, NumPy and torch by some whole numbers, mixed so that none are alike."""
    mixed = np.random.SeedSequence([number % 2**64 for number in numbers]).generate_state(2, np.uint32)
    random.seed(int(mixed[0]))
    np.random.seed(mixed)  # noqa: NPY002  (the experiment's libraries may use it)
    torch.manual_seed(int(mixed[0]) << 31 | int(mixed[1]) >> 1)


@contextmanager
def own_randomness(device: torch.device) -> Iterator[None]:
    """Leave the caller's generators as they were, those of the CPU and of `device`."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002
