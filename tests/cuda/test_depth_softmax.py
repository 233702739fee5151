"""Depth softmax by the CUDA kernels, with and without textures."""

from __future__ import annotations

import pytest
import torch

from tests.cuda.compare import check_against_reference, check_deterministic
from tests.ops.test_soft_render import no_textures, scene

SIZE = (7, 19)


def arguments(distribution: str = "logistic", channels: int = 3, squared: bool = False) -> tuple:
    vertices, faces, attributes = scene(1, channels, batch=2)
    parameters = torch.tensor([1.3, 1.7 if distribution == "gamma" else 0.0, 0.0, 0.2], dtype=torch.float64)
    settings = (*SIZE, distribution, squared, 1e-6, 1e-3, 0.5, 4.0, True, [])
    return (vertices, faces, attributes, faces, parameters, *no_textures(vertices), *settings)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("distribution", "channels"), [("logistic", 3), ("gamma", 1), ("uniform", 9)])
def test_equals_the_reference(emulated: None, distribution: str, channels: int, dtype: torch.dtype) -> None:
    for squared in (False, True):
        check_against_reference("depth_softmax", arguments(distribution, channels, squared), dtype)


def test_sums_in_a_fixed_order(emulated: None) -> None:
    check_deterministic("depth_softmax", arguments(channels=5))
