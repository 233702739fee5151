from __future__ import annotations

from functools import partial

import pytest
import torch

from renderer.losses import dice, hard_iou, mse, multi_scale, soft_iou

LOSSES = [soft_iou, dice, mse, partial(multi_scale, levels=3)]


def masks(*shape: int, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    predicted, target = torch.rand((2, *shape), generator=generator, dtype=dtype)
    return predicted, target


def test_closed_forms():
    predicted = torch.tensor([[[1.0, 1.0], [0.0, 0.5]]])
    target = torch.tensor([[[1.0, 0.0], [0.0, 0.5]]])
    assert soft_iou(predicted, target).item() == pytest.approx(1 - 1.25 / (1 + 1 + 0.75))
    assert dice(predicted, target).item() == pytest.approx(1 - 2.5 / 4)
    assert mse(predicted, target).item() == pytest.approx(0.25)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_binary_masks_have_no_loss(loss, dtype):
    mask = (masks(2, 8, 8, dtype=dtype)[0] > 0.5).to(dtype)
    value = (soft_iou if loss.__class__ is partial else loss)(mask, mask)
    assert value.dtype == dtype
    assert value == 0


@pytest.mark.parametrize("loss", LOSSES)
def test_gradcheck(loss):
    predicted, target = masks(2, 5, 6)
    assert torch.autograd.gradcheck(loss, (predicted.requires_grad_(), target.requires_grad_()))
    assert torch.autograd.gradgradcheck(loss, (predicted, target))


@pytest.mark.parametrize("loss", LOSSES)
def test_two_empty_masks_agree_with_finite_gradient(loss):
    predicted = torch.zeros(2, 8, 8, requires_grad=True)
    value = loss(predicted, torch.zeros(2, 8, 8))
    value.backward()
    assert value == 0
    assert predicted.grad.isfinite().all()


@pytest.mark.parametrize("loss", [soft_iou, dice, mse, hard_iou])
def test_batches_and_reductions(loss):
    predicted, target = masks(2, 3, 8, 9)
    each = loss(predicted, target, reduction="none")
    assert each.shape == (2, 3)
    assert each[1, 2] == loss(predicted[1, 2], target[1, 2])
    assert torch.allclose(loss(predicted, target), each.mean())
    assert torch.allclose(loss(predicted, target, reduction="sum"), each.sum())


def test_images_weigh_alike_whatever_their_size_of_object():
    """Per image, then the mean: a large object does not drown a small one."""
    target = torch.zeros(2, 16, 16)
    target[0, 0, 0] = 1
    target[1] = 1
    assert soft_iou(torch.zeros_like(target), target) == 1
    assert soft_iou(torch.stack([torch.zeros(16, 16), torch.ones(16, 16)]), target) == 0.5


def test_multi_scale_is_the_mean_over_a_pyramid_of_block_means():
    predicted, target = masks(2, 8, 12)
    half = [image.reshape(2, 4, 2, 6, 2).mean((2, 4)) for image in (predicted, target)]
    expected = (mse(predicted, target) + mse(*half)) / 2
    assert torch.allclose(multi_scale(predicted, target, levels=2, loss=mse), expected)
    assert multi_scale(predicted, target, levels=1) == soft_iou(predicted, target)


def test_multi_scale_keeps_odd_borders():
    predicted = torch.zeros(5, 7)
    predicted[-1, -1] = 1
    coarsest = multi_scale(predicted, torch.zeros(5, 7), levels=4, loss=lambda p, t: p.sum() * 0 + p[-1, -1])
    # the corner pixel is alone in its block on the first level, then shares 3×4 → 2×2 → 1×1 blocks
    assert coarsest.item() == pytest.approx((1 + 1 + 0.5 + 0.125) / 4)


def test_hard_iou_cuts_at_the_threshold():
    predicted = torch.tensor([[0.4, 0.6], [0.9, 0.0]])
    target = torch.tensor([[1.0, 1.0], [1.0, 0.0]])
    assert hard_iou(predicted, target).item() == pytest.approx(2 / 3)
    assert hard_iou(predicted, target, threshold=0.3) == 1
    assert hard_iou(predicted > 0.5, target > 0.5).item() == pytest.approx(2 / 3)
    assert hard_iou(torch.zeros(4, 4), torch.zeros(4, 4)) == 1


@pytest.mark.parametrize("loss", [soft_iou, dice, mse])
def test_vmap_and_func_grad(loss):
    predicted, target = masks(3, 4, 5)
    assert torch.allclose(torch.func.vmap(loss)(predicted, target), loss(predicted, target, reduction="none"))
    leaf = predicted.clone().requires_grad_()
    loss(leaf, target).backward()
    assert torch.allclose(torch.func.grad(loss)(predicted, target), leaf.grad)


@pytest.mark.parametrize("loss", LOSSES)
def test_errors_name_the_argument(loss):
    image = torch.zeros(2, 8, 8)
    with pytest.raises(ValueError, match=r"target: expected the shape of predicted \(2, 8, 8\), got \(2, 8, 9\)"):
        loss(image, torch.zeros(2, 8, 9))
    with pytest.raises(ValueError, match=r"target: expected the dtype .*float64"):
        loss(image, image.double())
    with pytest.raises(ValueError, match="predicted: expected a floating dtype"):
        loss(image.bool(), image.bool())
    with pytest.raises(ValueError, match="predicted: expected shape"):
        loss(torch.zeros(8), torch.zeros(8))


def test_option_errors():
    image = torch.zeros(2, 8, 8)
    with pytest.raises(ValueError, match="levels: expected 1 to 4 for images of 8×8 pixels, got 5"):
        multi_scale(image, image, levels=5)
    with pytest.raises(ValueError, match="levels: expected 1 to 4"):
        multi_scale(image, image, levels=0)
    with pytest.raises(ValueError, match="reduction: expected 'mean', 'sum' or 'none', got 'max'"):
        soft_iou(image, image, reduction="max")


@pytest.mark.parametrize("loss", [*LOSSES, hard_iou])
def test_compile_fullgraph(loss):
    predicted, target = masks(2, 8, 9)
    compiled = torch.compile(loss, fullgraph=True, backend="eager")
    assert torch.allclose(compiled(predicted, target), loss(predicted, target))
