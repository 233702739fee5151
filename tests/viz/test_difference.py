from __future__ import annotations

import math

import pytest
import torch

from renderer.viz import compare, difference, overlay, signed, to_uint8
from renderer.viz.difference import BOTH, EQUAL, LESS, MORE, NEITHER, ONLY_PREDICTED, ONLY_TARGET
from renderer.viz.image import from_srgb


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


def test_compare_pictures_shares_one_limit():
    target = torch.full((2, 4, 4, 3), 0.5)
    predicted = target.clone()
    predicted[0] += 0.4
    predicted[1] -= 0.2
    sheet = compare(predicted, target, padding=0)
    assert sheet.shape == (8, 12, 3)
    assert torch.equal(sheet[:4, :4], target[0])
    assert torch.equal(sheet[4:, 4:8], predicted[1])
    assert torch.allclose(sheet[0, 8], from_srgb(MORE), atol=1e-6)
    assert torch.allclose(sheet[4, 8], (from_srgb(EQUAL) + from_srgb(LESS)) / 2, atol=1e-6)


def test_signed_is_white_at_zero_and_saturates_at_the_limit():
    values = torch.tensor([[0.0, 2.0, -2.0, 5.0, -1.0]], dtype=torch.float64, requires_grad=True)
    colours = signed(values, limit=2.0)
    assert colours.dtype == torch.float64
    assert not colours.requires_grad
    expected = [from_srgb(c).double() for c in (EQUAL, MORE, LESS, MORE)]
    assert torch.allclose(colours[0, :4], torch.stack(expected))
    assert torch.allclose(colours[0, 4], (expected[0] + expected[2]) / 2)
    assert torch.allclose(signed(values)[0, 1], expected[0] + 0.4 * (expected[1] - expected[0]))
    assert (signed(torch.zeros(3, 2, 2)) == 1).all()
    assert to_uint8(colours).shape == (1, 5, 3)


def test_difference_has_the_sign_of_the_mean_over_the_channels():
    target = torch.zeros(1, 2, 3)
    predicted = torch.tensor([[[0.9, 0.0, 0.0], [0.2, -0.3, 0.1]]])
    assert torch.allclose(difference(predicted, target), signed(torch.tensor([[0.3, 0.0]])), atol=1e-6)


def test_errors():
    with pytest.raises(ValueError, match="target: expected the shape of predicted"):
        overlay(torch.zeros(2, 2), torch.zeros(2, 3))
    with pytest.raises(ValueError, match=r"predicted: expected shape \(N, H, W\) or"):
        compare(torch.zeros(2, 2), torch.zeros(2, 2))
    with pytest.raises(ValueError, match="target: expected the shape of predicted"):
        difference(torch.zeros(2, 2, 3), torch.zeros(2, 3, 3))
    with pytest.raises(ValueError, match=r"predicted: expected shape \(..., H, W, C\), got \(2, 2\)"):
        difference(torch.zeros(2, 2), torch.zeros(2, 2))
    with pytest.raises(ValueError, match=r"values: expected a float Tensor \(..., H, W\), got torch.int64 \(2, 2\)"):
        signed(torch.zeros(2, 2, dtype=torch.int64))
    for bad in (math.nan, math.inf):
        with pytest.raises(ValueError, match="values: expected finite numbers"):
            signed(torch.full((2, 2), bad))
    for limit in (0.0, -1.0, math.inf):
        with pytest.raises(ValueError, match="limit: expected a positive number"):
            signed(torch.zeros(2, 2), limit=limit)
    with pytest.raises(ValueError, match="limit: expected None beside masks"):
        compare(torch.zeros(2, 4, 4), torch.zeros(2, 4, 4), limit=1.0)
