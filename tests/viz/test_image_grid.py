from __future__ import annotations

import pytest
import torch

from renderer.viz import grid


def test_grid_in_reading_order():
    images = torch.stack([torch.full((2, 3, 1), float(i)) for i in range(5)])
    sheet = grid(images, columns=3, padding=1, background=9.0)[..., 0]
    assert sheet.shape == (5, 11)
    assert sheet[0, 0] == 0
    assert sheet[0, 4] == 1
    assert sheet[1, 10] == 2
    assert sheet[3, 0] == 3
    assert sheet[4, 6] == 4
    assert (sheet[2] == 9).all()
    assert (sheet[3:, 8:] == 9).all()


def test_grid_is_nearly_square_and_takes_masks_and_gradients():
    masks = torch.zeros(7, 4, 4, requires_grad=True)
    sheet = grid(masks, padding=0)
    assert sheet.shape == (12, 12)
    sheet.sum().backward()
    assert (masks.grad == 1).all()
    assert grid([torch.zeros(4, 6)], columns=5).shape == (4, 6)


def test_errors():
    with pytest.raises(ValueError, match="images: expected at least one image"):
        grid([])
    with pytest.raises(ValueError, match=r"images\[1\]: expected the shape of the first \(2, 2\), got \(2, 3\)"):
        grid([torch.zeros(2, 2), torch.zeros(2, 3)])
    with pytest.raises(ValueError, match="images: expected shape"):
        grid([torch.zeros(2)])
    with pytest.raises(ValueError, match="columns: expected at least 1, got 0"):
        grid([torch.zeros(2, 2)], columns=0)
    with pytest.raises(ValueError, match="padding: expected >= 0 pixels, got -1"):
        grid([torch.zeros(2, 2)], padding=-1)
