from __future__ import annotations

import math

import pytest
import torch

from renderer.scene import Mesh, cube, cylinder, grid, icosphere, torus
from renderer.scene.remesh import remesh
from renderer.tasks.scores import smallest_angles

SHAPES = {
    "icosphere": icosphere(3),
    "torus": torus(radius=0.8, tube=0.3),
    "cube": cube(),
    "cylinder": cylinder(segments=64),
    "thin torus": torus(radius=1.0, tube=0.08, segments=200, sides=5),
}


def edge_lengths(mesh: Mesh) -> torch.Tensor:
    start, end = mesh.vertices[mesh.edges].unbind(dim=1)
    return (start - end).norm(dim=1)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("edge_length", [0.07, 0.2])
def test_topology_size_and_angles(name: str, edge_length: float) -> None:
    mesh = SHAPES[name]
    if name == "thin torus" and edge_length > 0.1:
        edge_length = 0.1  # a tube 0.5 around cannot take longer edges
    result = remesh(mesh, edge_length)
    assert result.is_watertight
    assert result.is_oriented
    assert (result.genus, result.num_components) == (mesh.genus, mesh.num_components)
    assert float(result.volume) > 0
    lengths = edge_lengths(result)
    assert 0.8 < float(lengths.mean()) / edge_length < 1.1
    assert float(lengths.max()) < 2 * edge_length
    assert float(smallest_angles(result).median()) >= 44.9  # squares cut in half have 45
    assert bool(result.topology.used_vertices.all())


def test_stays_on_the_surface() -> None:
    result = remesh(icosphere(5), 0.1)
    assert float((result.vertices.norm(dim=1) - 1).abs().max()) < 1e-3
    assert math.isclose(float(result.volume), 4 / 3 * math.pi, rel_tol=0.005)


def test_is_deterministic_and_keeps_the_dtype() -> None:
    mesh = torus().to(torch.float64)
    first, second = remesh(mesh, 0.1), remesh(mesh, 0.1)
    assert first.vertices.dtype == torch.float64
    assert torch.equal(first.vertices, second.vertices)
    assert torch.equal(first.faces, second.faces)


def test_input_is_left_alone() -> None:
    mesh = icosphere(2)
    vertices, faces = mesh.vertices.clone(), mesh.faces.clone()
    remesh(mesh, 0.5)
    assert torch.equal(mesh.vertices, vertices)
    assert torch.equal(mesh.faces, faces)


def test_errors() -> None:
    with pytest.raises(ValueError, match="mesh: expected a closed surface"):
        remesh(grid(4, 4), 0.1)
    with pytest.raises(ValueError, match="edge_length: expected a positive length"):
        remesh(icosphere(1), 0.0)
    with pytest.raises(ValueError, match="iterations: expected at least 1"):
        remesh(icosphere(1), 0.1, iterations=0)
    with pytest.raises(ValueError, match="mesh: expected vertices of shape"):
        remesh(Mesh(icosphere(1).vertices[None], icosphere(1).faces), 0.1)
