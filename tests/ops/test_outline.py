"""Outline coverage: exact inside, unbiased on the border, equal to its reference, right where outlines cross."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from renderer import reference
from renderer.raster import soft_silhouette
from renderer.raster.coverage import support_eps
from renderer.relax import DISTRIBUTIONS, distribution
from renderer.scene import icosphere, torus

SUPERSAMPLING = 16


def outline(
    v: torch.Tensor, f: torch.Tensor, size: tuple[int, int], scale: float = 0.5, name: str = "uniform"
) -> torch.Tensor:
    return soft_silhouette(v, f, size, distribution=distribution(name, scale=scale), coverage="outline")


def supersampled(v: torch.Tensor, f: torch.Tensor, size: tuple[int, int], k: int = SUPERSAMPLING) -> torch.Tensor:
    fine = soft_silhouette(
        v * torch.tensor([k, k, 1.0], dtype=v.dtype),
        f,
        (size[0] * k, size[1] * k),
        distribution=distribution("hard", scale=1.0),
        coverage="outline",
    )
    return fine.unflatten(1, (size[0], k)).unflatten(3, (size[1], k)).mean((2, 4))


def on_screen(mesh, size: int, *, seed: int = 0, bumps: float = 0.25) -> tuple[torch.Tensor, torch.Tensor]:
    """A smooth bumpy object, turned, in perspective."""
    v = mesh.vertices.double()
    v = v * (1 + bumps * torch.sin(4 * v[:, :1]) * torch.cos(3 * v[:, 1:2] + 1))
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    v = v @ torch.from_numpy(rotation)
    v = v / v.norm(dim=1).max()
    z = v[:, 2:] + 3
    return torch.cat([v[:, :2] / z * 1.25 * size + size / 2, z], 1)[None], mesh.faces


OBJECTS = {"bumpy sphere": lambda: icosphere(4), "torus": lambda: torus()}


@pytest.mark.parametrize("name", list(OBJECTS))
@pytest.mark.parametrize("seed", range(3))
def test_matches_supersampling_without_bias(name: str, seed: int) -> None:
    v, f = on_screen(OBJECTS[name](), 192, seed=seed)
    soft, exact = outline(v, f, (192, 192)), supersampled(v, f, (192, 192))
    boundary = (exact > 0) & (exact < 1)
    difference = (soft - exact)[boundary]
    assert boundary.sum() > 100
    assert difference.abs().mean() <= 0.03
    assert difference.mean().abs() <= 0.003


@pytest.mark.parametrize("name", list(OBJECTS))
def test_gradient_follows_supersampled_coverage(name: str) -> None:
    # Directional derivatives of sum(g * coverage) along smooth deformations, against differences of the exact area.
    size = 96
    v, f = on_screen(OBJECTS[name](), size, seed=1)
    rng = np.random.default_rng(0)
    g = torch.from_numpy(rng.normal(size=(size // 8, size // 8))).repeat_interleave(8, 0).repeat_interleave(8, 1)
    x = v.clone().requires_grad_()
    (grad,) = torch.autograd.grad((outline(x, f, (size, size)) * g).sum(), x)
    step, ours, exact = 0.25, [], []
    for _ in range(12):
        w = torch.from_numpy(rng.normal(size=(2, 3)))
        u = (v[..., :2] - size / 2) / size * 4
        direction = torch.zeros_like(v)
        direction[..., 0] = torch.sin(u @ w[0, :2] + w[0, 2])
        direction[..., 1] = torch.cos(u @ w[1, :2] + w[1, 2])
        ours.append(float((grad * direction).sum()))
        areas = [(supersampled(v + s * step * direction, f, (size, size)) * g).sum() for s in (1, -1)]
        exact.append(float(areas[0] - areas[1]) / (2 * step))
    cosine = np.dot(ours, exact) / np.linalg.norm(ours) / np.linalg.norm(exact)
    assert cosine >= 0.99


def test_interior_of_a_closed_mesh_is_exactly_one() -> None:
    v, f = on_screen(icosphere(4), 128)
    hard = outline(v, f, (128, 128), name="hard")
    for dtype in (torch.float32, torch.float64):
        for name, scale in (("uniform", 0.5), ("logistic", 0.3), ("cubic_hermite", 2.0)):
            d = distribution(name, scale=scale)
            soft = soft_silhouette(v.to(dtype), f, (128, 128), distribution=d, coverage="outline")[0]
            # Pixels deeper than the support: those whose neighbourhood of that radius is all inside.
            r = math.ceil(d.inner_support(support_eps(d, dtype))) + 1
            outside = 1 - hard[:, None]
            deep = torch.nn.functional.max_pool2d(outside, 2 * r + 1, 1, r)[0, 0] == 0
            assert deep.sum() > 500
            assert (soft[deep] == 1).all()


def test_vanishing_scale_gives_the_hard_mask() -> None:
    v, f = on_screen(torus(), 128, seed=2)
    assert torch.equal(outline(v, f, (128, 128), scale=1e-9), outline(v, f, (128, 128), name="hard"))


@pytest.mark.parametrize("name", list(DISTRIBUTIONS))
@pytest.mark.parametrize("squared", [False, True])
def test_equals_reference(name: str, squared: bool) -> None:
    # Two bodies whose outlines cross, one face behind the camera, one of no area.
    v, f = on_screen(icosphere(1), 24, seed=3)
    v = torch.cat([v, v * torch.tensor([1.0, 1, 1]) + torch.tensor([6.3, 4.1, 0]), torch.tensor([[[3.0, 3, -1]]])], 1)
    f = torch.cat([f, f + 42, torch.tensor([[0, 1, 84], [2, 2, 5]])])
    cls = DISTRIBUTIONS[name]
    leaves = [torch.tensor(s, dtype=torch.float64, requires_grad=True) for s in (1.1, 1.6, 0.3)]
    d = distribution(
        name,
        scale=leaves[0],
        shape=leaves[1] if cls.has_shape else None,
        shift=leaves[2] if cls.has_shift else 0.0,
        squared=squared,
    )
    g = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 30, 34)))
    results = []
    for run in (soft_silhouette, reference.soft_silhouette):
        x = v.clone().requires_grad_()
        out = run(x, f, (30, 34), distribution=d, coverage="outline")
        grads = torch.autograd.grad((out * g).sum(), [x, *leaves], allow_unused=True, materialize_grads=True)
        results.append([out, *grads])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-9, rtol=1e-9)
    if name != "hard":
        x = v.float().requires_grad_()
        out = soft_silhouette(x, f, (30, 34), distribution=d, coverage="outline")
        (grad,) = torch.autograd.grad((out * g.float()).sum(), x)
        torch.testing.assert_close(out.double(), results[1][0], atol=1e-4, rtol=0)
        torch.testing.assert_close(grad.double(), results[1][1], atol=1e-4 * float(results[1][1].abs().max()), rtol=0)


def test_crossing_corner_moves_with_both_edges() -> None:
    # Two bars make a plus: the pixels in its reflex corners are nearest to a crossing of two edges.
    bars = [[(2.0, 8.0), (22, 8.5), (22, 15), (2, 15.2)], [(8.2, 2.0), (15, 2), (15.3, 22), (8, 22)]]
    v = torch.tensor([[(x, y, 1.0) for bar in bars for x, y in bar]], dtype=torch.float64)
    f = torch.tensor([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]])
    d = distribution("logistic", scale=1.5)
    *_, nearest = torch.ops.renderer.outline_coverage(
        v, f, torch.tensor([1.5, 0, 0, 0], dtype=torch.float64), 24, 24, "logistic", False, 1e-6
    )
    assert (nearest[..., 2] >= 0).sum() > 20

    def run(xy):
        return soft_silhouette(torch.cat([xy, v[..., 2:]], -1), f, (24, 24), distribution=d, coverage="outline")

    assert torch.autograd.gradcheck(run, v[..., :2].clone().requires_grad_(), eps=1e-7, atol=1e-6)


def test_unwelded_faces_and_mixed_winding_make_no_inner_outline() -> None:
    v, f = on_screen(icosphere(3), 64)
    whole = outline(v, f, (64, 64), scale=3.0)
    soup = v[:, f.flatten()]
    order = torch.arange(soup.shape[1]).reshape(-1, 3)
    flipped = torch.where((order[:, :1] % 2 == 0), order, order.flip(1))
    torch.testing.assert_close(outline(soup, flipped, (64, 64), scale=3.0), whole, atol=1e-4, rtol=0)


def test_outline_beyond_the_image_border_still_counts() -> None:
    v = torch.tensor([[[-3.0, -5, 1], [9.5, -5, 1], [9.5, 20, 1], [-3, 20, 1]]], dtype=torch.float64)
    f = torch.tensor([[0, 1, 2], [0, 2, 3]])
    out = outline(v, f, (12, 8), scale=4.0)
    # The right edge lies at x = 9.5, outside the 8 columns.
    expected = ((9.5 - (torch.arange(8, dtype=torch.float64) + 0.5)) / 4 + 1).clamp(0, 2) / 2
    torch.testing.assert_close(out[0, 5], torch.minimum(expected, ((torch.arange(8) + 3.5) / 4 + 1).clamp(0, 2) / 2))


def test_empty_view() -> None:
    v = torch.tensor([[[30.0, 30, 1], [40, 30, 1], [30, 40, 1]]], requires_grad=True)
    for f in (torch.tensor([[0, 1, 2]]), torch.zeros(0, 3, dtype=torch.int64)):
        out = outline(v, f, (8, 8))
        assert (out == 0).all()
        (grad,) = torch.autograd.grad(out.sum(), v)
        assert (grad == 0).all()
