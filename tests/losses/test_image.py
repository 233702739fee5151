"""Losses on pictures: closed forms, gradients, errors."""

from __future__ import annotations

import math

import pytest
import scipy.ndimage
import torch

from renderer.losses import huber, image_mse, l1, psnr, ssim

A = torch.rand(2, 16, 20, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
B = torch.rand(2, 16, 20, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_closed_forms() -> None:
    d = A - B
    torch.testing.assert_close(l1(A, B), d.abs().mean())
    torch.testing.assert_close(image_mse(A, B), d.square().mean())
    torch.testing.assert_close(psnr(A, B, reduction="none"), -10 * d.square().mean((1, 2, 3)).log10())
    delta = 0.3
    expected = torch.where(d.abs() < delta, d.square() / (2 * delta), d.abs() - delta / 2).mean()
    torch.testing.assert_close(huber(A, B, delta=delta), expected)


@pytest.mark.parametrize("loss", [l1, image_mse, huber])
def test_weights_choose_pixels(loss) -> None:
    weight = torch.zeros(2, 16, 20, dtype=torch.float64)
    weight[:, 3:7, 4:9] = 2.0
    torch.testing.assert_close(loss(A, B, weight=weight), loss(A[:, 3:7, 4:9], B[:, 3:7, 4:9]))
    assert loss(A, B, weight=torch.zeros_like(weight)) == 0


def test_ssim_is_that_of_the_paper() -> None:
    # Grey images, against SciPy's Gaussian filter with the same window.
    x, y = A[0, ..., 0].numpy(), B[0, ..., 0].numpy()

    def blur(image):
        return scipy.ndimage.gaussian_filter(image, 1.5, truncate=5 / 1.5)[5:-5, 5:-5]

    mx, my = blur(x), blur(y)
    c1, c2 = 1e-4, 9e-4
    s = (2 * mx * my + c1) * (2 * (blur(x * y) - mx * my) + c2)
    s = s / ((mx**2 + my**2 + c1) * (blur(x * x) - mx**2 + blur(y * y) - my**2 + c2))
    assert float(ssim(A[:1, ..., :1], B[:1, ..., :1])) == pytest.approx(s.mean(), abs=1e-9)
    assert float(ssim(A, A)) == pytest.approx(1.0)


@pytest.mark.parametrize("loss", [huber, image_mse, ssim, psnr])
def test_gradcheck(loss) -> None:
    small = A[:1, :12, :12, :1].clone().requires_grad_(), B[:1, :12, :12, :1].clone().requires_grad_()
    assert torch.autograd.gradcheck(loss, small)


def test_errors_are_one_line() -> None:
    for call, message in (
        (lambda: l1(A, B[:1]), "predicted, target: expected one shape"),
        (lambda: l1(A, B.float()), "target: expected torch.float64"),
        (lambda: l1(A, B, weight=torch.ones(2, 3, 3)), "weight: expected shape"),
        (lambda: huber(A, B, delta=0.0), "delta: expected a positive number"),
        (lambda: ssim(A[:, :9], B[:, :9]), "predicted: expected at least 11"),
    ):
        with pytest.raises(ValueError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)


def test_equal_pictures_have_infinite_psnr() -> None:
    assert math.isinf(float(psnr(A, A)))
