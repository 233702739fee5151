"""The camera benchmark runs, and its settings are what its text says."""

from __future__ import annotations

from dataclasses import replace

import torch

from renderer import Mesh
from renderer.scene import torus
from renderer.tasks.pose_parameters import degrees_between
from tests.bench.pose import HOPS, PUBLISHED, RANGES, poses_of, row, turned


def test_turns_are_the_identity_at_zero_and_as_far_as_they_say() -> None:
    zero = torch.zeros(1)
    torch.testing.assert_close(turned(zero, zero), torch.eye(3)[None], atol=1e-6, rtol=0)
    assert abs(float(degrees_between(turned(torch.tensor([30.0]), zero), torch.eye(3)[None])) - 30) < 1e-2


def test_distance_and_field_of_view_are_the_cameras() -> None:
    camera = poses_of(torch.eye(3)[None], torch.tensor([3.0]), torch.tensor([20.0])).camera(torch.zeros(3), (64, 64))
    torch.testing.assert_close(camera.centre.norm(dim=1), torch.tensor([3.0]))
    torch.testing.assert_close(camera.K[:, 1, 1], 32 / torch.tan(torch.deg2rad(torch.tensor([20.0]))))


def test_a_row_of_the_table() -> None:
    ring = torus(radius=0.8, tube=0.3)
    mesh = Mesh(ring.vertices, ring.faces)
    for settings in (replace(HOPS, steps=4, hops=1), replace(PUBLISHED, steps=3)):
        made = row(mesh, "name", settings, 3)
        assert set(made) == {"setting", "CPU seconds", *(f"{low}-{high}°, %" for low, high in RANGES)}
        assert all(0 <= made[f"{low}-{high}°, %"] <= 100 for low, high in RANGES)
