"""The command `renderer`: one subcommand per task."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from renderer.scene.errors import DataError

try:
    import tyro

    from renderer.commands.pose import Pose
    from renderer.commands.predict import Predict
    from renderer.commands.render import Render
    from renderer.commands.shapes import Shapes
    from renderer.commands.texture import Texture
    from renderer.commands.train import Train
    from renderer.tasks import Settings, reconstruct
    from renderer.train.interrupt import Stopped
except ModuleNotFoundError as missing:
    sys.exit(f"renderer: the command line needs the package {missing.name}: pip install 'renderer[tasks]'")

BAD_INPUT = 2  # exit status; 128 + the signal's number after an interruption, as shells have it


@dataclass(frozen=True)
class Reconstruct:
    """Make a closed mesh from masks and cameras.

    DATA is a folder with transforms.json or transforms_train.json (and transforms_test.json, whose views are scored and
    never fitted) and RGBA or mask images, or with masks and a COLMAP model. OUT gets mesh.glb, mesh.ply, turntable.mp4,
    report.html and metrics.json; with --colour, which needs RGBA images, texture.png and light.json, too. Several
    processes share the views through `torchrun --nproc-per-node N -m renderer.cli reconstruct …`.
    """

    data: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    """Folder with masks and cameras."""
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
    settings: Annotated[Settings, tyro.conf.arg(name="")] = field(default_factory=Settings)

    def __call__(self) -> None:
        made = reconstruct(
            self.data,
            self.out,
            settings=self.settings,
            device=self.device,
            resume=self.resume,
            overwrite=self.overwrite,
            progress=not self.quiet,
        )
        if os.environ.get("RANK", "0") != "0":  # one of several processes; the first one reports
            return
        result, hull = made.metrics["result"], made.metrics["hull"]
        for split, name in (("train", "training views"), ("test", "unseen views")):
            if f"{split}_iou" in result:
                print(f"IoU, {name}: {result[f'{split}_iou']:.4f} (visual hull {hull[f'{split}_iou']:.4f})")
            if f"{split}_psnr" in result:
                print(f"PSNR, {name}: {result[f'{split}_psnr']:.1f} dB, SSIM {result[f'{split}_ssim']:.3f}")
        print(f"faces: {result['faces']:,}, genus {result['genus']}, {made.metrics['seconds']['total']:.0f} s")
        film = f"turntable.{self.settings.film}"
        for label, file in (("mesh", "mesh.glb"), ("film", film), ("report", "report.html")):
            print(f"{label}: {made.folder / file}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status: 0, 2 for bad input (one line on stderr), 130 after Ctrl-C.

    >>> main(["reconstruct", "scenes/knot", "--out", "run"])
    0
    """
    try:
        command = tyro.extras.subcommand_cli_from_dict(
            {
                "reconstruct": Reconstruct,
                "texture": Texture,
                "pose": Pose,
                "render": Render,
                "train": Train,
                "shapes": Shapes,
                "predict": Predict,
            },
            prog="renderer",
            description="A differentiable rendering engine: one subcommand per task.",
            args=arguments,
            config=(tyro.conf.FlagCreatePairsOff,),
        )
        command()
    except (DataError, ValueError, NotImplementedError) as error:  # the last: no kernels for the device in this build
        print(f"renderer: {error}", file=sys.stderr)
        return BAD_INPUT
    except Stopped as stop:
        print(f"renderer: {stop}: checkpoint saved; the same command with --resume goes on", file=sys.stderr)
        return 128 + stop.number
    except KeyboardInterrupt:
        print("renderer: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT
    return 0


if __name__ == "__main__":
    sys.exit(main())
