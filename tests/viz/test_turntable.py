from __future__ import annotations

import imageio.v3 as iio
import numpy as np
import pytest
import torch

from renderer.scene import Mesh, cube, icosphere
from renderer.viz.image import from_srgb, to_uint8
from renderer.viz.turntable_film import BACKGROUND, turntable, turntable_frames

EMPTY = to_uint8(from_srgb(BACKGROUND))


def frames(mesh: Mesh, **options) -> np.ndarray:
    return np.stack(list(turntable_frames(mesh, **{"frames": 4, "size": 48, **options})))


@pytest.mark.parametrize("extension", ["mp4", "gif"])
def test_film_has_its_frames(tmp_path, extension):
    path = tmp_path / f"film.{extension}"
    turntable(cube(), path=path, frames=5, size=32)
    film = iio.imread(path, plugin="pyav") if extension == "mp4" else iio.imread(path)
    assert film.shape == (5, 32, 32, 3)
    assert film.std() > 5


def test_the_mesh_fills_the_picture_without_touching_its_border():
    for picture in frames(icosphere(2)):
        covered = (np.abs(picture.astype(int) - EMPTY) > 20).any(-1)
        assert not covered[[0, -1]].any()
        assert not covered[:, [0, -1]].any()
        assert covered.sum() == pytest.approx(np.pi * (24 / 1.06) ** 2, rel=0.04)


def test_a_quarter_turn_of_a_cube_looks_the_same_and_an_eighth_does_not():
    film = frames(cube(), frames=8).astype(int)
    assert np.abs(film[0] - film[2]).max() <= 3
    assert np.abs(film[0] - film[1]).max() > 50


def test_size_and_position_do_not_matter():
    mesh = icosphere(1)
    near = frames(mesh)
    far = frames(Mesh(mesh.vertices.double() * 50 + 200, mesh.faces))
    assert np.abs(near.astype(int) - far).max() <= 6


def test_up_points_up():
    """A cone is wide at its foot, whichever world direction is up."""
    ring = torch.arange(24) * (2 * torch.pi / 24)
    rim = torch.stack([ring.cos(), ring.sin(), torch.full_like(ring, -1.0)], 1)
    vertices = torch.cat([rim, torch.tensor([[0.0, 0, 1], [0, 0, -1]])])
    index = torch.arange(24)
    side = torch.stack([index, (index + 1) % 24, torch.full_like(index, 24)], 1)
    foot = torch.stack([(index + 1) % 24, index, torch.full_like(index, 25)], 1)
    cone = Mesh(vertices, torch.cat([side, foot]))
    for up, turned in (((0, 0, 1), cone), ((0, 1, 0), Mesh(vertices[:, [1, 2, 0]], cone.faces))):
        for picture in frames(turned, up=up, frames=3, elevation=0.0):
            rows = (np.abs(picture.astype(int) - EMPTY) > 20).any(-1).sum(1)
            assert rows[36] > 2 * rows[14] > 0


def test_the_inside_of_an_open_mesh_has_another_colour():
    square = torch.tensor([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
    front, back = frames(Mesh(square, torch.tensor([[0, 1, 2], [0, 2, 3]])), frames=2, elevation=0.0)
    assert front[24, 24, 2] > front[24, 24, 0]
    assert back[24, 24, 2] < back[24, 24, 0]


def test_errors(tmp_path):
    with pytest.raises(ValueError, match=r"path: expected a name that ends in \.mp4 or \.gif, got 'film\.avi'"):
        turntable(cube(), path="film.avi")
    with pytest.raises(ValueError, match="size: expected an even number of pixels"):
        turntable(cube(), path=tmp_path / "film.mp4", size=33)
    with pytest.raises(ValueError, match="frames: expected at least 1, got 0"):
        turntable(cube(), path=tmp_path / "film.gif", frames=0)
    with pytest.raises(ValueError, match="elevation: expected degrees"):
        turntable(cube(), path=tmp_path / "film.gif", elevation=90.0)
    with pytest.raises(ValueError, match="mesh: expected one mesh"):
        turntable(Mesh(cube().vertices[None], cube().faces), path=tmp_path / "film.gif")
    assert not list(tmp_path.iterdir())
