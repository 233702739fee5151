from __future__ import annotations

import math

import imageio.v3 as iio
import numpy as np
import pytest
import torch

from renderer.viz.image import encode_image, from_srgb, save_image, to_uint8


def test_srgb_anchors_and_linear():
    # 0.18 is the photographers' grey card; 0.002 lies on the straight foot of the curve
    assert to_uint8(torch.tensor([0.0, 0.002, 0.18, 1.0])).tolist() == [0, 7, 118, 255]
    assert to_uint8(torch.tensor([0.0, 0.5, 1.0]), encoding="linear").tolist() == [0, 128, 255]


def test_every_srgb_level_comes_back():
    for level in range(256):
        assert to_uint8(from_srgb(f"#{level:02x}{level:02x}{level:02x}")).tolist() == [level] * 3


def test_only_rounding_leaves_the_range():
    assert to_uint8(torch.tensor([-1e-6, 1 + 1e-6])).tolist() == [0, 255]
    for bad in (-0.1, 1.1, math.nan, math.inf):
        with pytest.raises(ValueError, match=r"image: expected values in \[0, 1\]"):
            to_uint8(torch.tensor([0.5, bad]))


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 3), (5, 7, 4)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_save_image_round_trip(tmp_path, shape, dtype):
    image = torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=dtype, requires_grad=True)
    save_image(tmp_path / "image.png", image, encoding="linear")
    pixels = iio.imread(tmp_path / "image.png")
    assert np.array_equal(pixels, to_uint8(image, encoding="linear").squeeze())


def test_alpha_stays_linear():
    image = torch.full((2, 2, 4), 0.5)
    assert iio.imread(encode_image(image), extension=".png")[0, 0].tolist() == [188, 188, 188, 128]


def test_errors():
    with pytest.raises(ValueError, match="image: expected a floating dtype"):
        to_uint8(torch.zeros(2, 2, dtype=torch.uint8))
    with pytest.raises(ValueError, match="encoding: expected 'srgb' or 'linear', got 'gamma'"):
        to_uint8(torch.zeros(2, 2), encoding="gamma")
    for shape in ((4,), (4, 4, 2), (1, 4, 4, 3), (0, 4, 3)):
        with pytest.raises(ValueError, match=r"image: expected shape \(H, W\)"):
            encode_image(torch.zeros(shape))
