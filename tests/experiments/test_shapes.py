from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from renderer.experiments.families import FAMILIES
from renderer.experiments.shapes import (
    LONGEST,
    VIEWS,
    generate_shapes,
    load_shapes,
    make_shape,
    render_views,
    surface,
    view_camera,
)
from renderer.scene import DataError, Mesh
from renderer.scene.voxels import voxelize


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_gives_one_closed_solid_that_fits(family: str) -> None:
    mesh = surface(FAMILIES[family](np.random.default_rng(1)))
    assert mesh.is_watertight
    assert mesh.num_components == 1
    low, high = mesh.bounds
    assert float((high - low).max()) == pytest.approx(LONGEST, abs=1e-5)
    assert torch.allclose(low, -high, atol=1e-5)
    assert mesh.volume.item() > 0
    assert voxelize(mesh).sum().item() / 31**3 == pytest.approx(mesh.volume.item(), rel=0.5)


def test_objects_differ_and_are_functions_of_their_seeds() -> None:
    one, same, other = (make_shape("lamp", seeds) for seeds in ((0, 1, 2), (0, 1, 2), (0, 1, 3)))
    assert np.array_equal(one[0], same[0])
    assert np.array_equal(one[1], same[1])
    assert not np.array_equal(one[1], other[1])


def test_views_go_round_as_published() -> None:
    """At 2.732 from the middle, 30° up; in their left-handed world the eye is d (cos e sin a, sin e, −cos e cos a)."""
    eyes = view_camera(torch.arange(VIEWS)).centre
    azimuth = torch.deg2rad(-15.0 * torch.arange(VIEWS))
    up = torch.deg2rad(torch.tensor(30.0))
    theirs = torch.stack([up.cos() * azimuth.sin(), up.sin().expand(VIEWS), -up.cos() * azimuth.cos()], dim=1)
    assert torch.allclose(eyes, 2.732 * theirs * torch.tensor([1.0, 1.0, -1.0]), atol=1e-5)
    top = view_camera(torch.tensor([0])).project(torch.tensor([[0.0, 0.4, 0.0]]))
    assert top[0, 0, 1] < 32


def test_pictures_show_the_mesh() -> None:
    mesh = surface(FAMILIES["bottle"](np.random.default_rng(0)))
    pictures = render_views(mesh, torch.tensor([0.5, 1.0, 0.25]))
    assert pictures.shape == (VIEWS, 64, 64, 4)
    alpha = pictures[..., 3]
    assert ((pictures[..., :3] <= alpha[..., None] + 1e-6) & (pictures[..., :3] >= 0)).all()
    assert torch.allclose(pictures[..., 0] * 2, pictures[..., 1], atol=1e-6)
    area = alpha.sum((1, 2))
    assert (area > 200).all()
    assert (area < 2500).all()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shapes") / "new"
    made = list(generate_shapes(folder, train=2, test=1, families=("lamp", "bottle")))
    assert made == [("lamp", "train"), ("lamp", "test"), ("bottle", "train"), ("bottle", "test")]
    return folder


def test_what_is_written_is_read(folder: Path) -> None:
    shapes = load_shapes(folder, "train")
    assert shapes.classes == ("bottle", "lamp")
    assert shapes.label.tolist() == [0, 0, 1, 1]
    seeds = (0, list(FAMILIES).index("lamp"), 0, 1)
    images, voxels = make_shape("lamp", seeds)
    assert np.array_equal(shapes.images[3].numpy(), images)
    assert torch.equal(shapes.voxels[3], torch.from_numpy(voxels).transpose(0, 1))
    mesh: Mesh = surface(FAMILIES["lamp"](np.random.default_rng(seeds)))
    assert torch.equal(shapes.voxels[3], voxelize(mesh))
    assert len(load_shapes(folder, "test")) == 2


def test_flat_images_are_read_too(folder: Path, tmp_path: Path) -> None:
    images = np.load(folder / "lamp_train_images.npz")["arr_0"]
    np.savez(tmp_path / "03636649_train_images.npz", images.reshape(-1, 4, 64, 64))
    np.savez(
        tmp_path / "03636649_train_voxels.npz", np.load(folder / "lamp_train_voxels.npz")["arr_0"].astype(np.float32)
    )
    shapes = load_shapes(tmp_path, "train")
    assert np.array_equal(shapes.images.numpy(), images)
    assert shapes.voxels.dtype == torch.bool


IMAGES, VOXELS = np.zeros((2, 24, 4, 64, 64), np.uint8), np.zeros((2, 32, 32, 32), bool)


@pytest.mark.parametrize(
    ("images", "voxels", "message"),
    [
        (None, VOXELS, r"expected files named CLASS_train_images\.npz, found none"),
        (IMAGES, None, r"a_train_voxels\.npz: no such file"),
        (b"PK", VOXELS, r"a_train_images\.npz: not a readable \.npz file with one array"),
        (IMAGES[..., :32], VOXELS, r"a_train_images\.npz: expected an array of shape N × 24 × 4 × 64 × 64, got"),
        (IMAGES, VOXELS[:, :16], r"a_train_voxels\.npz: expected an array of shape N × 32 × 32 × 32, got"),
        (IMAGES, VOXELS[:1], r"a_train_voxels\.npz: expected 2 objects as in a_train_images\.npz, got 1"),
        (IMAGES.astype(np.float32), VOXELS, r"a_train_images\.npz: expected uint8, got float32"),
    ],
)
def test_bad_files_get_one_line(images: Any, voxels: Any, message: str, tmp_path: Path) -> None:
    for name, content in (("images", images), ("voxels", voxels)):
        path = tmp_path / f"a_train_{name}.npz"
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content is not None:
            np.savez(path, content)
    with pytest.raises(DataError, match=message) as error:
        load_shapes(tmp_path, "train")
    assert "\n" not in str(error.value)


def test_errors_of_generating(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"bottle_test_images\.npz: exists; give another folder"):
        list(generate_shapes(folder))
    with pytest.raises(ValueError, match="train: expected at least 1 object, got 0"):
        list(generate_shapes(tmp_path, train=0))
    with pytest.raises(ValueError, match=r"families: expected some of chair, table, .*, got 'spoon'"):
        list(generate_shapes(tmp_path, families=("spoon",)))
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file: cannot be made"):
        list(generate_shapes(tmp_path / "file", train=1, test=1))
