"""How a surface looks: its colour, texture, shine, and which normals it is lit by."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from renderer.scene.colours import Colour, as_colour
from renderer.scene.errors import DataError

Normals = Literal["smooth", "flat"]
TextureFilter = Literal["mipmap", "linear", "nearest"]
TextureWrap = Literal["repeat", "clamp"]

_CHOICES = {
    "normals": ("smooth", "flat"),
    "texture_filter": ("mipmap", "linear", "nearest"),
    "texture_wrap": ("repeat", "clamp"),
}


@dataclass(frozen=True, eq=False)
class Material:
    """The look of a mesh; its colour is multiplied by the texture and by the mesh's own colours, where there are any.

    Args:
        base_colour: linear RGB, (3,), or (B, 3) for one each view; also "#rrggbb" (sRGB) or one number.
        texture: (h, w, 3), or (B, h, w, 3), linear RGB, row 0 on top; needs texture coordinates on the mesh.
        specular: linear RGB of the highlight, (3,); 0 is matt.
        shininess: Blinn and Phong's exponent, a number or a Tensor () > 0; a larger one makes a smaller highlight.
        normals: "smooth", interpolated between the vertices, or "flat", one a face.
        texture_filter: see `renderer.raster.texture`; "mipmap" does not flicker where the texture is small.
        texture_wrap: what lies outside [0, 1]: the image again, or its border.

    Every Tensor can be an `nn.Parameter`.

    Raises:
        DataError: one line naming the argument.

    Example:
        >>> Material(base_colour="#b06030", specular=0.3, shininess=40.0)
    """

    base_colour: Colour = 1.0
    texture: Float[Tensor, "*batch h w 3"] | None = None
    specular: Colour = 0.0
    shininess: Any = 32.0
    normals: Normals = "smooth"
    texture_filter: TextureFilter = "mipmap"
    texture_wrap: TextureWrap = "repeat"

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_colour", as_colour(self.base_colour, name="base_colour"))
        object.__setattr__(self, "specular", as_colour(self.specular, name="specular"))
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                expected = " or ".join(map(repr, choices))
                raise DataError(f"{name}: expected {expected}, got {getattr(self, name)!r}")
        image = self.texture
        if image is not None and not _is_image(image):
            came = tuple(image.shape) if isinstance(image, Tensor) else type(image).__name__
            raise DataError(f"texture: expected a float Tensor (h, w, 3) or (B, h, w, 3), got {came}")
        shininess = self.shininess
        if isinstance(shininess, Tensor):
            if shininess.ndim or not shininess.is_floating_point():
                raise DataError(
                    f"shininess: expected a float Tensor (), got {shininess.dtype} {tuple(shininess.shape)}"
                )
        elif isinstance(shininess, bool) or not isinstance(shininess, int | float) or not 0 < shininess < math.inf:
            raise DataError(f"shininess: expected a positive number, got {shininess!r}")
        else:
            object.__setattr__(self, "shininess", torch.tensor(float(shininess)))

    def to(self, *args: Any, **kwargs: Any) -> Material:
        """A copy with every Tensor moved as by `Tensor.to`."""
        return self._mapped(lambda tensor: tensor.to(*args, **kwargs))

    def detach(self) -> Material:
        """The same material cut off from the autograd graph."""
        return self._mapped(Tensor.detach)

    def _mapped(self, change: Any) -> Material:
        tensors = {name: getattr(self, name) for name in ("base_colour", "texture", "specular", "shininess")}
        return replace(self, **{name: change(t) for name, t in tensors.items() if t is not None})


def _is_image(value: Any) -> bool:
    if not isinstance(value, Tensor) or not value.is_floating_point() or value.ndim not in (3, 4):
        return False
    return value.shape[-1] == 3 and value.numel() > 0
