"""Rendering hands work to the device and goes on: no operator on the way that waits for it, or copies from the host.

Seen without a GPU, by the operators that are called; a CUDA graph can capture what passes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from renderer.ops import cuda
from renderer.raster import soft_render, soft_silhouette
from renderer.relax import distribution, t_conorm
from tests.ops.test_hard_ops import ball

WAITING = {"_local_scalar_dense", "nonzero", "masked_select", "lift_fresh", "_to_copy", "equal", "is_nonzero"}


class Operators(TorchDispatchMode):
    """The names of the operators called within it."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        self.names.add(func.name().split("::")[1].split(".")[0])
        return func(*args, **(kwargs or {}))


def silhouette(vertices: torch.Tensor, faces: torch.Tensor, coverage: str) -> torch.Tensor:
    soft = distribution("gamma", scale=0.7, shape=1.5, shift=0.1)
    return soft_silhouette(
        vertices, faces, (9, 11), distribution=soft, t_conorm=t_conorm("yager", 2.0), coverage=coverage
    )


def colour(vertices: torch.Tensor, faces: torch.Tensor) -> torch.Tensor:
    soft = {"distribution": distribution("logistic", scale=0.7), "t_conorm": t_conorm("probabilistic")}
    return soft_render(vertices, faces, vertices, (9, 11), gamma=0.1, background=vertices.new_ones(3), **soft)[0]


RENDERERS = {
    "face": lambda *scene: silhouette(*scene, "face"),
    "outline": lambda *scene: silhouette(*scene, "outline"),
    "colour": colour,
}


@pytest.mark.parametrize("render", RENDERERS.values(), ids=RENDERERS)
def test_a_step_waits_for_nothing(render: Callable) -> None:
    vertices, faces = ball()
    leaf = vertices.float().requires_grad_()
    with cuda.emulated(), Operators() as seen:
        render(leaf, faces).sum().backward()
    assert not seen.names & WAITING
    assert any(name.endswith("_backward") for name in seen.names)
