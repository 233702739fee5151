"""Depth-softmax colour: against a brute force, finite differences, its limits and its awkward inputs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from renderer.ops.native_function import call
from renderer.raster import soft_render
from renderer.reference.depth_softmax import depth_softmax as reference
from renderer.relax import DISTRIBUTIONS, distribution, t_conorm
from tests.cuda.compare import check_float32
from tests.cuda.scenes import crowd, parameters
from tests.oracle import brute_force

SIZE = (7, 9)
SHAPES = {"gamma": 1.7, "gamma_rev": 0.8}


def scene(seed: int = 0, channels: int = 3, batch: int = 1) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    v = np.concatenate([rng.uniform(0, 8, (batch, 7, 2)), rng.uniform(1, 3, (batch, 7, 1))], -1)
    f = np.stack([rng.permutation(7)[:3] for _ in range(5)])
    return torch.tensor(v), torch.tensor(f), torch.tensor(rng.uniform(0, 1, (batch, 7, channels)))


def no_textures(v: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The arguments of the op that belong to textures, where there are none."""
    empty = torch.empty(0, dtype=torch.int64)
    uv, slopes, texels = (v.new_empty(len(v), 0, n) for n in (2, 6, 0))
    return uv, empty.view(0, 3), slopes, texels, empty


def brute(v, f, a, size, *, name, scale, gamma, eps, near, far, background, shape=0.0, squared=False):
    """The formula of the docstring in NumPy, pixel by pixel; barycentrics by solving for them."""
    v, f, a = v[0].numpy(), f.numpy(), a[0].numpy()
    image = np.zeros((*size, a.shape[1]))
    for row in range(size[0]):
        for column in range(size[1]):
            pixel = np.array([column + 0.5, row + 0.5])
            terms = [(np.exp(eps / gamma), np.asarray(background))]
            for face in f:
                d, weights, _ = brute_force.nearest_on_boundary(pixel, v[face, :2])
                if d > 0:
                    weights = np.linalg.solve(np.vstack([v[face, :2].T, np.ones(3)]), [*pixel, 1.0])
                z = np.sign(d) * d * d / scale if squared else d / scale
                D, _ = brute_force.cdf_pdf(name, np.array(z), shape, 0.0)
                b = weights / v[face, 2]
                b = b / b.sum()
                nearness = (far - b @ v[face, 2]) / (far - near)
                terms.append((D * np.exp(nearness / gamma), b @ a[face]))
            image[row, column] = sum(w * c for w, c in terms) / sum(w for w, _ in terms)
    return image


@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("name", list(DISTRIBUTIONS))
def test_equals_brute_force_and_reference(name: str, squared: bool) -> None:
    v, f, a = scene()
    background = torch.tensor([0.2, 0.5, 0.9], dtype=torch.float64)
    d = distribution(name, scale=1.3, shape=SHAPES.get(name), squared=squared)
    options = {"t_conorm": t_conorm("probabilistic"), "gamma": 0.1, "near": 0.5, "far": 4.0}
    rgb, _ = soft_render(v, f, a, SIZE, distribution=d, background=background, **options)
    expected = brute(
        v, f, a, SIZE, name=name, scale=1.3, gamma=0.1, eps=1e-3, near=0.5, far=4.0, background=background.numpy(),
        shape=SHAPES.get(name, 0.0), squared=squared,
    )  # fmt: skip
    np.testing.assert_allclose(rgb[0].numpy(), expected, atol=1e-9)
    low, _ = soft_render(v.float(), f, a.float(), SIZE, distribution=d, background=background.float(), **options)
    np.testing.assert_allclose(low[0].numpy(), expected, atol=1e-4)

    parameters = torch.tensor([1.3, SHAPES.get(name, 0.0), 0.0, 0.1], dtype=torch.float64, requires_grad=True)
    g, gb = torch.randn(1, *SIZE, 3, dtype=torch.float64), torch.randn(1, *SIZE, dtype=torch.float64)
    leaves = (v.clone().requires_grad_(), a.clone().requires_grad_(), parameters)
    results = []
    settings = (*SIZE, name, squared, 1e-12, 1e-3, 0.5, 4.0, True, [])
    for run in (lambda *x: call("depth_softmax", *x), reference):
        colour, weight = run(leaves[0], f, leaves[1], f, parameters, *no_textures(v), *settings)
        results.append(torch.autograd.grad((colour * g).sum() + (weight * gb).sum(), leaves))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("perspective", [True, False])
def test_gradcheck_in_everything(perspective: bool) -> None:
    # All three paths into the positions (coverage, depth, barycentrics), attributes, gamma, background and scale.
    v, f, a = scene(1, channels=2, batch=2)
    leaf = lambda x: torch.as_tensor(x, dtype=torch.float64).clone().requires_grad_()  # noqa: E731

    def run(v, a, scale, gamma, background):
        d = distribution("logistic", scale=scale)
        return soft_render(
            v, f, a, SIZE, distribution=d, t_conorm=t_conorm("probabilistic"), gamma=gamma, background=background,
            near=0.5, far=4.0, perspective=perspective,
        )  # fmt: skip

    inputs = (leaf(v), leaf(a), leaf(1.1), leaf(0.2), leaf([0.3, 0.6]))
    assert torch.autograd.gradcheck(run, inputs, eps=1e-7, atol=1e-5)


def test_second_derivatives_run_through_the_reference() -> None:
    v, f, a = scene(1, channels=2)
    parameters = torch.tensor([1.1, 0, 0, 0.2], dtype=torch.float64)
    settings = (*no_textures(v), *SIZE, "logistic", False, 1e-12, 1e-3, 0.5, 4.0, True, [])
    hessians = [
        torch.autograd.functional.hessian(
            lambda a, run=run: run(v, f, a, f, parameters, *settings)[0].square().sum(), a
        )
        for run in (lambda *x: call("depth_softmax", *x), reference)
    ]
    torch.testing.assert_close(*hessians, atol=1e-9, rtol=1e-9)


def test_small_gamma_is_hard_and_finite_in_float32() -> None:
    v = torch.tensor([[[-9.0, -9, 2], [30, -9, 2], [-9, 30, 2], [-9, -9, 1.5], [30, -9, 1.5], [-9, 30, 1.5]]])
    f, a = torch.tensor([[0, 1, 2], [3, 4, 5]]), torch.tensor([[[1.0, 0]] * 3 + [[0, 1.0]] * 3])
    for gamma in (1e-6, 1e-3, 1.0, 1e3):
        leaves = (v.clone().requires_grad_(), a.clone().requires_grad_())
        rgb, _ = soft_render(
            leaves[0], f, leaves[1], (37, 41), distribution=distribution("logistic", scale=0.5),
            t_conorm=t_conorm("probabilistic"), gamma=gamma, near=1.0, far=4.0,
        )  # fmt: skip
        grads = torch.autograd.grad(rgb.square().sum(), leaves)
        assert torch.isfinite(rgb).all()
        assert all(torch.isfinite(g).all() for g in grads)
        if gamma == 1e-6:
            torch.testing.assert_close(rgb[0, 5, 5], torch.tensor([0.0, 1.0]))


def test_attributes_stop_at_the_face_and_not_at_its_neighbour() -> None:
    # Outside a face the attribute is that of its closest point: at a corner, the corner's own.
    v = torch.tensor([[[4.0, 4, 1], [8, 4, 1], [4, 8, 1]]], dtype=torch.float64)
    a = torch.tensor([[[1.0], [2.0], [3.0]]], dtype=torch.float64)
    rgb, _ = soft_render(
        v, torch.tensor([[0, 1, 2]]), a, (12, 12), distribution=distribution("cauchy", scale=1.0),
        t_conorm=t_conorm("max"), gamma=0.1, eps=-100.0, near=0.5, far=2.0,
    )  # fmt: skip
    torch.testing.assert_close(rgb[0, 0, 0, 0], torch.tensor(1.0, dtype=torch.float64))
    torch.testing.assert_close(rgb[0, 2, 11, 0], torch.tensor(2.0, dtype=torch.float64))


def test_face_colours_and_seams() -> None:
    v, f, _ = scene(2)
    colours = torch.rand(1, len(f), 3, dtype=torch.float64)
    corner_rows = torch.arange(len(f))[:, None].expand(-1, 3)
    options = {
        "distribution": distribution("logistic", scale=1.0),
        "t_conorm": t_conorm("max"),
        "near": 0.5,
        "far": 4.0,
    }
    by_row, _ = soft_render(v, f, colours, SIZE, attribute_faces=corner_rows, **options)
    soup, soup_f = v[:, f.flatten()], torch.arange(3 * len(f)).reshape(-1, 3)
    torch.testing.assert_close(by_row, soft_render(soup, soup_f, colours[:, corner_rows.flatten()], SIZE, **options)[0])


@pytest.mark.parametrize("op", ["depth_softmax"])
def test_opcheck_compile_and_vmap(op: str) -> None:
    v, f, a = scene(3, batch=2)
    parameters = torch.tensor([1.1, 0, 0, 0.2], dtype=torch.float64)
    settings = (*SIZE, "logistic", False, 1e-9, 1e-3, 0.5, 4.0, True, [])
    arguments = (v, f, a, f, parameters, *no_textures(v), *settings)
    torch.library.opcheck(torch.ops.renderer.depth_softmax.default, arguments)

    def loss(v, a, gamma):
        d = distribution("logistic", scale=1.1)
        rgb, alpha = soft_render(
            v, f, a, SIZE, distribution=d, t_conorm=t_conorm("max"), gamma=gamma, near=0.5, far=4.0
        )
        return rgb.square().sum() + alpha.sum()

    gamma = torch.tensor(0.2, dtype=torch.float64, requires_grad=True)
    leaves = (v.clone().requires_grad_(), a.clone().requires_grad_(), gamma)
    expected = torch.autograd.grad(loss(*leaves), leaves)
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(torch.autograd.grad(compiled(*leaves), leaves), expected)
    stacked = (torch.stack([v, v * 0.9]), torch.stack([a, a * 0.5]), gamma.detach())
    mapped = torch.func.vmap(torch.func.grad(loss, argnums=(0, 1)), in_dims=(0, 0, None))(*stacked)
    torch.testing.assert_close([m[0] for m in mapped], list(expected[:2]))


def test_threads_and_batches_give_the_same_bits() -> None:
    v, f, a = scene(4, batch=3)
    v = v * torch.tensor([30.0, 30.0, 1.0])
    options = {
        "distribution": distribution("gaussian", scale=2.0),
        "t_conorm": t_conorm("max"),
        "near": 0.5,
        "far": 4.0,
    }
    results = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 4):
            torch.set_num_threads(threads)
            x = v.clone().requires_grad_()
            rgb, _ = soft_render(x, f, a, (200, 260), **options)
            results.append((rgb.detach(), *torch.autograd.grad(rgb.square().sum(), x)))
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(p, q) for p, q in zip(results[0], other, strict=True))
    one, _ = soft_render(v[1:2], f, a[1:2], (200, 260), **options)
    assert torch.equal(one, results[0][0][1:2])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"attributes": torch.zeros(2, 7, 3).double()}, "attributes: expected shape"),
        ({"attributes": torch.zeros(1, 7, 3)}, "attributes: expected torch.float64"),
        ({"attributes": torch.zeros(1, 2, 3).double()}, "attribute_faces: face 0 refers to attribute"),
        ({"attribute_faces": torch.zeros(2, 3, dtype=torch.int64)}, "attribute_faces: expected int64"),
        ({"background": torch.zeros(2).double()}, "background: expected 3 channels as attributes, got 2"),
        ({"gamma": -1.0}, "gamma: must be positive and finite"),
        ({"near": 5.0, "far": 4.0}, "near, far: expected near < far"),
    ],
)
def test_errors_are_one_line(change, message) -> None:
    v, f, a = scene()
    f = f.clone()
    f[0] = torch.tensor([6, 5, 4])
    arguments = {
        "attributes": a,
        "distribution": distribution("logistic", scale=1.0),
        "t_conorm": t_conorm("max"),
    } | change
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        soft_render(v, f, image_size=SIZE, **arguments)
    assert "\n" not in str(caught.value)


def test_float32_keeps_its_digits_where_1e5_faces_meet() -> None:
    v, f = crowd()
    a = torch.rand(1, v.shape[1], 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    tensors = (v, f, a, f, parameters("logistic", 0.2, scale=0.7), *no_textures(v))
    args = (*tensors, 16, 16, "logistic", False, 1e-6, 1e-3, 0.5, 4.0, True, [])
    check_float32("depth_softmax", args, 2e-6)
