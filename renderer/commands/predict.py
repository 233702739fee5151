"""`renderer predict`: a mesh from one picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from renderer.tasks.single_view import predict


@dataclass(frozen=True)
class Predict:
    """Predict the mesh that a picture shows, with a network trained by `renderer train single-view`.

    IMAGE is square and RGBA, its alpha the object, which should be seen as in training: from 30° above, filling about
    as much of the picture.
    """

    image: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="IMAGE")]
    """The picture."""
    checkpoint: Annotated[Path, tyro.conf.arg(metavar="FILE")]
    """checkpoint.safetensors of the training."""
    device: str = "cpu"
    """Where the network runs: "cpu", "cuda", or "auto" for a GPU where there is one."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="OUT")] = None
    """The mesh: OBJ, PLY, STL, OFF or GLB, by its extension; else the picture's name with .ply, in this folder."""

    def __call__(self) -> None:
        mesh = predict(self.image, self.checkpoint, device=self.device)
        out = Path(f"{self.image.stem}.ply") if self.out is None else self.out
        mesh.save(out)
        print(f"{out}: {mesh.num_vertices} vertices, {mesh.num_faces} faces")
