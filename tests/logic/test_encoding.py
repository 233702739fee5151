from __future__ import annotations

import pytest
import torch

from renderer.logic import Boolean, OneHot, Thermometer
from renderer.relax import distribution


def test_boolean() -> None:
    x = torch.tensor([[0, 127], [128, 255]], dtype=torch.uint8)
    assert Boolean(127).discrete(x).tolist() == [[False, False], [True, True]]
    assert Boolean(127)(x).tolist() == [[0.0, 0.0], [1.0, 1.0]]


def test_one_hot_has_one_bit_set_for_each_column() -> None:
    values = torch.tensor([[0, 2, 1], [1, 0, 0]])
    bits = OneHot([2, 3, 2]).discrete(values)
    assert bits.int().tolist() == [[1, 0, 0, 0, 1, 0, 1], [0, 1, 1, 0, 0, 1, 0]]
    with pytest.raises(ValueError, match="x: expected 0 to 2 in column 1, got others"):
        OneHot([2, 3, 2]).discrete(torch.tensor([[0, 3, 0]]))
    with pytest.raises(ValueError, match=r"x: expected integers \(…, 3\)"):
        OneHot([2, 3, 2]).discrete(torch.zeros(2, 2, dtype=torch.int64))
    with pytest.raises(ValueError, match="sizes: expected at least one category"):
        OneHot([])


def test_thermometer_counts_thresholds() -> None:
    encoding = Thermometer.fixed(0.0, 1.0, levels=3)
    torch.testing.assert_close(encoding.thresholds, torch.tensor([0.25, 0.5, 0.75]))
    assert encoding.discrete(torch.tensor([[0.3, 0.9]])).int().tolist() == [[1, 0, 0, 1, 1, 1]]
    images = torch.rand(2, 3, 4, 5)
    bits = Thermometer.fixed(0.0, 1.0, levels=2, dim=-3).discrete(images)
    assert bits.shape == (2, 6, 4, 5)
    assert torch.equal(bits[:, 3], images[:, 1] > encoding.thresholds.new_tensor(2 / 3)) or torch.equal(
        bits[:, 2], images[:, 1] > 1 / 3
    )
    assert torch.equal(bits[:, 2], images[:, 1] > Thermometer.fixed(0.0, 1.0, levels=2).thresholds[0])


def test_quantile_thresholds_split_the_data_evenly() -> None:
    data = torch.randn(10_001, 2) * torch.tensor([1.0, 50.0])
    bits = Thermometer.quantile(data, levels=4).discrete(data)
    shares = bits.float().mean(0)
    torch.testing.assert_close(shares, torch.tensor([0.8, 0.6, 0.4, 0.2] * 2), rtol=0, atol=0.01)


def test_learnt_thresholds_are_relaxed_by_the_distribution() -> None:
    start = torch.tensor([[0.2, 0.6], [0.1, 0.9]], dtype=torch.float64)
    encoding = Thermometer.learnable(start, scale=0.1)
    x = torch.rand(5, 2, dtype=torch.float64, requires_grad=True)
    y = encoding(x)
    torch.testing.assert_close(y[:, 1], distribution("logistic", scale=0.1).cdf(x[:, 0] - 0.6))
    y.sum().backward()
    assert encoding.thresholds.grad is not None
    assert (encoding.thresholds.grad < 0).all()
    assert torch.equal(encoding.discrete(x), torch.stack([x[:, i] > t for i, row in enumerate(start) for t in row], 1))
    assert not list(Thermometer(start).parameters())
    assert "thresholds" in Thermometer(start).state_dict()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Thermometer(torch.zeros(2, 2, 2)), "thresholds: expected numbers"),
        (lambda: Thermometer(torch.tensor([float("nan")])), "thresholds: expected finite numbers"),
        (lambda: Thermometer(torch.zeros(2), dim=1), "dim: expected a dimension counted from the last"),
        (lambda: Thermometer.fixed(1.0, 0.0, levels=2), "low, high, levels: expected low < high"),
        (lambda: Thermometer.quantile(torch.zeros(0, 2), levels=2), "data, levels: expected"),
        (lambda: Thermometer(torch.zeros(3, 2)).discrete(torch.zeros(5, 2)), "x: expected 3 features, got 2"),
        (lambda: Thermometer(torch.zeros(2), dim=-3).discrete(torch.zeros(5)), "x: expected at least 3 dimensions"),
    ],
)
def test_errors_are_one_line(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
