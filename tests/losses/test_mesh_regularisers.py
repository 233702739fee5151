from __future__ import annotations

import math

import pytest
import torch
import trimesh

from renderer.losses import edge_length, flatten, laplacian, laplacian_matrix, normal_consistency, volume
from renderer.losses.edges import interior_edges
from renderer.scene.topology import Topology

REGULARISERS = {
    "laplacian": laplacian,
    "laplacian_cotangent": lambda v, f, **options: laplacian(v, f, weights="cotangent", **options),
    "edge_length": edge_length,
    "edge_length_target": lambda v, f, **options: edge_length(v, f, target=0.3, **options),
    "normal_consistency": normal_consistency,
    "flatten": flatten,
    "volume": volume,
}
TETRAHEDRON = torch.tensor([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]])
SQUARE = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], dtype=torch.float64)
SQUARE_FACES = torch.tensor([[0, 1, 2], [0, 2, 3]])

every = pytest.mark.parametrize("loss", REGULARISERS.values(), ids=REGULARISERS)


def sphere(level: int = 1, noise: float = 0.1, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    mesh = trimesh.creation.icosphere(level)
    vertices = torch.tensor(mesh.vertices, dtype=dtype)
    bumps = torch.randn(vertices.shape, generator=torch.Generator().manual_seed(0), dtype=dtype)
    return vertices + noise * bumps, torch.tensor(mesh.faces)


def hinge(angle: float) -> torch.Tensor:
    """Two unit right triangles that share the edge 0–1 and meet at a dihedral angle (π is flat)."""
    return torch.tensor([[0, 0, 0], [0, 0, 1.0], [1, 0, 0], [math.cos(angle), math.sin(angle), 0]], dtype=torch.float64)


HINGE_FACES = torch.tensor([[0, 1, 2], [1, 0, 3]])


@every
def test_gradcheck(loss):
    vertices, faces = sphere(0)
    assert torch.autograd.gradcheck(lambda v: loss(v, faces), vertices.requires_grad_())
    assert torch.autograd.gradgradcheck(lambda v: loss(v, faces), vertices)


@every
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_batches_and_reductions(loss, dtype):
    vertices, faces = sphere(dtype=dtype)
    batch = torch.stack([vertices, 2 * vertices, vertices.flip(-1), vertices + 1, -vertices, 0.5 * vertices])
    each = loss(batch.reshape(2, 3, -1, 3), faces, reduction="none")
    assert each.shape == (2, 3)
    assert each.dtype == dtype
    for one, value in zip(batch, each.flatten(), strict=True):
        assert torch.allclose(loss(one, faces), value, rtol=1e-4 if dtype == torch.float32 else 1e-12)
    assert torch.allclose(loss(batch, faces), each.mean())
    assert torch.allclose(loss(batch, faces, reduction="sum"), each.sum())


@every
def test_vmap_equals_batch(loss):
    vertices, faces = sphere(0)
    batch = torch.stack([vertices, 2 * vertices])
    values = torch.func.vmap(lambda v: loss(v, faces))(batch)
    assert torch.allclose(values, loss(batch, faces, reduction="none"))


@every
def test_independent_of_the_order_of_faces_and_corners(loss):
    vertices, faces = sphere(dtype=torch.float64)
    shuffled = faces[torch.randperm(len(faces), generator=torch.Generator().manual_seed(0))].roll(1, 1)
    assert torch.allclose(loss(vertices, faces), loss(vertices, shuffled), rtol=1e-12)


@every
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_degenerate_faces_are_finite_in_value_and_gradient(loss, dtype):
    vertices = torch.tensor(
        [[0, 0, 0], [1, 0, 0], [2, 0, 0], [0.3, 1, 0], [1, 0, 0], [0.5, 1e-30, 0], [5, 5, 5]], dtype=dtype
    ).requires_grad_()
    # collinear, two coincident vertices, a repeated index, a needle below rounding, good ones, vertex 6 unused
    faces = torch.tensor([[0, 1, 2], [1, 4, 3], [1, 1, 3], [0, 1, 5], [0, 3, 1], [1, 3, 2]])
    value = loss(vertices, faces)
    value.backward()
    assert value.isfinite()
    assert vertices.grad.isfinite().all()


@every
def test_tiny_and_huge_meshes_keep_float32_finite(loss):
    vertices, faces = sphere(dtype=torch.float32)
    for size in (1e-8, 1e6):
        scaled = (size * vertices).requires_grad_()
        value = loss(scaled, faces)
        value.backward()
        assert value.isfinite()
        assert scaled.grad.isfinite().all()


def test_uniform_laplacian_of_a_tetrahedron():
    vertices = torch.tensor([[0, 0, 0], [3, 0, 0], [0, 3, 0], [0, 0, 3.0]])
    mean_of_others = (vertices.sum(0) - vertices) / 3
    expected = (vertices - mean_of_others).square().sum()
    assert torch.allclose(laplacian(vertices, TETRAHEDRON), expected)
    assert torch.allclose(laplacian(vertices, TETRAHEDRON, terms="mean"), expected / 4)


@pytest.mark.parametrize("weights", ["uniform", "cotangent"])
def test_laplacian_matrix_agrees_with_the_loss(weights):
    vertices, faces = sphere()
    matrix = laplacian_matrix(vertices, faces, weights=weights)
    assert matrix.is_sparse
    assert matrix.is_coalesced()
    dense = matrix.to_dense()
    assert torch.allclose(dense, dense.T)
    assert dense.sum(0).abs().max() < 1e-12
    assert torch.linalg.eigvalsh(dense).min() > -1e-10
    degree = dense.diagonal()[:, None] if weights == "uniform" else 1.0
    assert torch.allclose(laplacian(vertices, faces, weights=weights), (dense @ vertices / degree).square().sum())


def test_cotangent_laplacian_is_the_area_gradient_and_its_matrix_is_differentiable():
    vertices, faces = sphere(0)
    leaf = vertices.clone().requires_grad_()
    a, b, c = leaf[faces].unbind(1)
    torch.linalg.cross(b - a, c - a).norm(dim=-1).sum().div(2).backward()
    assert torch.allclose(laplacian_matrix(vertices, faces, weights="cotangent") @ vertices, leaf.grad)
    assert torch.autograd.gradcheck(
        lambda v: laplacian_matrix(v, faces, weights="cotangent").to_dense(), leaf.detach().requires_grad_()
    )


def test_cotangent_laplacian_vanishes_inside_any_flat_triangulation():
    vertices = torch.cat([SQUARE, torch.tensor([[0.2, 0.7, 0]], dtype=torch.float64)])
    faces = torch.tensor([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]])
    residual = laplacian_matrix(vertices, faces, weights="cotangent").to_dense()[4] @ vertices
    assert residual.norm() < 1e-12


def test_laplacian_matrix_ignores_degenerate_faces():
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]])
    assert (laplacian_matrix(vertices, torch.tensor([[0, 1, 2]]), weights="cotangent").to_dense() == 0).all()


@pytest.mark.parametrize("angle", [math.pi, 0.75 * math.pi, math.pi / 2, 0.1])
def test_bending_terms_of_a_hinge(angle):
    vertices = hinge(angle)
    assert flatten(vertices, HINGE_FACES).item() == pytest.approx((math.cos(angle) + 1) ** 2, abs=1e-15)
    assert normal_consistency(vertices, HINGE_FACES).item() == pytest.approx(1 + math.cos(angle), abs=1e-15)
    # the winding of the second face does not matter
    flipped = torch.tensor([[0, 1, 2], [0, 1, 3]])
    assert torch.allclose(flatten(vertices, flipped), flatten(vertices, HINGE_FACES))


def test_flatten_keeps_precision_where_nearly_flat():
    bend = 1e-3
    value = flatten(hinge(math.pi - bend).float(), HINGE_FACES).item()
    assert value == pytest.approx((2 * math.sin(bend / 2) ** 2) ** 2, rel=1e-3)


def test_open_meshes_have_only_interior_terms():
    assert interior_edges(SQUARE_FACES).tolist() == [[0, 2, 3, 1]]
    single = torch.tensor([[0, 1, 2]])
    for terms in ("sum", "mean"):
        assert flatten(SQUARE, single, terms=terms) == 0
        assert normal_consistency(SQUARE, single, terms=terms) == 0


def test_an_edge_with_three_faces_gives_every_pair():
    fan = torch.tensor([[0, 1, 2], [0, 1, 3], [0, 1, 4]])
    pairs = interior_edges(fan)
    assert sorted(tuple(sorted(pair[2:])) for pair in pairs.tolist()) == [(2, 3), (2, 4), (3, 4)]


def test_closed_mesh_counts_every_edge():
    _, faces = sphere(2)
    assert len(interior_edges(faces)) == len(Topology(faces, 162).edges) == 3 * len(faces) // 2


def test_known_edges_save_finding_them():
    vertices, faces = sphere()
    edges, pairs = Topology(faces, len(vertices)).edges, interior_edges(faces)
    assert laplacian(vertices, faces, edges=edges) == laplacian(vertices, faces)
    assert edge_length(vertices, faces, edges=edges) == edge_length(vertices, faces)
    assert flatten(vertices, faces, pairs=pairs) == flatten(vertices, faces)
    assert normal_consistency(vertices, faces, pairs=pairs) == normal_consistency(vertices, faces)


def test_compile_fullgraph_with_known_edges():
    vertices, faces = sphere()
    edges, pairs = Topology(faces, len(vertices)).edges, interior_edges(faces)
    for loss in (
        lambda v: laplacian(v, faces, edges=edges),
        lambda v: laplacian(v, faces, weights="cotangent"),
        lambda v: edge_length(v, faces, edges=edges),
        lambda v: flatten(v, faces, pairs=pairs),
        lambda v: normal_consistency(v, faces, pairs=pairs),
        lambda v: volume(v, faces),
    ):
        compiled = torch.compile(loss, fullgraph=True, backend="eager")
        assert torch.allclose(compiled(vertices), loss(vertices))


def test_edge_length():
    assert edge_length(SQUARE, SQUARE_FACES).item() == pytest.approx(4 + 2)
    assert edge_length(SQUARE, SQUARE_FACES, target=1.0).item() == pytest.approx((math.sqrt(2) - 1) ** 2)
    assert edge_length(SQUARE, SQUARE_FACES, terms="mean").item() == pytest.approx(6 / 5)


def test_volume_is_signed_and_independent_of_position():
    mesh = trimesh.creation.box((2.0, 3.0, 4.0))
    vertices, faces = torch.tensor(mesh.vertices), torch.tensor(mesh.faces)
    assert volume(vertices, faces).item() == pytest.approx(24)
    assert volume(vertices, faces.flip(1)).item() == pytest.approx(-24)
    assert volume((vertices + 1000).float(), faces).item() == pytest.approx(24, rel=1e-4)


@every
def test_errors_name_the_argument(loss):
    vertices, faces = sphere(0)
    with pytest.raises(ValueError, match=r"vertices: expected floating \(..., V, 3\), got \(12, 2\)"):
        loss(vertices[:, :2], faces)
    with pytest.raises(ValueError, match="vertices: expected floating"):
        loss(vertices.long(), faces)
    with pytest.raises(ValueError, match=r"faces: expected int64 \(F, 3\) with F > 0, got \(0, 3\)"):
        loss(vertices, faces[:0])
    with pytest.raises(ValueError, match="faces: expected int64"):
        loss(vertices, faces.double())
    with pytest.raises(ValueError, match="reduction: expected"):
        loss(vertices, faces, reduction="max")


def test_option_errors():
    vertices, faces = sphere(0)
    with pytest.raises(ValueError, match="weights: expected 'uniform' or 'cotangent', got 'tan'"):
        laplacian(vertices, faces, weights="tan")
    with pytest.raises(ValueError, match="weights: expected"):
        laplacian_matrix(vertices, faces, weights="tan")
    with pytest.raises(ValueError, match="vertices: expected one mesh"):
        laplacian_matrix(vertices[None], faces)
    with pytest.raises(ValueError, match="terms: expected 'sum' or 'mean', got 'max'"):
        flatten(vertices, faces, terms="max")
    with pytest.raises(ValueError, match="target: expected a length >= 0"):
        edge_length(vertices, faces, target=-1.0)
