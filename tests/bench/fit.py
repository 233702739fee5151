"""Seconds until a sphere has become a bumpy ellipsoid, silhouettes only: 5,120 faces, 20 views of 128 x 128."""

from __future__ import annotations

import time

import torch

from renderer import Camera, Mesh, SoftRenderer
from renderer.losses import hard_iou
from renderer.ops import serial_torch
from renderer.scene import icosphere
from renderer.train import AdamUniform, LargeSteps

SIZE, VIEWS, MOST_STEPS = 128, 20, 500
TARGET_IOU = 0.99


def target() -> Mesh:
    sphere = icosphere(4)
    v = sphere.vertices
    bumps = 1 + 0.12 * torch.sin(5 * v[:, :1]) * torch.cos(4 * v[:, 1:2] + 1) + 0.08 * torch.sin(6 * v[:, 2:] + 2)
    return sphere.with_vertices(v * bumps * torch.tensor([1.0, 0.75, 0.55]))


def cameras() -> Camera:
    views = [
        Camera.orbit(2.7, elevation, azimuth, image_size=(SIZE, SIZE))
        for elevation in (-50.0, -15.0, 15.0, 50.0)
        for azimuth in range(0, 360, 72)
    ]
    return Camera.stack(views)


@serial_torch()  # as reconstruct does
def seconds_to_iou() -> dict[str, float]:
    """Wall seconds and steps until the mean IoU of hard masks over all views reaches the target, and the IoU then."""
    camera = cameras()
    soft = SoftRenderer("uniform", scale=0.5, coverage="outline")
    hard = SoftRenderer("hard", scale=1.0, coverage="outline")
    masks, exact = soft.silhouette(target(), camera), hard.silhouette(target(), camera)
    mesh = icosphere(4, radius=0.8)
    start = time.perf_counter()
    steps = LargeSteps(mesh, stiffness=10.0)
    latent = steps.to_latent(mesh.vertices).requires_grad_()
    optimizer = AdamUniform([latent], lr=0.02)
    for step in range(1, MOST_STEPS + 1):
        shape = mesh.with_vertices(steps.to_vertices(latent))
        loss = (soft.silhouette(shape, camera) - masks).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 5 == 0:
            with torch.no_grad():
                iou = float(hard_iou(hard.silhouette(mesh.with_vertices(steps.to_vertices(latent)), camera), exact))
            if iou >= TARGET_IOU:
                return {"seconds": time.perf_counter() - start, "steps": step, "iou": iou}
    raise RuntimeError(f"IoU {iou:.4f} after {MOST_STEPS} steps: expected {TARGET_IOU}")
