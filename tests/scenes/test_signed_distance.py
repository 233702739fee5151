"""The solids behind the embedded scenes, and their images, against closed forms and brute force."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import cKDTree

SCENES = Path(__file__).parents[2] / "scenes"


@pytest.fixture(scope="module")
def modules() -> Iterator[dict[str, ModuleType]]:
    names = ("signed_distance", "objects", "albedo", "views", "make_scenes")
    sys.path.insert(0, str(SCENES))
    try:
        yield {name: importlib.import_module(name) for name in names}
    finally:
        sys.path.remove(str(SCENES))


@pytest.fixture(scope="module")
def points() -> NDArray[np.float64]:
    return np.random.default_rng(0).uniform(-1.2, 1.2, (3, 2000))


def test_balls_along_a_segment_and_along_a_curve(modules: dict[str, ModuleType], points: NDArray[np.float64]) -> None:
    sd = modules["signed_distance"]
    a, b, c = np.array([[-0.5, 0.1, -0.2], [0.1, 0.6, 0.3], [0.6, -0.3, 0.1]])
    t = np.linspace(0.0, 1.0, 2001)[:, None]
    for centres, distance in (
        (a + t * (c - a), sd.round_cone(points, a, c, 0.1, 0.1)),
        ((1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c, sd.curve(points, a, b, c, (0.1, 0.1, 0.1))),
    ):
        close = distance < 0.4
        np.testing.assert_allclose(distance[close], cKDTree(centres).query(points.T[close])[0] - 0.1, atol=1e-5)
    tapered = sd.round_cone(points, a, c, 0.2, 0.05)
    distances = np.linalg.norm(points.T[:, None] - (a + t[::4] * (c - a)), axis=2) - (0.2 - 0.15 * t[::4, 0])
    np.testing.assert_allclose(tapered, distances.min(1), atol=1e-4)


def test_planar_outlines(modules: dict[str, ModuleType], points: NDArray[np.float64]) -> None:
    sd = modules["signed_distance"]
    # leaf outline: two arcs through (±0.8, 0) and (0, ±0.3)
    radius = (0.3**2 + 0.8**2) / 0.6
    angle = np.linspace(-math.asin(0.8 / radius), math.asin(0.8 / radius), 20001)
    arc = np.stack([radius * np.sin(angle), radius * np.cos(angle) - (radius - 0.3)], 1)
    x, y = points[:2]
    expected = cKDTree(np.concatenate([arc, arc * [1, -1]])).query(points[:2].T)[0]
    inside = np.hypot(x, np.abs(y) + radius - 0.3) < radius
    np.testing.assert_allclose(sd.vesica(x, y, 0.8, 0.3), np.where(inside, -expected, expected), atol=1e-4)
    # pillar: its half section is a trapezium with rounded corners
    corners = np.array([[0.0, -0.4], [0.3, -0.4], [0.5, 0.3], [0.0, 0.3]])
    t = np.linspace(0.0, 1.0, 5001)[:, None]
    outline = np.concatenate([corners[i] + t * (corners[i + 1] - corners[i]) for i in range(3)])
    distance = sd.pillar(points, -0.5, 0.4, 0.4, 0.6, 0.1)
    outside = distance > 0.0
    rho_z = np.stack([np.hypot(points[0], points[1]), points[2]], 1)
    np.testing.assert_allclose(distance[outside], cKDTree(outline).query(rho_z)[0][outside] - 0.1, atol=1e-4)


def test_attach_is_join_where_the_ball_holds_the_part(
    modules: dict[str, ModuleType], points: NDArray[np.float64], monkeypatch: pytest.MonkeyPatch
) -> None:
    sd, objects = modules["signed_distance"], modules["objects"]
    names = ("creature", "teapot", "plant")
    culled = [getattr(objects, name)(points) for name in names]
    monkeypatch.setattr(objects, "attach", lambda body, p, part, ball, blend: sd.join(body, part(p), blend))
    for name, distance in zip(names, culled, strict=True):
        close = np.abs(distance) < 0.3  # farther out, distances that are only bounds may differ
        np.testing.assert_allclose(distance[close], getattr(objects, name)(points)[close], atol=1e-9)


def test_image_of_a_ball_is_its_exact_coverage(modules: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch) -> None:
    sd, views = modules["signed_distance"], modules["views"]
    size, samples = 64, 32
    monkeypatch.setattr(views, "IMAGE_SIZE", size)
    pose = views.camera_to_world(np.array([0.6, 0.0, 0.8]))
    centre, radius = np.array([0.1, -0.2, 0.05]), 0.6
    image = views.render(lambda p: sd.sphere(p, centre, radius), pose, modules["albedo"].plain(1.0, 1.0, 1.0))
    # a ray hits the ball when its angle to the centre is below asin(radius / distance)
    x = (np.arange(size * samples) + 0.5) / samples
    directions = views.rays(pose, *(v.reshape(-1) for v in np.meshgrid(x, x)))
    towards = centre - pose[:3, 3]
    distance = np.linalg.norm(towards)
    hit = (towards / distance) @ directions > math.sqrt(1.0 - (radius / distance) ** 2)
    expected = hit.reshape(size, samples, size, samples).mean((1, 3))
    error = image[..., 3] / 255.0 - expected
    border = (expected > 0) & (expected < 1)
    assert np.abs(error[~border]).max() < 0.01
    assert np.abs(error[border]).mean() < 0.01
    assert abs(error[border].mean()) < 0.001


def test_unknown_scene_is_one_line(
    modules: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["make_scenes.py", "dragon"])
    with pytest.raises(SystemExit):
        modules["make_scenes"].main()
    assert "names: expected some of creature, teapot, plant, pumice, got dragon" in capsys.readouterr().err
