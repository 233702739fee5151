"""`renderer shapes`: a generated data set for `renderer train single-view`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from tqdm import tqdm

from renderer.experiments.families import FAMILIES
from renderer.experiments.shapes import generate_shapes


@dataclass(frozen=True)
class Shapes:
    """Generate families of parametric shapes, each seen from 24 sides, with their voxels.

    OUT gets FAMILY_SPLIT_images.npz and FAMILY_SPLIT_voxels.npz, of the form that ShapeNet's renderings come in.
    """

    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")]
    """Folder for the files; made if it is not there."""
    train: int = 150
    """Objects of each family to train on."""
    test: int = 20
    """Objects of each family to test on."""
    families: tuple[str, ...] = tuple(FAMILIES)
    """Which ones."""
    seed: int = 0
    """Of the shapes' measures."""
    quiet: bool = False
    """Show no progress bar."""

    def __call__(self) -> None:
        made = generate_shapes(self.out, train=self.train, test=self.test, families=self.families, seed=self.seed)
        with tqdm(total=2 * len(self.families), unit="file", disable=self.quiet or None) as bar:
            for family, split in made:
                bar.set_postfix_str(f"{family}, {split}")
                bar.update()
        print(self.out)
