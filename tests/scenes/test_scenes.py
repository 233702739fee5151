"""The embedded scenes: complete, consistent with their own meshes, and small."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import NamedTuple

import imageio.v3 as imageio
import numpy as np
import pytest
import trimesh
from numpy.typing import NDArray

SCENES = Path(__file__).parents[2] / "scenes"
GENUS = {"creature": 0, "teapot": 1, "plant": 0, "pumice": 0}
VIEWS = {"train": 24, "test": 8}
SIZE = 256


class View(NamedTuple):
    """One view: its image (H, W, 4) and its camera (OpenGL axes)."""

    image: NDArray[np.uint8]
    camera_to_world: NDArray[np.float64]
    focal: float


@pytest.fixture(scope="module", params=sorted(GENUS))
def scene(request: pytest.FixtureRequest) -> Path:
    return SCENES / str(request.param)


@pytest.fixture(scope="module")
def mesh(scene: Path) -> trimesh.Trimesh:
    return trimesh.load_mesh(scene / "mesh.ply", process=False)


@pytest.fixture(scope="module")
def views(scene: Path) -> dict[str, list[View]]:
    found = {}
    for split in VIEWS:
        data = json.loads((scene / f"transforms_{split}.json").read_text())
        focal = 0.5 * SIZE / math.tan(0.5 * data["camera_angle_x"])
        found[split] = [
            View(imageio.imread(scene / f"{f['file_path']}.png"), np.array(f["transform_matrix"]), focal)
            for f in data["frames"]
        ]
    return found


def project(view: View, points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Pixel x, pixel y and depth (N, 3) of world points (N, 3)."""
    camera = (points - view.camera_to_world[:3, 3]) @ view.camera_to_world[:3, :3]
    depth = -camera[:, 2]
    x = 0.5 * SIZE + view.focal * camera[:, 0] / depth
    y = 0.5 * SIZE - view.focal * camera[:, 1] / depth
    return np.stack([x, y, depth], 1)


def hard_mask(view: View, mesh: trimesh.Trimesh, supersampling: int = 1) -> NDArray[np.floating]:
    """Share of the samples of each pixel (H, W) that lie in some projected triangle."""
    size = SIZE * supersampling
    corners = project(view, mesh.vertices)[mesh.faces][:, :, :2] * supersampling
    first = np.ceil(corners.min(1) - 0.5).astype(int)
    reach = np.floor(corners.max(1) - 0.5).astype(int) - first
    mask = np.zeros((size, size), bool)
    dy, dx = (v.reshape(-1, 1) for v in np.mgrid[: reach[:, 1].max() + 1, : reach[:, 0].max() + 1])
    a, b, c = corners.transpose(1, 2, 0)
    x, y = first[:, 0] + dx, first[:, 1] + dy

    def side(p: NDArray[np.floating], q: NDArray[np.floating]) -> NDArray[np.floating]:
        return (q[0] - p[0]) * (y + 0.5 - p[1]) - (q[1] - p[1]) * (x + 0.5 - p[0])

    u, v, w = side(a, b), side(b, c), side(c, a)
    inside = ((u >= 0) & (v >= 0) & (w >= 0)) | ((u <= 0) & (v <= 0) & (w <= 0))
    mask[y[inside], x[inside]] = True
    return mask.reshape(SIZE, supersampling, SIZE, supersampling).mean((1, 3))


def dilate(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask grown by one pixel in all eight directions."""
    padded = np.pad(mask, 1)
    height, width = mask.shape
    return np.logical_or.reduce([padded[i : i + height, j : j + width] for i in range(3) for j in range(3)])


def test_all_scenes_are_small() -> None:
    assert sorted(path.name for path in SCENES.iterdir() if (path / "mesh.ply").exists()) == sorted(GENUS)
    files = [path for path in SCENES.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(path.stat().st_size for path in files) < 8e6


def test_files_are_complete(scene: Path) -> None:
    for split, count in VIEWS.items():
        data = json.loads((scene / f"transforms_{split}.json").read_text())
        assert [frame["file_path"] for frame in data["frames"]] == [f"./{split}/r_{i}" for i in range(count)]
        assert len(list((scene / split).iterdir())) == count


def test_images_hold_one_object_with_margin_and_soft_border(views: dict[str, list[View]]) -> None:
    for view in views["train"] + views["test"]:
        assert view.image.shape == (SIZE, SIZE, 4)
        assert view.image.dtype == np.uint8
        alpha = view.image[..., 3]
        assert alpha[[0, -1]].max() == 0
        assert alpha[:, [0, -1]].max() == 0
        assert (alpha == 255).mean() > 0.04
        assert 100 < ((alpha > 0) & (alpha < 255)).sum() < 4000
        assert (view.image[alpha == 0] == 0).all()
        assert view.image[alpha > 0].min() > 0
    rows, columns = np.nonzero(np.max([view.image[..., 3] for view in views["train"]], 0))
    assert 0.6 < max(np.ptp(rows), np.ptp(columns)) / SIZE < 0.95


def test_cameras_are_rigid_and_look_at_the_origin(views: dict[str, list[View]]) -> None:
    for view in views["train"] + views["test"]:
        matrix = view.camera_to_world
        rotation, eye = matrix[:3, :3], matrix[:3, 3]
        np.testing.assert_allclose(rotation.T @ rotation, np.eye(3), atol=1e-12)
        assert np.linalg.det(rotation) == pytest.approx(1.0)
        np.testing.assert_array_equal(matrix[3], [0, 0, 0, 1])
        np.testing.assert_allclose(rotation[:, 2], eye / np.linalg.norm(eye), atol=1e-12)


def test_cameras_surround_the_object_and_splits_are_disjoint(views: dict[str, list[View]]) -> None:
    train, test = (np.array([view.camera_to_world[:3, 2] for view in views[split]]) for split in VIEWS)
    assert np.abs(train.mean(0)).max() < 0.05
    assert train[:, 2].min() < -0.9
    assert train[:, 2].max() > 0.9

    def nearest(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
        cosine = a @ b.T
        if a is b:
            cosine = cosine - 2.0 * np.eye(len(a))
        return math.degrees(math.acos(cosine.max()))

    assert nearest(train, train) > 25.0
    assert nearest(test, train) > 25.0
    assert nearest(test, test) > 25.0


def test_mesh_is_closed_smooth_and_of_the_stated_genus(scene: Path, mesh: trimesh.Trimesh) -> None:
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert mesh.volume > 0.0
    assert mesh.body_count == 1
    assert mesh.euler_number == 2 - 2 * GENUS[scene.name]
    assert 20_000 <= len(mesh.faces) <= 40_000
    assert np.linalg.norm(mesh.vertices, axis=1).max() <= 1.0
    smallest = np.degrees(mesh.face_angles.min(1))
    assert np.median(smallest) > 45.0
    assert smallest.min() > 10.0
    assert np.degrees(np.percentile(mesh.face_adjacency_angles, 95)) < 30.0


def test_vertices_project_into_the_masks(views: dict[str, list[View]], mesh: trimesh.Trimesh) -> None:
    for view in views["train"] + views["test"]:
        column, row = np.floor(project(view, mesh.vertices)[:, :2]).astype(int).T
        assert dilate(view.image[..., 3] > 0)[row, column].all()


def test_alpha_is_the_mask_of_the_mesh(views: dict[str, list[View]], mesh: trimesh.Trimesh) -> None:
    for view in (views["train"][0], views["train"][23], views["test"][4]):
        covered, hard = view.image[..., 3] > 127, hard_mask(view, mesh) > 0
        assert (covered & hard).sum() / (covered | hard).sum() > 0.99


def test_alpha_is_antialiased(views: dict[str, list[View]], mesh: trimesh.Trimesh) -> None:
    # the mesh is inscribed: its chords cut off some hundredths of a pixel (the ball of test_signed_distance is exact)
    view = views["train"][11]
    alpha, soft = view.image[..., 3] / 255.0, hard_mask(view, mesh, supersampling=4)
    border = (alpha > 0) & (alpha < 1)
    assert np.abs(alpha - soft)[border].mean() < 0.06
    assert 1.0 <= alpha.sum() / soft.sum() < 1.007
    np.testing.assert_array_equal(soft[~dilate(alpha < 1)], 1.0)
    np.testing.assert_array_equal(soft[~dilate(alpha > 0)], 0.0)
