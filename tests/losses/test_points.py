from __future__ import annotations

import math

import pytest
import torch
import trimesh

import renderer.losses.points as points_module
from renderer.losses import chamfer, f_score, nearest, sample_surface


def clouds(*batch: int, n: int = 40, m: int = 30, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn((*batch, k, 3), generator=generator, dtype=dtype) for k in (n, m))


@pytest.mark.parametrize("search", ["tree", "chunked", "auto"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_nearest_is_the_brute_force_answer(search, dtype, monkeypatch):
    monkeypatch.setattr(points_module, "CHUNK_PAIRS", 100)  # several chunks, the last one short
    a, b = clouds(2, 3, dtype=dtype)
    expected = (a[..., :, None, :] - b[..., None, :, :]).norm(dim=-1).argmin(-1)
    assert (nearest(a, b, search=search) == expected).all()


@pytest.mark.parametrize("search", ["tree", "chunked"])
@pytest.mark.parametrize("squared", [True, False])
def test_chamfer_equals_brute_force_and_gradcheck(search, squared):
    a, b = clouds(2)
    distance = (a[:, :, None] - b[:, None]).norm(dim=-1)
    distance = distance.square() if squared else distance
    expected = distance.amin(2).mean(1) + distance.amin(1).mean(1)
    assert torch.allclose(chamfer(a, b, squared=squared, search=search, reduction="none"), expected)
    a, b = clouds(n=6, m=5)
    assert torch.autograd.gradcheck(
        lambda a, b: chamfer(a, b, squared=squared, search=search), (a.requires_grad_(), b.requires_grad_())
    )


def test_coincident_points_have_finite_gradient():
    a = torch.zeros(4, 3, requires_grad=True)
    chamfer(a, torch.zeros(3, 3), squared=False).backward()
    assert (a.grad == 0).all()


def test_far_from_the_origin_float32_still_finds_the_neighbour():
    a, b = clouds(dtype=torch.float32)
    shift = 1000.0
    a, b = a + shift, b + shift
    assert (nearest(a, b, search="chunked") == nearest(a, b, search="tree")).all()


def test_f_score():
    a = torch.tensor([[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 0]])
    b = torch.tensor([[0.05, 0, 0], [1.05, 0, 0]])
    assert f_score(a, b, 0.1).item() == pytest.approx(2 * 0.5 * 1.0 / 1.5)
    assert f_score(a, b, 0.01) == 0
    assert f_score(torch.stack([a, a]), torch.stack([b, b]), 0.1, reduction="none").shape == (2,)


def test_samples_are_uniform_by_area_and_on_the_surface():
    # two triangles of areas 1 : 3, one of zero area in front, one behind
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [10, 0, 0], [13, 0, 0], [10, 1, 0]])
    faces = torch.tensor([[0, 0, 1], [0, 1, 2], [3, 4, 5], [4, 4, 5]])
    points = sample_surface(vertices, faces, 20_000, generator=torch.Generator().manual_seed(0))
    left, right = points[points[:, 0] < 5], points[points[:, 0] > 5]
    assert len(right) / len(points) == pytest.approx(0.75, abs=0.02)
    assert left.mean(0).tolist() == pytest.approx([1 / 3, 1 / 3, 0], abs=0.02)
    assert ((left >= 0).all(1) & (left[:, :2].sum(1) <= 1 + 1e-6)).all()
    # uniform within the triangle: the quarter near the corner holds a quarter of the samples
    assert (left[:, :2].sum(1) < 0.5).double().mean().item() == pytest.approx(0.25, abs=0.02)


def test_samples_follow_the_vertices():
    mesh = trimesh.creation.icosphere(1)
    vertices = torch.tensor(mesh.vertices).requires_grad_()
    faces = torch.tensor(mesh.faces)

    def sampled(v: torch.Tensor) -> torch.Tensor:
        return sample_surface(v, faces, 3, generator=torch.Generator().manual_seed(0))

    assert torch.autograd.gradcheck(
        lambda scale: sampled(vertices.detach() * scale), torch.ones(3).double().requires_grad_()
    )
    batch = torch.stack([vertices, 2 * vertices]).detach()
    points = sample_surface(batch, faces, 100)
    assert points.shape == (2, 100, 3)
    assert (points.norm(dim=-1).amax(1) <= torch.tensor([1.0, 2.0]) + 1e-9).all()


def test_a_generator_repeats_the_samples():
    vertices, faces = torch.eye(3), torch.tensor([[0, 1, 2]])
    first, second = (sample_surface(vertices, faces, 8, generator=torch.Generator().manual_seed(3)) for _ in range(2))
    assert (first == second).all()


def test_float32_and_float64():
    for dtype in (torch.float32, torch.float64):
        a, b = clouds(dtype=dtype)
        assert chamfer(a, b).dtype == dtype
        assert sample_surface(torch.eye(3, dtype=dtype), torch.tensor([[0, 1, 2]]), 4).dtype == dtype


def test_errors():
    a, b = clouds()
    with pytest.raises(ValueError, match="second points: expected batch"):
        chamfer(a, b[None])
    with pytest.raises(ValueError, match=r"expected floating \(..., N, 3\) with N > 0, got \(0, 3\)"):
        chamfer(a, b[:0])
    with pytest.raises(ValueError, match="first points: expected finite"):
        nearest(a * math.nan, b)
    with pytest.raises(ValueError, match="search: expected"):
        nearest(a, b, search="grid")
    with pytest.raises(ValueError, match="threshold: expected a distance > 0, got 0"):
        f_score(a, b, 0.0)
    with pytest.raises(ValueError, match="count: expected at least 1, got 0"):
        sample_surface(torch.eye(3), torch.tensor([[0, 1, 2]]), 0)
    with pytest.raises(ValueError, match="positive, finite area"):
        sample_surface(torch.zeros(3, 3), torch.tensor([[0, 1, 2]]), 5)
