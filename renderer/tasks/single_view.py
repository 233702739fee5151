"""A mesh from one picture, by a network that was trained from silhouettes alone."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from renderer.losses.mesh import laplacian_matrix
from renderer.scene.errors import DataError
from renderer.scene.images import read_image
from renderer.scene.mesh import Mesh
from renderer.scene.primitives import icosphere
from renderer.scene.voxels import voxel_iou
from renderer.train.checkpoint import load_checkpoint
from renderer.train.ranks import device_named

IMAGE_SIZE = 64
SPHERE_LEVEL = 3  # 642 vertices
RADIUS = 0.3  # of the sphere that an untrained network gives, in the cube of edge 1
FIRST_OFFSET = 0.05  # how much an untrained network moves it, relative to a layer as torch makes it


class SingleViewNetwork(nn.Module):
    """RGBA image (B, 4, 64, 64) in [0, 1] → vertices (B, 642, 3) in the cube [−½, ½]³, of a sphere's faces.

    Three convolutions of width, 2 width and 4 width channels and five linear layers of 8 to 32 width, as published
    (SoftRas, arXiv 1904.01786; there width = 64); v = ½ tanh(artanh(2 v₀) + (I + λL)⁻¹ u) keeps the vertices in the
    cube. L is the uniform Laplacian of the sphere and λ the stiffness: a step of the network moves the surface
    smoothly, as in `LargeSteps`, of which one matrix serves all meshes here; λ = 0 is the published network.

    >>> SingleViewNetwork()(torch.rand(2, 4, 64, 64)).shape
    torch.Size([2, 642, 3])
    """

    def __init__(self, width: int = 64, *, stiffness: float = 10.0) -> None:
        super().__init__()
        if width < 1:
            raise ValueError(f"width: expected at least 1, got {width}")
        if not (math.isfinite(stiffness) and stiffness >= 0):
            raise ValueError(f"stiffness: expected a number >= 0, got {stiffness}")
        sphere = icosphere(SPHERE_LEVEL, radius=RADIUS)
        self.mesh = sphere
        self.register_buffer("start", torch.atanh(2 * sphere.vertices), persistent=False)
        laplacian = laplacian_matrix(sphere.vertices.double(), sphere.faces).to_dense()
        smoothing = torch.linalg.inv(torch.eye(len(laplacian), dtype=torch.float64) + stiffness * laplacian)
        self.register_buffer("smoothing", smoothing.float(), persistent=False)
        layers: list[nn.Module] = []
        channels = (4, width, 2 * width, 4 * width)
        for before, after in itertools.pairwise(channels):
            layers += [nn.Conv2d(before, after, 5, stride=2, padding=2), nn.BatchNorm2d(after), nn.ReLU()]
        layers.append(nn.Flatten())
        sizes = (channels[-1] * (IMAGE_SIZE // 8) ** 2, 16 * width, 16 * width, 8 * width, 16 * width, 32 * width)
        for before, after in itertools.pairwise(sizes):
            linear = nn.Linear(before, after)
            # torch's own start shrinks what tells pictures apart by √6 a layer: five make all pictures one.
            nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
            nn.init.zeros_(linear.bias)
            layers += [linear, nn.ReLU()]
        self.encoder = nn.Sequential(*layers)
        self.offset = nn.Linear(sizes[-1], 3 * sphere.num_vertices)
        with torch.no_grad():
            self.offset.weight.mul_(FIRST_OFFSET)
            self.offset.bias.zero_()

    def forward(self, images: Float[Tensor, "B 4 64 64"]) -> Float[Tensor, "B 642 3"]:
        """The vertices, seen by the cameras of `renderer.experiments.shapes`."""
        offset = self.offset(self.encoder(images.contiguous(memory_format=torch.channels_last)))
        with torch.autocast(images.device.type, enabled=False):  # bfloat16 would show as a rough surface
            smooth = offset.float().unflatten(-1, (3, -1)) @ self.smoothing  # (B, 3, 642); the matrix is symmetric
            return 0.5 * torch.tanh(self.start + smooth.transpose(1, 2))


def predict(image: str | Path, checkpoint: str | Path, *, device: str = "cpu") -> Mesh:
    """The mesh that a network trained by `renderer train single-view` sees in a picture.

    image: RGBA of any size, resized to 64 × 64; y is up and the object in the place of the training views, which fills
    about the image. device: "cpu", "cuda", or "auto" for a GPU where there is one; the mesh is on the CPU. Raises
    DataError, one line naming the file, and ValueError for a device that is not there.

    >>> predict("chair.png", "run/checkpoint.safetensors").save("chair.ply")
    """
    where = device_named(device)
    network = load_network(checkpoint).to(where)
    pixels = torch.from_numpy(read_rgba(Path(image)))[None].to(where)
    with torch.no_grad():
        return network.mesh.with_vertices(network(pixels)[0].cpu())


def load_network(checkpoint: str | Path) -> SingleViewNetwork:
    """The trained network, ready to evaluate; DataError for another experiment's checkpoint."""
    state = load_checkpoint(checkpoint)
    identity: dict[str, Any] = state.get("identity", {})
    if identity.get("experiment") != "SingleView":
        came = identity.get("experiment", "another file")
        raise DataError(f"{checkpoint}: expected a checkpoint of `renderer train single-view`, got one of {came}")
    network = SingleViewNetwork(identity["settings"]["width"], stiffness=identity["settings"]["stiffness"])
    network.load_state_dict(state["model"])
    return network.eval()


def read_rgba(path: Path) -> np.ndarray:
    """An RGBA picture as the network takes it: (4, 64, 64) in [0, 1], over black; DataError where it has no alpha."""
    pixels = read_image(path)
    if pixels.shape[2] != 4:
        raise DataError(f"{path}: expected an RGBA image, as alpha tells the object, got {pixels.shape[2]} channels")
    values = torch.from_numpy(pixels).permute(2, 0, 1)
    over_black = torch.cat([values[:3] * values[3:], values[3:]])
    height, width = over_black.shape[1:]
    if height != width:
        raise DataError(f"{path}: expected a square image, got {width} × {height}")
    if (height, width) != (IMAGE_SIZE, IMAGE_SIZE):
        over_black = torch.nn.functional.interpolate(
            over_black[None], size=(IMAGE_SIZE, IMAGE_SIZE), mode="bilinear", antialias=True, align_corners=False
        )[0]
    return over_black.numpy()


def mean_shape(voxels: Bool[Tensor, "N R R R"]) -> Bool[Tensor, "R R R"]:
    """Of the level sets of the mean occupancy the one that agrees best, by mean IoU, with the shapes themselves.

    It is the baseline that knows a picture's category and nothing else.
    """
    mean = voxels.float().mean(0)
    levels = torch.linspace(0.1, 0.9, 17)
    scores = [float(voxel_iou(voxels, (mean > level).expand_as(voxels)).mean()) for level in levels]
    return mean > levels[int(np.argmax(scores))]
