from __future__ import annotations

import torch

from renderer.scene import Mesh, Views, icosphere
from renderer.tasks.parts import cover, needed_parts, part_of_face


def joined(*meshes: Mesh) -> Mesh:
    offsets = [sum(m.num_vertices for m in meshes[:i]) for i in range(len(meshes))]
    faces = [m.faces + offset for m, offset in zip(meshes, offsets, strict=True)]
    return Mesh(torch.cat([m.vertices for m in meshes]), torch.cat(faces))


def ball(x: float, radius: float) -> Mesh:
    sphere = icosphere(2, radius=radius)
    return sphere.with_vertices(sphere.vertices + torch.tensor([x, 0.0, 0.0]))


def test_parts_are_numbered_by_face() -> None:
    part = part_of_face(joined(ball(0.0, 1.0), ball(3.0, 1.0)))
    assert part.tolist() == [0] * 320 + [1] * 320


def test_phantom_and_cavity_go_and_a_needed_part_stays(ring: Mesh, ring_views: Views) -> None:
    ring_masks, camera = ring_views.masks, ring_views.camera
    cavity = ball(0.8, 0.1)
    cavity = Mesh(cavity.vertices, cavity.faces.flip(1))
    hidden = ball(0.8, 0.15)
    assert needed_parts(joined(ring, cavity, hidden), ring_masks, camera).num_faces == ring.num_faces

    beside = ball(1.45, 0.2)
    masks = cover(joined(ring, beside), camera).float()
    assert needed_parts(joined(ring, beside), masks, camera).num_components == 2
    assert needed_parts(joined(ring, beside), ring_masks, camera).num_components == 1


def test_a_single_part_is_returned_as_it_is(ring: Mesh, ring_views: Views) -> None:
    assert needed_parts(ring, ring_views.masks, ring_views.camera) is ring
