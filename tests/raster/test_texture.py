"""Texture lookup: conventions, wrapping, filters, the pyramid's level, errors."""

from __future__ import annotations

import pytest
import torch

from renderer.raster import texture
from renderer.raster.texture import level_of_detail


def points(*uv: tuple[float, float]) -> torch.Tensor:
    return torch.tensor(uv, dtype=torch.float64).reshape(1, 1, -1, 2)


def test_the_origin_is_the_bottom_left_corner() -> None:
    image = torch.arange(6.0, dtype=torch.float64).reshape(1, 2, 3, 1)  # top row 0 1 2
    centres = points((1 / 6, 0.25), (5 / 6, 0.25), (1 / 6, 0.75), (5 / 6, 0.75))
    for filter in ("linear", "nearest"):
        torch.testing.assert_close(
            texture(image, centres, filter=filter).flatten(), torch.tensor([3.0, 5, 0, 2], dtype=torch.float64)
        )


def test_linear_and_wrapping() -> None:
    image = torch.tensor([[0.0, 4.0]], dtype=torch.float64).reshape(1, 1, 2, 1)
    between = texture(image, points((0.5, 0.5), (0.375, 0.5), (1.5, 7.5), (-0.5, -3.5))).flatten()
    torch.testing.assert_close(between, torch.tensor([2.0, 1, 2, 2], dtype=torch.float64))
    ends = points((0.0, 0.5), (1.0, 0.5), (-3.0, 0.5), (3.0, 0.5))
    assert texture(image, ends, wrap="clamp").flatten().tolist() == [0, 4, 0, 4]
    assert texture(image, ends, wrap="repeat").flatten().tolist() == [2, 2, 2, 2]
    assert texture(image, ends, wrap="repeat", filter="nearest").flatten().tolist() == [0, 0, 0, 0]


def test_a_batch_shares_one_image_or_has_its_own() -> None:
    torch.manual_seed(0)
    uv, images = torch.rand(3, 4, 5, 2), torch.rand(3, 6, 7, 2)[..., None].expand(3, 6, 7, 2, 1).flatten(-2)
    own = texture(images, uv)
    for i in range(3):
        torch.testing.assert_close(own[i : i + 1], texture(images[i : i + 1], uv[i : i + 1]))
    shared = images[:1].clone().requires_grad_()
    texture(shared, uv).sum().backward()
    repeated = images[:1].expand(3, -1, -1, -1).clone().requires_grad_()
    texture(repeated, uv).sum().backward()
    assert shared.grad is not None
    assert repeated.grad is not None
    torch.testing.assert_close(shared.grad, repeated.grad.sum(0, keepdim=True))


def test_level_of_detail_is_the_longer_step_in_texels() -> None:
    slopes = torch.tensor([[0.0, 4 / 32], [2 / 8, 0.0]]).reshape(1, 1, 1, 2, 2)  # du/dy = 4 texels, dv/dx = 2 texels
    assert level_of_detail(slopes, 8, 32).item() == pytest.approx(2)
    assert level_of_detail(slopes * 0, 8, 32).item() == 0
    assert level_of_detail(slopes * 1e9, 8, 32).item() == 5


def test_mipmap_of_a_far_checkerboard_is_grey() -> None:
    rows, columns = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    board = ((rows + columns) % 2).double().reshape(1, 64, 64, 1)
    uv = torch.rand(1, 9, 9, 2, dtype=torch.float64)
    slopes = torch.eye(2, dtype=torch.float64).expand(1, 9, 9, 2, 2)
    grey = texture(board, uv, uv_derivatives=slopes * 2 / 64, filter="mipmap")
    torch.testing.assert_close(grey, torch.full_like(grey, 0.5))
    near = texture(board, uv, uv_derivatives=slopes * 0.9 / 64, filter="mipmap")
    torch.testing.assert_close(near, texture(board, uv))
    whole = texture(board, uv, uv_derivatives=slopes * 1e3, filter="mipmap")
    torch.testing.assert_close(whole, torch.full_like(whole, 0.5))


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (7, 3)])
def test_any_size_has_a_pyramid_with_gradients(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    image = torch.rand(1, *size, 3, dtype=torch.float64, requires_grad=True)
    uv = torch.rand(1, 2, 2, 2, dtype=torch.float64, requires_grad=True)
    slopes = (0.3 * torch.rand(1, 2, 2, 2, 2, dtype=torch.float64)).requires_grad_()

    def run(image: torch.Tensor, uv: torch.Tensor, slopes: torch.Tensor) -> torch.Tensor:
        return texture(image, uv, uv_derivatives=slopes, filter="mipmap")

    assert torch.autograd.gradcheck(run, (image, uv, slopes), fast_mode=True)


def test_errors_are_one_line() -> None:
    image, uv = torch.rand(1, 4, 4, 3), torch.rand(1, 2, 2, 2)
    with pytest.raises(ValueError, match="uv_derivatives: expected derivatives for filter='mipmap', got none"):
        texture(image, uv, filter="mipmap")
    with pytest.raises(ValueError, match="uv_derivatives: expected None for filter='linear'"):
        texture(image, uv, uv_derivatives=torch.rand(1, 2, 2, 2, 2))
    with pytest.raises(ValueError, match="filter: expected"):
        texture(image, uv, filter="cubic")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="wrap: expected"):
        texture(image, uv, wrap="mirror")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="image: expected shape"):
        texture(torch.rand(2, 4, 4, 3), uv)
    with pytest.raises(TypeError, match=r"image: expected torch\.float32"):
        texture(image.double(), uv)
    for bad in (float("nan"), 1e12):
        with pytest.raises(ValueError, match="uv: expected finite"):
            texture(image, torch.full((1, 1, 1, 2), bad))
