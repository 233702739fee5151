"""The settings of a pose estimate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

LEAST = {
    "starts": 1,
    "steps": 1,
    "hops": 0,
    "resolution": 16,
    "finalists": 1,
    "refine_steps": 0,
    "refine_resolution": 16,
    "seed": 0,
}


@dataclass(frozen=True)
class PoseSettings:
    """What a pose estimate depends on besides the mesh and the image. Raises ValueError for a value out of range.

    >>> PoseSettings(fov_y=40.0).starts
    64
    """

    fov_y: float | None = 40.0
    """Vertical field of view in degrees; None: unknown too."""
    distance: float | None = None
    """Of the camera from the middle of the mesh's box, in world units; unknown where left out."""
    centred: bool = False
    """The middle of the mesh's box lies on the optical axis."""
    starts: int = 64
    """Rotations to start from, spread evenly."""
    keep: float = 0.25
    """Share of the starts that go on after a third of the steps; the others are given up, and reported."""
    steps: int = 150
    """Of Adam, all hops together."""
    hops: int = 0
    """The steps are shared among one descent and this many more, each from the best rotation so far, turned at random;
    with several starts, hops beyond the first are seldom needed."""
    hop_angle: float = 75.0
    """Largest turn of a hop, in degrees."""
    step_size: float = 0.03
    """Of Adam, in radians, shares of the size and of the distance; it goes down to nearly 0 along a cosine."""
    resolution: int = 64
    """Longest side of the reduced image, in pixels."""
    distribution: str = "logistic"
    """Of the perturbation: any name that needs no shape."""
    squared: bool = False
    """Perturb the squared distance."""
    t_conorm: str = "probabilistic"
    """For coverage "face": any name that needs no parameter."""
    coverage: Literal["outline", "face"] = "outline"
    """Distance to the outline of the whole, or to every face by itself."""
    first_scale: float = 0.1
    """Scale of the perturbation at the start, in halves of the image's width (squared: of their squares)."""
    last_scale: float = 1e-3
    """... and at the end; in between on a logarithmic scale."""
    loss: Literal["mse", "iou"] = "mse"
    """Squared difference, or one minus soft intersection over union."""
    soften_target: bool = True
    """Compare with the mask's own signed distance relaxed alike, so that the truth is the minimum at every scale."""
    match_size: bool = True
    """Begin each descent with the mask's area (and centroid, unless centred)."""
    finalists: int = 6
    """How many different poses are refined at the end, the best ones."""
    refine_steps: int = 40
    """Steps of the refinement; 0: none."""
    refine_resolution: int = 256
    """Longest side, in pixels, of the image that the refinement sees; larger ones are averaged down."""
    seed: int = 0
    """Of the hops."""

    def __post_init__(self) -> None:
        for name, least in LEAST.items():
            if not getattr(self, name) >= least:
                raise ValueError(f"{name}: expected at least {least}, got {getattr(self, name)}")
        for name in ("step_size", "first_scale", "last_scale", "distance"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name}: expected a positive number, got {value}")
        if self.fov_y is not None and not 0 < self.fov_y < 180:
            raise ValueError(f"fov_y: expected degrees between 0 and 180, got {self.fov_y}")
        if not 0 < self.keep <= 1:
            raise ValueError(f"keep: expected a share above 0 and up to 1, got {self.keep}")
        if not 0 <= self.hop_angle <= 180:
            raise ValueError(f"hop_angle: expected degrees from 0 to 180, got {self.hop_angle}")
        if self.hops >= self.steps:
            raise ValueError(f"hops: expected fewer than steps = {self.steps}, got {self.hops}")
        for name, choices in (("coverage", ("outline", "face")), ("loss", ("mse", "iou"))):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name}: expected {' or '.join(map(repr, choices))}, got {getattr(self, name)!r}")
