"""The settings of a reconstruction."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

CHOICES = {"start": ("hull", "sphere"), "film": ("mp4", "gif")}
LEAST = {
    "hull_resolution": 8,
    "max_faces": 200,
    "views_per_step": 1,
    "max_image_size": 16,
    "seed": 0,
    "texture_size": 16,
}


@dataclass(frozen=True)
class Settings:
    """What a reconstruction depends on besides the data. Raises ValueError for a value out of range.

    >>> Settings(max_faces=5_000).start
    'hull'
    """

    start: Literal["hull", "sphere"] = "hull"
    """What to start from: the visual hull finds handles and holes, a sphere keeps genus 0 whatever the masks show."""
    hull_resolution: int = 128
    """Voxels along the longest side of the visual hull."""
    max_faces: int = 20_000
    """The mesh that comes out has at most this many faces."""
    views_per_step: int = 12
    """How many views each step of the fit looks at."""
    max_image_size: int = 512
    """Longest side, in pixels, at which masks are fitted; larger ones are averaged down by a whole factor."""
    effort: float = 1.0
    """Number of steps, relative to the default."""
    seed: int = 0
    """Seed of the order in which the steps look at the views."""
    film: Literal["mp4", "gif"] = "mp4"
    """Format of the turntable."""
    colour: bool = False
    """Fit the colours of RGBA pictures, too: hollows that no silhouette shows, a texture and the light."""
    texture_size: int = 512
    """Width and height of the texture in texels, with colour."""

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name}: expected {' or '.join(map(repr, choices))}, got {getattr(self, name)!r}")
        for name, least in LEAST.items():
            if not getattr(self, name) >= least:
                raise ValueError(f"{name}: expected at least {least}, got {getattr(self, name)}")
        if not (math.isfinite(self.effort) and self.effort > 0):
            raise ValueError(f"effort: expected a positive factor, got {self.effort}")
