"""Lights: closed forms, learnable, one-line errors."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from renderer.scene.errors import DataError
from renderer.shading import (
    AmbientLight,
    DirectionalLight,
    Lights,
    PointLight,
    SphericalHarmonicsLight,
    blinn_phong,
    lambert,
    spherical_harmonics,
)


def directions(count: int = 400) -> torch.Tensor:
    """Evenly spread unit vectors (spherical Fibonacci points), float64."""
    i = torch.arange(count, dtype=torch.float64) + 0.5
    z = 1 - 2 * i / count
    azimuth = i * math.pi * (3 - math.sqrt(5))
    rho = (1 - z * z).sqrt()
    return torch.stack([rho * azimuth.cos(), rho * azimuth.sin(), z], -1)


def test_lambert_is_the_cosine() -> None:
    n = directions()[None]
    light = DirectionalLight((0.0, 0.0, 5.0), colour=(0.5, 1.0, 2.0))
    shade = lambert(n, n, Lights(light, AmbientLight(0.25)))
    expected = 0.25 + n[..., 2:].clamp(min=0) * torch.tensor([0.5, 1.0, 2.0])
    torch.testing.assert_close(shade, expected.double())
    assert not lambert(n, n, Lights()).any()


def test_point_light_falls_off_and_is_finite_at_itself() -> None:
    n, x = torch.tensor([[[0.0, 0.0, 1.0]]]), torch.zeros(1, 1, 3)
    for distance in (1.0, 3.0):
        light = PointLight((0.0, 0.0, distance), colour=2.0, falloff="inverse_square")
        torch.testing.assert_close(lambert(n, x, Lights(light)), torch.full((1, 1, 3), 2.0 / distance**2))
        plain = PointLight((0.0, 0.0, distance), colour=2.0)
        torch.testing.assert_close(lambert(n, x, Lights(plain)), torch.full((1, 1, 3), 2.0))
    position = torch.zeros(3, requires_grad=True)
    shade = lambert(n, x, Lights(PointLight(position, falloff="inverse_square")))
    assert not shade.any()
    assert not torch.autograd.grad(shade.sum(), position)[0].any()


def test_spherical_harmonics_are_orthonormal() -> None:
    basis = spherical_harmonics(directions(20000))
    gram = 4 * math.pi / 20000 * basis.T @ basis
    torch.testing.assert_close(gram, torch.eye(9, dtype=torch.float64), atol=1e-3, rtol=0)


def test_spherical_harmonics_approximate_the_cosine_of_one_direction() -> None:
    # A directional light of colour 1 is the environment π δ(ω - l): coefficients π Y(l).
    towards = torch.tensor([[0.3, -0.5, 0.81]], dtype=torch.float64)
    towards = towards / towards.norm()
    light = SphericalHarmonicsLight((math.pi * spherical_harmonics(towards)).T.expand(9, 3))
    n = directions(5000)
    error = light.irradiance(n[None])[0, :, 0] - (n @ towards[0]).clamp(min=0)
    # Ramamoorthi and Hanrahan: bands 0 to 2 hold 99.2 % of the clamped cosine's energy.
    energy = (n @ towards[0]).clamp(min=0).square().mean()
    assert error.square().mean() / energy < 0.01


@pytest.mark.parametrize("up", [(0.0, 1.0, 0.0), (0.0, 0.0, 2.0), (1.0, 1.0, 0.0)])
def test_hemisphere(up: tuple[float, float, float]) -> None:
    sky, ground = torch.tensor([0.2, 0.4, 0.9]), torch.tensor([0.3, 0.1, 0.0])
    n = directions()
    height = n @ torch.nn.functional.normalize(torch.tensor(up).double(), dim=0)
    expected = ground + (sky - ground) * (1 + height[:, None]) / 2
    light = SphericalHarmonicsLight.hemisphere(sky, ground, up=up)
    torch.testing.assert_close(light.irradiance(n[None])[0], expected, atol=1e-6, rtol=1e-6)


def test_blinn_phong_against_its_formula() -> None:
    n = torch.tensor([[[0.0, 0.0, 1.0]]], dtype=torch.float64)
    to_eye = torch.nn.functional.normalize(torch.tensor([0.6, 0.0, 0.8]).double(), dim=0)
    light = torch.nn.functional.normalize(torch.tensor([-0.3, 0.2, 0.9]).double(), dim=0)
    half = torch.nn.functional.normalize(to_eye + light, dim=0)
    shine = torch.tensor(20.0, dtype=torch.float64)
    value = blinn_phong(n, n, to_eye, Lights(DirectionalLight(light)), shininess=shine)
    torch.testing.assert_close(value, (half[2] ** 20).expand(1, 1, 3))
    below = blinn_phong(n, n, to_eye, Lights(DirectionalLight((0.1, 0.0, -1.0))), shininess=shine)
    assert not below.any()


def test_gradients() -> None:
    torch.manual_seed(0)
    n = torch.nn.functional.normalize(torch.randn(2, 5, 3, dtype=torch.float64), dim=-1)
    x, eye = torch.randn(2, 5, 3, dtype=torch.float64), torch.nn.functional.normalize(torch.randn(3).double(), dim=0)
    values = [torch.rand(3), torch.randn(3), torch.randn(3) * 3, torch.rand(3), torch.rand(9, 3), torch.tensor(7.0)]
    inputs = [v.double().requires_grad_() for v in values] + [n.requires_grad_(), x.requires_grad_()]

    def shade(ambient, direction, position, colour, harmonics, shine, n, x):
        lights = Lights(
            AmbientLight(ambient),
            DirectionalLight(direction, colour=colour),
            PointLight(position, colour=colour, falloff="inverse_square"),
            SphericalHarmonicsLight(harmonics),
        )
        return lambert(n, x, lights) + blinn_phong(n, x, eye, lights, shininess=shine)

    assert torch.autograd.gradcheck(shade, inputs)


def test_a_saturated_highlight_has_finite_gradients() -> None:
    shine = torch.tensor(50.0, requires_grad=True)
    n = torch.tensor([[[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 0.0, 0.0]]], requires_grad=True)
    value = blinn_phong(n, n.detach(), torch.tensor([0.0, 0.0, 1.0]), Lights(DirectionalLight()), shininess=shine)
    for gradient in torch.autograd.grad(value.sum(), (shine, n)):
        assert gradient.isfinite().all()


def test_lights_hold_parameters() -> None:
    colour, harmonics = nn.Parameter(torch.rand(3)), nn.Parameter(torch.rand(4, 3))
    lights = Lights(AmbientLight(colour), DirectionalLight(), SphericalHarmonicsLight(harmonics))
    assert [id(p) for p in lights.parameters()] == [id(colour), id(harmonics)]
    assert lights.to(torch.float64)[1].to_light.dtype == torch.float64
    assert repr(lights) == "Lights(AmbientLight, DirectionalLight, SphericalHarmonicsLight)"


def test_a_batch_of_lights_is_one_for_each_view() -> None:
    n = torch.tensor([0.0, 0.0, 1.0]).expand(2, 4, 5, 3)
    to_light = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])
    shade = lambert(n, n, Lights(DirectionalLight(to_light)))
    assert shade[0].eq(1).all()
    assert not shade[1].any()
    c = torch.tensor([0.0, 2.0]).reshape(2, 1, 1).expand(2, 1, 3)
    shade = lambert(n, n, Lights(SphericalHarmonicsLight(c)))
    assert not shade[0].any()
    assert shade[1].gt(0).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AmbientLight(-1.0), "colour: expected light, which is not negative, got .*"),
        (lambda: AmbientLight("red"), "colour: expected a colour such as #ffcc00, got 'red'"),
        (lambda: AmbientLight((1.0, 2.0)), "colour: expected 3 finite numbers, got .*"),
        (lambda: AmbientLight(torch.ones(2)), r"colour: expected a float Tensor \(..., 3\), got torch.float32 \(2,\)"),
        (lambda: DirectionalLight((0.0, 0.0, 0.0)), "to_light: expected a direction, got 0 0 0"),
        (lambda: DirectionalLight((0.0, math.nan, 0.0)), "to_light: expected 3 finite numbers, got .*"),
        (lambda: PointLight(falloff="linear"), "falloff: expected 'none' or 'inverse_square', got 'linear'"),
        (lambda: SphericalHarmonicsLight(torch.ones(5, 3)), r"coefficients: expected .*, got \(5, 3\)"),
        (lambda: Lights(1.0), r"lights\[0\]: expected a light of renderer.shading, got float"),
    ],
)
def test_errors(make, message: str) -> None:
    with pytest.raises(DataError, match=f"^{message}$"):
        make()
