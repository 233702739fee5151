from __future__ import annotations

import imageio.v3 as iio
import numpy as np
import pytest
import torch

from renderer.viz import Picture, to_uint8
from renderer.viz.picture import picture, split_images


def test_png_has_the_pixels():
    image = torch.rand(5, 7, 3, generator=torch.Generator().manual_seed(0))
    shown = picture(image)
    assert repr(shown) == "Picture of 7 × 5 pixels"
    assert np.array_equal(iio.imread(shown._repr_png_()), to_uint8(image))


def test_masks_keep_their_numbers_and_colours_are_encoded():
    assert (picture(torch.full((2, 2), 0.5)).pixels == 128).all()
    assert (picture(torch.full((2, 2, 1), 0.5)).pixels == 128).all()
    assert (picture(torch.full((2, 2, 3), 0.5)).pixels == 188).all()
    assert (picture(torch.tensor([[True, False]])).pixels[0, :, 0] == [255, 0]).all()


def test_of_rgba_the_colours_are_shown():
    image = torch.full((2, 2, 4), 0.5)
    image[..., 3] = 0.1
    assert (picture(image).pixels == 188).all()


def test_batches_lists_and_nested_lists():
    assert [len(split_images(torch.zeros(shape))) for shape in ((6, 7), (6, 7, 3), (5, 6, 7), (5, 6, 7, 4))] == [
        1,
        1,
        5,
        5,
    ]
    assert len(split_images([torch.zeros(2, 6, 7, 3), torch.zeros(6, 7), [torch.zeros(3, 6, 7)]])) == 6
    sheet = picture([torch.zeros(4, 4), torch.zeros(4, 4, 3)], padding=2).pixels
    assert sheet.shape == (4, 10, 3)
    assert (sheet[:, 4:6] == 255).all()
    assert (sheet[:, :4] == 0).all()


def test_smaller_images_lie_in_the_middle():
    sheet = picture([torch.zeros(6, 6), torch.zeros(2, 4)], padding=0).pixels[..., 0]
    assert sheet.shape == (6, 12)
    assert (sheet[2:4, 7:11] == 0).all()
    assert (sheet[:, 6:] == 0).sum() == 8


def test_zoom_makes_squares():
    pixels = picture(torch.eye(2), zoom=3).pixels[..., 0]
    assert np.array_equal(pixels, np.kron(255 * np.eye(2), np.ones((3, 3))))


def test_captions_are_written_below_and_nothing_is_cut():
    images = torch.zeros(2, 20, 20)
    plain = picture(images, columns=2)
    labelled = picture(images, columns=2, captions=["a caption far wider than 20 pixels", "b\nc"])
    assert labelled.pixels.shape[1] > 200 > plain.pixels.shape[1]
    cell = labelled.pixels[:, : labelled.pixels.shape[1] // 2 - 2]
    assert (cell[:20] == 0).all(-1).sum() == 400
    ink = (cell[20:] < 128).any(-1)
    assert ink.any()
    assert not ink[:, [0, -1]].any()
    assert not ink[[0, -1]].any()
    assert np.abs(np.nonzero(ink.any(0))[0].mean() - cell.shape[1] / 2) < 5


def test_save(tmp_path):
    picture(torch.zeros(2, 3)).save(tmp_path / "black.png")
    assert iio.imread(tmp_path / "black.png").shape == (2, 3, 3)


def test_errors():
    for shape in ((4,), (4, 4, 4, 2), (1, 1, 4, 4, 3)):
        with pytest.raises(ValueError, match=r"images: expected shape \(H, W\), \(N, H, W\)"):
            picture(torch.zeros(shape))
    with pytest.raises(ValueError, match="images: expected at least one, got none"):
        picture([])
    with pytest.raises(ValueError, match=r"image: expected values in \[0, 1\], got 0 to 2"):
        picture(torch.tensor([[0.0, 2.0]]))
    with pytest.raises(ValueError, match="captions: expected 2, as many as images, got 1"):
        picture(torch.zeros(2, 8, 8), captions=["a"])
    with pytest.raises(ValueError, match="captions: expected 2, as many as images, got a string"):
        picture(torch.zeros(2, 8, 8), captions="ab")
    with pytest.raises(ValueError, match="captions: the font has no 'τ', in 'τ = 1'"):
        picture(torch.zeros(1, 8, 8), captions=["τ = 1"])
    for zoom in (0, 1.5):
        with pytest.raises(ValueError, match="zoom: expected a whole number >= 1"):
            picture(torch.zeros(8, 8), zoom=zoom)
    with pytest.raises(ValueError, match=r"pixels: expected uint8 \(H, W, 3\), got float64 \(2, 2, 3\)"):
        Picture(np.zeros((2, 2, 3)))
