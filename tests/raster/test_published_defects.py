"""What published soft renderers get wrong, one test each: none of it may come back."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.special
import torch
from torch import Tensor

from renderer import Camera, HardRenderer, SoftRenderer, reference
from renderer.ops.face_coverage import covered_pairs
from renderer.raster import FaceTextures, TextureMap, soft_render, soft_silhouette
from renderer.relax import DISTRIBUTIONS, T_CONORMS, distribution, t_conorm
from renderer.scene import icosphere

F64 = torch.float64
TRIANGLE = torch.tensor([[0, 1, 2]])
PROBABILISTIC = t_conorm("probabilistic")


def logistic(scale: float, **options):
    return distribution("logistic", scale=scale, **options)


def test_1_zero_area_faces_do_not_flood_the_image() -> None:
    # With an inside of measure zero taken for distance 0, F(0) = 1/2 covers the line's whole plane.
    v = torch.tensor([[[2.0, 2, 1], [6, 6, 1], [4, 4, 1]]])
    out = soft_silhouette(v, TRIANGLE, (8, 8), distribution=logistic(0.1), t_conorm=t_conorm("max"))
    assert out[0, 0, 7] < 1e-6
    assert out.max() <= 0.5


def test_2_sliver_distances_are_exact_in_float32() -> None:
    # Through barycentrics they are off by up to 2 pixels.
    v = torch.tensor([[[0.3, 10.0, 1], [511.7, 10.001, 1], [255.0, 10.002, 1]]])
    out, exact = (
        soft_silhouette(x, TRIANGLE, (64, 512), distribution=logistic(3.0), t_conorm=PROBABILISTIC).double()
        for x in (v, v.double())
    )
    torch.testing.assert_close(out, exact, atol=1e-6, rtol=0)


def test_3_colour_at_a_corner_is_the_corners_own() -> None:
    # A clipped barycentric of exactly 1 reads the row of the next face; here that row is red, the last texel too.
    v = torch.tensor([[[4.0, 4, 1], [8, 4, 1], [4, 8, 1], [9, 9, 1]]], dtype=F64)
    green, red = [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]
    attributes = torch.tensor([[green, green, green, red]], dtype=F64)
    options = {"distribution": logistic(0.5), "t_conorm": PROBABILISTIC, "gamma": 0.1, "eps": -50.0}
    options |= {"near": 0.5, "far": 2.0}
    rgb, _ = soft_render(v, TRIANGLE, attributes, (12, 12), **options)
    assert rgb[..., 0].abs().max() == 0
    image = torch.tensor(green, dtype=F64).repeat(4, 4, 1)
    image[0, :] = torch.tensor(red, dtype=F64)  # the row on top: v above 3/4
    uv = torch.tensor([[[0.2, 0.6], [0.8, 0.6], [0.2, 0.1]]], dtype=F64)
    textures = FaceTextures([TextureMap(image, wrap="clamp")], uv, TRIANGLE)
    rgb, _ = soft_render(v, TRIANGLE, torch.ones(1, 4, 3, dtype=F64), (12, 12), textures=textures, **options)
    assert rgb[..., 0].abs().max() == 0
    assert rgb[..., 1].max() > 0.99


def test_4_a_face_behind_the_camera_counts_in_no_value_and_no_gradient() -> None:
    v = torch.tensor([[[2.0, 2, 1], [6, 2, 1], [2, 6, -1]]], requires_grad=True)
    colours = torch.ones(1, 3, 1, requires_grad=True)
    rgb, alpha = soft_render(
        v, TRIANGLE, colours, (8, 8), distribution=logistic(1.0), t_conorm=PROBABILISTIC, near=0.5, far=2.0
    )
    assert not rgb.any()
    assert not alpha.any()
    for gradient in torch.autograd.grad(rgb.sum() + alpha.sum(), (v, colours)):
        assert not gradient.any()


@pytest.mark.parametrize("coverage", ["face", "outline"])
def test_5_hard_alpha_leaks_no_gradient(coverage: str) -> None:
    v = torch.tensor([[[1.2, 1.1, 1], [6.3, 2.4, 1], [2.2, 6.8, 1]]], requires_grad=True)
    d = distribution("hard", scale=1.0)
    out = soft_silhouette(v, TRIANGLE, (8, 8), distribution=d, t_conorm=t_conorm("max"), coverage=coverage)
    assert out.unique().tolist() == [0.0, 1.0]
    (gradient,) = torch.autograd.grad(out.sum(), v)
    assert not gradient.any()


def differences(loss, x: Tensor, step: float = 1e-6) -> Tensor:
    """Central finite differences, coordinate by coordinate."""
    out = torch.zeros_like(x)
    with torch.no_grad():
        for i in range(x.numel()):
            move = torch.zeros_like(x).view(-1)
            move[i] = step
            move = move.view(x.shape)
            out.view(-1)[i] = (loss(x + move) - loss(x - move)) / (2 * step)
    return out


@pytest.mark.parametrize("coverage", ["face", "outline"])
def test_6_colour_gradients_keep_every_path(coverage: str) -> None:
    # Without the path through the barycentrics the cosine is .70.
    g = torch.Generator().manual_seed(3)
    mesh = icosphere(0, dtype=F64)
    camera = Camera.orbit(3.0, 20.0, 35.0, image_size=(24, 24)).to(F64)
    colours = torch.rand(1, 12, 3, dtype=F64, generator=g)
    uv = torch.rand(1, 12, 2, dtype=F64, generator=g)
    image = torch.rand(4, 4, 3, dtype=F64, generator=g)
    target = torch.rand(1, 24, 24, 3, dtype=F64, generator=g)
    leaves = {"positions": mesh.vertices, "colours": colours, "texture": image, "uv": uv}

    def loss(**changed: Tensor) -> Tensor:
        values = leaves | changed
        textures = FaceTextures([TextureMap(values["texture"], "mipmap")], values["uv"], mesh.faces)
        rgb, alpha = soft_render(
            camera.project(values["positions"]), mesh.faces, values["colours"], (24, 24), distribution=logistic(0.7),
            t_conorm=PROBABILISTIC, gamma=1e-2, near=1.0, far=5.0, coverage=coverage, textures=textures,
        )  # fmt: skip
        return (rgb - target).square().sum() + alpha.square().sum()

    for name, value in leaves.items():
        leaf = value.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(loss(**{name: leaf}), leaf)
        expected = differences(lambda x, name=name: loss(**{name: x}), value)
        cosine = torch.nn.functional.cosine_similarity(gradient.flatten(), expected.flatten(), dim=0)
        assert cosine > 0.999, (name, float(cosine))
        torch.testing.assert_close(gradient.norm(), expected.norm(), rtol=1e-3, atol=0)


def test_7_the_background_counts_once() -> None:
    v = torch.tensor([[[-9.0, -9, 2], [40, -9, 2], [-9, 40, 2]]], dtype=F64)
    eps, gamma, near, far = 0.4, 0.3, 1.0, 3.0
    rgb, _ = soft_render(
        v, TRIANGLE, torch.ones(1, 3, 1, dtype=F64), (4, 4), distribution=logistic(0.1), t_conorm=PROBABILISTIC,
        gamma=gamma, eps=eps, near=near, far=far,
    )  # fmt: skip
    face, background = math.exp((far - 2.0) / (far - near) / gamma), math.exp(eps / gamma)
    torch.testing.assert_close(rgb, torch.full_like(rgb, face / (face + background)), atol=1e-9, rtol=0)


@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("name", ["logistic", "uniform", "gaussian", "gumbel_max"])
def test_8_faces_are_culled_where_their_coverage_ends(name: str, squared: bool) -> None:
    # Published: sqrt(eps tau) compared with d^2, so that the defaults cull nothing.
    size, d = 200, distribution(name, scale=0.7, squared=squared, support_eps=1e-6)
    v = torch.tensor([[[90.0, 90, 1], [110, 92, 1], [95, 108, 1]]], dtype=F64)
    y, x = torch.meshgrid(*[torch.arange(size, dtype=F64) + 0.5] * 2, indexing="ij")
    distance = reference.face_coverage.signed_distance(torch.stack([x, y], -1).reshape(-1, 2), v[..., :2])[:, 0]
    within = distance.reshape(size, size) >= -d.support()
    out = soft_silhouette(v, TRIANGLE, (size, size), distribution=d, t_conorm=PROBABILISTIC)[0]
    assert not out[~within].any()
    torch.testing.assert_close(out[within], d.cdf(distance.reshape(size, size)[within]), atol=1e-12, rtol=0)
    pairs = covered_pairs(v, TRIANGLE, d.parameters(F64, v.device), size, size, name, squared, 1e-6, "probabilistic")
    assert int(within.sum()) <= pairs < 2 * int(within.sum())


def test_9_gamma_has_no_end() -> None:
    # Published: a series that is cut at z = 15.
    for shape in (0.5, 3.0, 12.0, 40.0):
        z = torch.linspace(0.01, 90, 400, dtype=F64)
        cdf = distribution("gamma", scale=1.0, shape=shape).cdf(z)
        np.testing.assert_allclose(cdf.numpy(), scipy.special.gammainc(shape, z.numpy()), atol=1e-12)


def test_10_defaults_work() -> None:
    mesh, camera = icosphere(1), Camera.look_at((0.0, 0.0, 3.0), image_size=(16, 16))
    screen = camera.project(mesh.vertices)
    for image in (HardRenderer()(mesh, camera), SoftRenderer(scale=1.0)(mesh, camera)):
        assert image.isfinite().all()
    for name, cls in DISTRIBUTIONS.items():
        d = distribution(name, scale=1.0, shape=2.0 if cls.has_shape else None)
        rgb, alpha = soft_render(
            screen, mesh.faces, torch.ones(1, 42, 3), (16, 16), distribution=d, t_conorm=PROBABILISTIC
        )
        assert rgb.isfinite().all()
        assert alpha.isfinite().all()


@pytest.mark.parametrize(
    ("name", "p"), [("schweizer_sklar", -8.0), ("aczel_alsina", 50.0), ("yager", 50.0), ("dombi", 50.0)]
)
def test_11_no_clamp_bends_the_t_conorms(name: str, p: float) -> None:
    # Values that touch 0 and 1 within float32, seen by float64; published: clamped by 1e-6, or not finite.
    v = torch.tensor([[[2.13, 2.41, 1], [14.2, 3.3, 1], [3.7, 13.9, 1], [13.1, 12.2, 1]]])
    f = torch.tensor([[0, 1, 2], [1, 3, 2]])
    results = []
    for dtype in (torch.float32, F64):
        x = v.to(dtype).requires_grad_()
        out = soft_silhouette(x, f, (16, 16), distribution=logistic(0.4, support_eps=1e-12), t_conorm=t_conorm(name, p))
        assert out.isfinite().all()
        results.append((out.detach().double(), torch.autograd.grad(out.sum(), x)[0].double()))
    (low, low_gradient), (high, high_gradient) = results
    torch.testing.assert_close(low, high, atol=1e-5, rtol=0)
    torch.testing.assert_close(low_gradient, high_gradient, atol=1e-3 * float(high_gradient.abs().max()), rtol=0)


@pytest.mark.parametrize("aggregate", list(T_CONORMS))
def test_12_double_precision_all_the_way(aggregate: str) -> None:
    p = {"hamacher": 1.5, "frank": 2.0, "yager": 2.0, "aczel_alsina": 1.5, "dombi": 1.5, "schweizer_sklar": -1.5}
    v = torch.tensor([[[0.6, 0.9, 1], [4.3, 1.2, 1.5], [1.4, 4.7, 1.2], [4.9, 4.4, 2]]], dtype=F64, requires_grad=True)
    f = torch.tensor([[0, 1, 2], [1, 3, 2]])
    s = t_conorm(aggregate, p.get(aggregate))

    def run(v: Tensor) -> tuple[Tensor, Tensor]:
        return soft_render(
            v, f, v[..., :2] / 5, (5, 5), distribution=logistic(0.8), t_conorm=s, gamma=0.2, near=0.5, far=4.0
        )

    assert run(v)[0].dtype == F64
    assert torch.autograd.gradcheck(run, (v,), eps=1e-7, atol=1e-5)


def test_13_work_is_proportional_to_what_is_covered_and_nothing_is_truncated() -> None:
    # Published: every pixel loops over every face, or over the K nearest, which is wrong where more than K cover it.
    rng = np.random.default_rng(0)
    corner = rng.uniform(20, 44, (300, 1, 2))
    vertices = np.concatenate([(corner + rng.uniform(-2, 2, (300, 3, 2))).reshape(-1, 2), np.ones((900, 1))], 1)
    v, f = torch.tensor(vertices[None]), torch.arange(900).reshape(-1, 3)
    d = logistic(2.0, support_eps=1e-6)
    out = soft_silhouette(v, f, (64, 64), distribution=d, t_conorm=PROBABILISTIC)
    expected = reference.soft_silhouette(v, f, (64, 64), distribution=d, t_conorm=PROBABILISTIC)
    torch.testing.assert_close(out, expected, atol=1e-12, rtol=0)
    uncut = soft_silhouette(v, f, (64, 64), distribution=logistic(2.0, support_eps=1e-15), t_conorm=PROBABILISTIC)
    assert (out - uncut).abs().max() < 300 * 1e-6
    small = logistic(0.05, support_eps=1e-6)
    pairs = covered_pairs(v, f, small.parameters(F64, v.device), 64, 64, "logistic", False, 1e-6, "probabilistic")
    assert pairs < 0.02 * 64 * 64 * 300
