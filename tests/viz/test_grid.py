from __future__ import annotations

import pytest
import torch

from renderer.viz.grid import BOTH, NEITHER, ONLY_PREDICTED, ONLY_TARGET, compare, grid, overlay
from renderer.viz.image import from_srgb


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


def test_overlay_colours():
    predicted = torch.tensor([[1.0, 1.0, 0.0, 0.0]])
    target = torch.tensor([[1.0, 0.0, 1.0, 0.0]])
    expected = torch.stack([from_srgb(c) for c in (BOTH, ONLY_PREDICTED, ONLY_TARGET, NEITHER)])
    assert torch.allclose(overlay(predicted, target)[0], expected)


def test_overlay_of_an_antialiased_edge_matched_exactly_is_not_coloured():
    mask = torch.linspace(0, 1, 9).reshape(3, 3)
    picture = overlay(mask, mask)
    mixed = mask[..., None] * from_srgb(BOTH) + (1 - mask[..., None]) * from_srgb(NEITHER)
    assert torch.allclose(picture, mixed)
    assert overlay(mask.expand(2, 3, 3), mask.expand(2, 3, 3)).shape == (2, 3, 3, 3)


def test_compare_rows():
    predicted, target = torch.ones(2, 4, 4), torch.zeros(2, 4, 4)
    sheet = compare(predicted, target, padding=0)
    assert sheet.shape == (8, 12, 3)
    assert (sheet[:, :4] == 0).all()
    assert (sheet[:, 4:8] == 1).all()
    assert torch.allclose(sheet[0, 8], from_srgb(ONLY_PREDICTED))


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
    with pytest.raises(ValueError, match="target: expected the shape of predicted"):
        overlay(torch.zeros(2, 2), torch.zeros(2, 3))
    with pytest.raises(ValueError, match=r"predicted: expected shape \(N, H, W\)"):
        compare(torch.zeros(2, 2), torch.zeros(2, 2))
