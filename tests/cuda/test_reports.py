"""What kernels report, and what is refused before one runs."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch

from renderer.ops import cuda
from renderer.raster import soft_silhouette
from renderer.relax import distribution, t_conorm
from tests.logic.test_program import random_bits, random_net
from tests.ops.test_hard_ops import ball

CPU = torch.device("cpu")


def silhouette(shape: float, shift: float) -> torch.Tensor:
    vertices, faces = ball()
    parameters = torch.tensor([0.7, shape, shift, 0.0], dtype=vertices.dtype)
    settings = (9, 11, "gamma", False, 1e-6, "probabilistic")
    return torch.ops.renderer.face_coverage(vertices, faces, parameters, *settings)[0]


@pytest.mark.parametrize("use_cuda_kernels", [False, True])
@pytest.mark.parametrize(
    ("shape", "shift", "message"),
    [
        (float("nan"), 0.4, "distribution: shape must be positive and finite, got -?nan"),
        (-1.0, 0.4, "distribution: shape must be positive and finite, got -1.0"),
        (1.5, float("inf"), "distribution: shift must be finite, got inf"),
    ],
)
def test_a_bad_shape_or_shift(use_cuda_kernels: bool, shape: float, shift: float, message: str) -> None:
    """As after a step of an optimiser: no series may run on for them."""
    with cuda.emulated() if use_cuda_kernels else nullcontext(), pytest.raises(ValueError, match=message):
        silhouette(shape, shift)


def test_the_first_call_may_be_one_without_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    """The buffer of reports outlives the inference mode in which it may be made."""
    monkeypatch.setattr(cuda, "_status", {})
    monkeypatch.setattr(cuda, "_pairs", {})
    with cuda.emulated():
        with torch.inference_mode():
            silhouette(1.5, 0.4)
        for _ in range(2):
            with pytest.raises(ValueError, match="shape must be"):
                silhouette(-1.0, 0.4)
        silhouette(1.5, 0.4)


def test_tensors_on_different_devices() -> None:
    cpu, other = torch.zeros(1), torch.zeros(1, device="meta")
    cuda.check_same_device("texture", [cpu, 3, cpu])
    with pytest.raises(ValueError, match=r"^texture: expected all tensors on one device, got cpu and meta$"):
        cuda.check_same_device("texture", [cpu, 3, other])


@pytest.mark.parametrize("use_cuda_kernels", [False, True])
def test_another_default_device(use_cuda_kernels: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch.set_default_device concerns what the user makes, not the buffers of the ops."""
    monkeypatch.setattr(cuda, "_status", {})
    monkeypatch.setattr(cuda, "_pairs", {})
    vertices, faces = ball()
    bits = random_bits(70, 40)
    net = random_net()
    program = net.compile()
    soft = {"distribution": distribution("logistic", scale=0.7), "t_conorm": t_conorm("probabilistic")}

    def results() -> list[torch.Tensor]:
        image = soft_silhouette(vertices, faces, (9, 11), **soft)
        scores = torch.ops.renderer.logic_layers(
            torch.ones(1, 1, 3, dtype=torch.float64, device=CPU),
            torch.ones(1, 4, dtype=torch.float64, device=CPU),
            torch.zeros(2, 1, dtype=torch.int32, device=CPU),
            [1],
            0,
        )
        return [image, scores, program(bits)]

    expected = results()
    with torch.device("meta"), cuda.emulated() if use_cuda_kernels else nullcontext():
        found = results()
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, theirs)
