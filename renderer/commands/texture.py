"""`renderer texture`: texture and light of a known mesh."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from renderer.tasks.texture import TextureSettings, fit_texture


@dataclass(frozen=True)
class Texture:
    """Fit texture and light of a known mesh to pictures.

    DATA is a folder as for reconstruct, with RGBA pictures. MESH is a file in the world of the cameras; it gets a UV
    atlas where it has no texture coordinates. OUT gets mesh.glb, texture.png, light.json, a turntable, report.html and
    metrics.json.
    """

    data: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    """Folder with pictures and cameras."""
    mesh: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="MESH")]
    """The known shape."""
    out: Annotated[Path, tyro.conf.arg(metavar="OUT")]
    """Folder for the results; made if it is not there."""
    device: str = "cpu"
    """Where the heavy part runs: "cpu", "cuda", or "auto" for a GPU where there is one."""
    resume: bool = False
    """Go on from the checkpoint that an interrupted run left in OUT, to the same result."""
    overwrite: bool = False
    """Replace the results or the checkpoint in OUT."""
    quiet: bool = False
    """Show no progress bar."""
    settings: Annotated[TextureSettings, tyro.conf.arg(name="")] = field(default_factory=TextureSettings)

    def __call__(self) -> None:
        made = fit_texture(
            self.data,
            self.mesh,
            self.out,
            settings=self.settings,
            device=self.device,
            resume=self.resume,
            overwrite=self.overwrite,
            progress=not self.quiet,
        )
        result = made.metrics["result"]
        for split, name in (("train", "training views"), ("test", "unseen views")):
            if f"{split}_psnr" in result:
                print(f"PSNR, {name}: {result[f'{split}_psnr']:.1f} dB, SSIM {result[f'{split}_ssim']:.3f}")
        print(f"{made.metrics['seconds']['total']:.0f} s; written to {made.folder}: mesh.glb, texture.png, report.html")
