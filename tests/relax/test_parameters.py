"""Names and parameters of distributions and T-conorms: what is accepted, and one clear line for what is not."""

from __future__ import annotations

import math

import pytest
import torch

from renderer.relax import DISTRIBUTIONS, T_CONORMS, distribution, t_conorm


def test_registries_are_complete() -> None:
    assert len(DISTRIBUTIONS) == 19
    assert len(T_CONORMS) == 9
    assert all(cls.name == name for name, cls in [*DISTRIBUTIONS.items(), *T_CONORMS.items()])


def test_aliases() -> None:
    assert distribution("heaviside", scale=1.0).name == "hard"
    assert distribution("hyperbolic_secant", scale=1.0).name == "gudermannian"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("normal", {}, "name: expected one of hard, uniform, .*, got 'normal'"),
        ("gaussian", {"scale": 0.0}, "scale: expected a finite number > 0, got 0.0"),
        ("gaussian", {"scale": -1}, "scale: expected a finite number > 0, got -1"),
        ("gaussian", {"scale": math.nan}, "scale: expected a finite number > 0, got nan"),
        ("gaussian", {"scale": math.inf}, "scale: expected a finite number > 0, got inf"),
        ("gaussian", {"scale": "1"}, "scale: expected a finite number > 0, as a float or a tensor"),
        ("gaussian", {"scale": torch.ones(2)}, r"scale: .* got a tensor of shape \(2,\)"),
        ("gaussian", {"scale": torch.tensor(-2.0)}, "scale: expected a finite number > 0, got -2.0"),
        ("gaussian", {"scale": torch.tensor(1)}, "scale: .* floating-point tensor .* torch.int64"),
        ("gaussian", {"shape": 1.0}, "shape: gaussian expects None, as it has none, got 1.0"),
        ("gamma", {}, "shape: gamma expects a finite number > 0, got None"),
        ("gamma", {"shape": 0.0}, "shape: expected a finite number > 0, got 0.0"),
        ("laplace", {"shift": 0.1}, "shift: laplace expects 0, as it has none, got 0.1"),
        ("levy", {"shift": math.inf}, "shift: expected a finite number, got inf"),
    ],
)
def test_distribution_errors(name: str, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        distribution(name, **{"scale": 1.0, **options})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "p", "message"),
    [
        ("sum", None, "name: expected one of max, probabilistic, .*, got 'sum'"),
        ("yager", None, "p: yager expects a finite number > 0, got None"),
        ("max", 1.0, "p: max expects None, as it has none, got 1.0"),
        ("yager", 0.0, "p: expected a finite number > 0, got 0.0"),
        ("dombi", math.inf, "p: expected a finite number > 0, got inf"),
        ("hamacher", -0.1, "p: expected a finite number >= 0, got -0.1"),
        ("frank", 0.0, "p: expected a finite number > 0, got 0.0"),
        ("schweizer_sklar", 0.5, "p: expected a finite number <= 0, got 0.5"),
        ("aczel_alsina", torch.tensor(math.nan), "p: expected a finite number > 0, got nan"),
    ],
)
def test_t_conorm_errors(name: str, p: float | None, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        t_conorm(name, p)
    assert "\n" not in str(error.value)


def test_parameters_are_one_differentiable_tensor() -> None:
    scale, shift = (torch.nn.Parameter(torch.tensor(v, dtype=torch.float64)) for v in (2.0, 0.5))
    d = distribution("gamma", scale=scale, shape=1.5, shift=shift)
    values = d.parameters(torch.float32, "cpu")
    assert values.dtype == torch.float32
    assert values.tolist() == [2.0, 1.5, 0.5]
    values.sum().backward()
    assert scale.grad == shift.grad == 1
    assert distribution("logistic", scale=2.0).parameters(torch.float64, "cpu").tolist() == [2.0, 0.0, 0.0]


def test_p_is_a_differentiable_tensor() -> None:
    p = torch.nn.Parameter(torch.tensor(2.0))
    t_conorm("yager", p).parameter(torch.float64, "cpu").backward()
    assert p.grad == 1
    assert t_conorm("max").parameter(torch.float32, "cpu") == 0


def test_gradients_reach_parameters_of_another_type() -> None:
    scale = torch.nn.Parameter(torch.tensor(1.5, dtype=torch.float64))
    value = distribution("logistic", scale=scale).cdf(torch.linspace(-1, 2, 5))
    assert value.dtype == torch.float32
    value.sum().backward()
    assert torch.isfinite(scale.grad)
