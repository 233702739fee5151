from __future__ import annotations

import builtins
import sys

import pytest
import torch

from renderer.losses.mesh import laplacian_matrix
from renderer.scene import Mesh, icosphere, torus
from renderer.train import LargeSteps

METHODS = ["cholesky", "cg"]


@pytest.fixture
def mesh() -> Mesh:
    return torus(segments=24, sides=12).to(torch.float64)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("stiffness", [0.0, 2.0, 500.0])
def test_there_and_back(mesh: Mesh, method: str, stiffness: float) -> None:
    steps = LargeSteps(mesh, stiffness=stiffness, method=method)
    back = steps.to_vertices(steps.to_latent(mesh.vertices))
    assert torch.allclose(back, mesh.vertices, atol=1e-8)


@pytest.mark.parametrize("method", METHODS)
def test_value_and_gradient_equal_a_dense_solve(mesh: Mesh, method: str) -> None:
    steps = LargeSteps(mesh, stiffness=3.0, method=method)
    latent = torch.randn(mesh.vertices.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    dense = torch.eye(mesh.num_vertices) + 3.0 * laplacian_matrix(mesh.vertices, mesh.faces).to_dense()
    weight = torch.randn_like(latent)
    ours, theirs = latent.clone().requires_grad_(), latent.clone().requires_grad_()
    value, expected = steps.to_vertices(ours), torch.linalg.solve(dense, theirs)
    assert torch.allclose(value, expected, atol=1e-8)
    (value * weight).sum().backward()
    (expected * weight).sum().backward()
    assert torch.allclose(ours.grad, theirs.grad, atol=1e-8)


@pytest.mark.parametrize("method", METHODS)
def test_gradcheck(method: str) -> None:
    steps = LargeSteps(icosphere(0).to(torch.float64), stiffness=1.0, method=method)
    latent = torch.randn(12, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(steps.to_vertices, latent)


def test_float32_stays_float32() -> None:
    mesh = icosphere(2)
    steps = LargeSteps(mesh, stiffness=10.0)
    assert steps.to_latent(mesh.vertices).dtype == torch.float32
    assert steps.to_vertices(mesh.vertices).dtype == torch.float32


def test_second_derivative_is_refused(mesh: Mesh) -> None:
    steps = LargeSteps(mesh, stiffness=1.0)
    latent = mesh.vertices.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(steps.to_vertices(latent).square().sum(), latent, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_without_cholespy(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *args, **kwargs):
        if name == "cholespy":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "cholespy", raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)
    steps = LargeSteps(mesh, stiffness=2.0)
    assert torch.allclose(steps.to_vertices(steps.to_latent(mesh.vertices)), mesh.vertices, atol=1e-8)
    with pytest.raises(ImportError, match="needs the package cholespy"):
        LargeSteps(mesh, stiffness=2.0, method="cholesky")


def test_errors(mesh: Mesh) -> None:
    with pytest.raises(ValueError, match="stiffness: expected a number >= 0"):
        LargeSteps(mesh, stiffness=-1.0)
    with pytest.raises(ValueError, match="method: expected"):
        LargeSteps(mesh, stiffness=1.0, method="lu")  # type: ignore[arg-type]
