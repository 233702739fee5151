"""Every option of the renderers against its golden picture, which people have looked at."""

from __future__ import annotations

import imageio.v3 as imageio
import numpy as np
import pytest

from renderer.viz import to_uint8
from tests.golden.pictures import FOLDER, PICTURES

LARGEST, MEAN = 3, 0.1  # of 255; rounding differs between processors, a pixel on an edge more than others


@pytest.mark.parametrize("name", list(PICTURES))
def test_looks_as_before(name: str) -> None:
    drawn = to_uint8(PICTURES[name]()[..., :3].clamp(0, 1)).astype(int)
    difference = np.abs(drawn - imageio.imread(FOLDER / f"{name}.png").astype(int))
    assert difference.max() <= LARGEST, f"{name}: off by {difference.max()} of 255"
    assert difference.mean() <= MEAN, f"{name}: off by {difference.mean():.2f} of 255 on average"


def test_every_picture_has_its_option() -> None:
    assert {path.stem for path in FOLDER.glob("*.png")} == set(PICTURES)
