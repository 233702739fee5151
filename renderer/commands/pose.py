"""`renderer pose`: the camera of one picture of a known mesh."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from renderer.tasks.find_camera import find_camera
from renderer.tasks.pose_settings import PoseSettings


@dataclass(frozen=True)
class Pose:
    """Find the camera from which a mesh has the silhouette of a picture.

    IMAGE is a mask, or RGBA, of which the alpha counts and not the colours. OUT gets transforms.json (the camera, as
    the other commands read it, with the picture beside it), candidates.json (the other cameras that explain the
    picture), overlay.png, report.html, metrics.json, and scene.toml for `renderer render`.
    """

    mesh: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="MESH")]
    """The known shape."""
    image: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="IMAGE")]
    """The picture."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="OUT")] = None
    """Folder for the results; the picture's name with -pose after it, in this folder, where left out."""
    device: str = "auto"
    """"auto" takes a GPU where there is one."""
    resume: bool = False
    """Go on from the checkpoint that an interrupted run left in OUT, to the same result."""
    overwrite: bool = False
    """Replace the results or the checkpoint in OUT."""
    quiet: bool = False
    """Show no progress bar."""
    settings: Annotated[PoseSettings, tyro.conf.arg(name="")] = field(default_factory=PoseSettings)

    def __call__(self) -> None:
        made = find_camera(
            self.mesh,
            self.image,
            Path(f"{self.image.stem}-pose") if self.out is None else self.out,
            settings=self.settings,
            device=self.device,
            resume=self.resume,
            overwrite=self.overwrite,
            progress=not self.quiet,
        )
        result = made.metrics["result"]
        of = "its alpha, not its colours" if made.metrics["data"]["silhouette"] == "alpha" else "the mask"
        print(f"silhouette of {self.image}: {of}")
        known = "as found" if self.settings.fov_y is None else "as given"
        at = ", ".join(f"{value:.4g}" for value in result["position"])
        print(f"camera at ({at}), vertical field of view {result['fov_y']:.1f}° {known}: IoU {result['iou']:.4f}")
        for other in result["other_candidates"][:1]:
            print(f"next best, turned by {other['degrees_from_best']:.0f}°: IoU {other['iou']:.4f}")
        print(f"{made.metrics['seconds']['total']:.0f} s; written to {made.folder}:")
        print("transforms.json, overlay.png, report.html")
