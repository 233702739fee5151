"""Soft silhouettes: every distribution x T-conorm, native and reference, against the brute force; laws; corner
cases."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from renderer import reference
from renderer.raster import soft_silhouette
from renderer.relax import DISTRIBUTIONS, T_CONORMS, distribution, t_conorm
from tests.oracle import brute_force

SIZE = (7, 9)
SHAPES = {"gamma": 1.7, "gamma_rev": 0.8}
P = {"hamacher": 1.7, "frank": 2.5, "yager": 2.3, "aczel_alsina": 1.6, "dombi": 1.4, "schweizer_sklar": -1.5}
IMPLEMENTATIONS = {"native": soft_silhouette, "reference": reference.soft_silhouette}


def make_distribution(name: str, *, scale: float = 1.3, squared: bool = False, **options):
    cls = DISTRIBUTIONS[name]
    shift = 0.4 if cls.has_shift else 0.0
    return distribution(name, scale=scale, shape=SHAPES.get(name), shift=shift, squared=squared, **options)


def make_t_conorm(name: str):
    return t_conorm(name, P.get(name))


def triangles(seed: int = 0, count: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    vertices = np.concatenate([rng.uniform(0, 8, (count + 2, 2)), rng.uniform(1, 2, (count + 2, 1))], 1)
    # The oracle sees what float32 sees.
    vertices = vertices.astype(np.float32).astype(np.float64)
    faces = np.stack([rng.permutation(count + 2)[:3] for _ in range(count)])
    return vertices, faces


def value_and_gradient(run, vertices, faces, grad, dtype, **options):
    v = torch.tensor(vertices[None], dtype=dtype, requires_grad=True)
    out = run(v, torch.tensor(faces), SIZE, **options)
    (out * torch.tensor(grad, dtype=dtype)).sum().backward()
    return out[0].detach().double().numpy(), v.grad[0].double().numpy()


@pytest.mark.parametrize("squared", [False, True], ids=["plain", "squared"])
@pytest.mark.parametrize(("name", "aggregate"), list(itertools.product(DISTRIBUTIONS, T_CONORMS)))
def test_equals_brute_force(name: str, aggregate: str, squared: bool) -> None:
    vertices, faces = triangles()
    grad = np.random.default_rng(1).uniform(-1, 1, SIZE)
    d, s = make_distribution(name, squared=squared), make_t_conorm(aggregate)
    expected, expected_grad = brute_force.render(
        vertices, faces, SIZE, name=name, scale=1.3, shape=SHAPES.get(name, 0.0), shift=float(d.shift), squared=squared,
        t_conorm=aggregate, p=P.get(aggregate, 0.0), radius=np.inf, grad=grad,
    )  # fmt: skip
    scale = max(1.0, np.abs(expected_grad).max())
    for run, (dtype, tolerance) in itertools.product(
        IMPLEMENTATIONS.values(), [(torch.float64, 1e-9), (torch.float32, 1e-4)]
    ):
        value, gradient = value_and_gradient(run, vertices, faces, grad, dtype, distribution=d, t_conorm=s)
        np.testing.assert_allclose(value, expected, atol=tolerance)
        np.testing.assert_allclose(gradient, expected_grad, atol=tolerance * scale)


@pytest.mark.parametrize(
    ("aggregate", "p"),
    [("hamacher", p) for p in (0.0, 1.0, 6.0)]
    + [("frank", 0.3), ("schweizer_sklar", -0.4), ("schweizer_sklar", -8.0)]
    + [(name, p) for name in ("yager", "aczel_alsina", "dombi") for p in (0.6, 8.0)],
)
def test_other_parameters_equal_brute_force(aggregate: str, p: float) -> None:
    vertices, faces = triangles(7)
    grad = np.random.default_rng(1).uniform(-1, 1, SIZE)
    d, s = make_distribution("logistic"), t_conorm(aggregate, p)
    expected, expected_grad = brute_force.render(
        vertices, faces, SIZE, name="logistic", scale=1.3, t_conorm=aggregate, p=p, radius=np.inf, grad=grad
    )
    scale = max(1.0, np.abs(expected_grad).max())
    for run, (dtype, tolerance) in itertools.product(
        IMPLEMENTATIONS.values(), [(torch.float64, 1e-9), (torch.float32, 1e-4)]
    ):
        value, gradient = value_and_gradient(run, vertices, faces, grad, dtype, distribution=d, t_conorm=s)
        np.testing.assert_allclose(value, expected, atol=tolerance)
        np.testing.assert_allclose(gradient, expected_grad, atol=tolerance * scale)


@pytest.mark.parametrize("squared", [False, True], ids=["plain", "squared"])
@pytest.mark.parametrize(("name", "aggregate"), list(itertools.product(DISTRIBUTIONS, T_CONORMS)))
def test_parameter_gradients_equal_reference(name: str, aggregate: str, squared: bool) -> None:
    vertices, faces = triangles(3)
    grad = torch.from_numpy(np.random.default_rng(1).uniform(-1, 1, SIZE))
    cls = DISTRIBUTIONS[name]
    results = []
    for run in IMPLEMENTATIONS.values():
        make = lambda x: torch.tensor(x, dtype=torch.float64, requires_grad=True)  # noqa: E731
        leaves = {"scale": make(1.3)}
        if cls.has_shape:
            leaves["shape"] = make(SHAPES[name])
        if cls.has_shift:
            leaves["shift"] = make(0.4)
        d = distribution(name, squared=squared, **leaves)
        if aggregate in P:
            leaves["p"] = make(P[aggregate])
        out = run(
            torch.from_numpy(vertices[None]),
            torch.from_numpy(faces),
            SIZE,
            distribution=d,
            t_conorm=t_conorm(aggregate, leaves.get("p")),
        )
        if name == "hard" and "p" not in leaves:
            return
        gradients = torch.autograd.grad(
            (out * grad).sum(), list(leaves.values()), materialize_grads=True, allow_unused=True
        )
        results.append(torch.stack(gradients))
    torch.testing.assert_close(results[0], results[1], rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("coverage", ["face", "outline"])
@pytest.mark.parametrize("name", ["logistic", "gaussian", "gamma"])
def test_gradcheck(name: str, coverage: str) -> None:
    vertices, faces = triangles(5)
    v = torch.tensor(vertices[None, :, :2], requires_grad=True)
    depth = torch.tensor(vertices[None, :, 2:])
    scale = torch.tensor(1.3, dtype=torch.float64, requires_grad=True)
    p = torch.tensor(1.7, dtype=torch.float64, requires_grad=True)

    def run(v, scale, p):
        d = distribution(name, scale=scale, shape=SHAPES.get(name))
        xyz = torch.cat([v, depth], -1)
        return soft_silhouette(
            xyz, torch.tensor(faces), SIZE, distribution=d, t_conorm=t_conorm("hamacher", p), coverage=coverage
        )

    inputs = (v, scale, p) if coverage == "face" else (v, scale, p.detach())
    assert torch.autograd.gradcheck(run, inputs, eps=1e-7, atol=1e-5)


@pytest.mark.parametrize("coverage", ["face", "outline"])
def test_second_derivatives_run_through_the_reference(coverage: str) -> None:
    vertices, faces = triangles(5)
    v = torch.tensor(vertices[None], requires_grad=True)
    options = {
        "distribution": make_distribution("logistic"),
        "t_conorm": t_conorm("probabilistic"),
        "coverage": coverage,
    }
    hessians = [
        torch.autograd.functional.hessian(
            lambda x, run=run: run(x, torch.tensor(faces), SIZE, **options).square().sum(), v
        )
        for run in IMPLEMENTATIONS.values()
    ]
    assert hessians[0].abs().max() > 1e-3
    torch.testing.assert_close(hessians[0], hessians[1], atol=1e-8, rtol=1e-7)


@pytest.mark.parametrize("coverage", ["face", "outline"])
@pytest.mark.parametrize("aggregate", ["probabilistic", "max"])
def test_opcheck(coverage: str, aggregate: str) -> None:
    vertices, faces = triangles()
    v, f, parameters = (
        torch.tensor(vertices[None]),
        torch.tensor(faces),
        torch.tensor([1.3, 0, 0, 0], dtype=torch.float64),
    )
    op = getattr(torch.ops.renderer, f"{coverage}_coverage").default
    back = getattr(torch.ops.renderer, f"{coverage}_coverage_backward").default
    settings = (*SIZE, "logistic", False, 1e-6, *([aggregate] if coverage == "face" else []))
    torch.library.opcheck(op, (v, f, parameters, *settings))
    value, *kept = op(v, f, parameters, *settings)
    torch.library.opcheck(back, (torch.ones_like(value), v, f, parameters, *kept, *settings))


@pytest.mark.parametrize("coverage", ["face", "outline"])
def test_compiles_to_one_graph(coverage: str) -> None:
    vertices, faces = triangles()
    f = torch.tensor(faces)
    s = t_conorm("probabilistic")

    def loss(v, scale):
        return (
            soft_silhouette(
                v, f, SIZE, distribution=distribution("logistic", scale=scale), t_conorm=s, coverage=coverage
            )
            .square()
            .sum()
        )

    results = []
    for run in (loss, torch.compile(loss, fullgraph=True, backend="aot_eager")):
        v = torch.tensor(vertices[None], requires_grad=True)
        scale = torch.tensor(1.3, dtype=torch.float64, requires_grad=True)
        value = run(v, scale)
        results.append((value.detach(), *torch.autograd.grad(value, (v, scale))))
    torch.testing.assert_close(results[0], results[1])


@pytest.mark.parametrize("coverage", ["face", "outline"])
def test_functional_transforms(coverage: str) -> None:
    vertices, faces = triangles()
    f = torch.tensor(faces)
    batch = torch.tensor(vertices[None, None]) + torch.linspace(0, 1, 3, dtype=torch.float64)[:, None, None, None]

    def loss(v, scale):
        d, s = distribution("logistic", scale=scale), t_conorm("max")
        return soft_silhouette(v, f, SIZE, distribution=d, t_conorm=s, coverage=coverage).square().sum()

    scales = torch.tensor([0.8, 1.0, 1.3], dtype=torch.float64)
    for in_dims, scale in (((0, None), scales[0]), ((0, 0), scales)):
        mapped = torch.func.vmap(torch.func.grad(loss, argnums=(0, 1)), in_dims=in_dims)(batch, scale)
        for i in range(3):
            one = torch.func.grad(loss, argnums=(0, 1))(batch[i], scale if scale.ndim == 0 else scale[i])
            torch.testing.assert_close([m[i] for m in mapped], list(one))


@pytest.mark.parametrize("coverage", ["face", "outline"])
@pytest.mark.parametrize("aggregate", list(T_CONORMS))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_awkward_faces_stay_finite(aggregate: str, coverage: str, dtype: torch.dtype) -> None:
    vertices = torch.tensor(
        [
            [1, 1, 1], [4, 1, 1], [1, 4, 1],  # plain
            [2, 2, 1], [5, 5, 1], [3.5, 3.5, 1],  # zero area, on a line
            [6, 2, 1],  # zero area, a point, together with itself
            [0.5, 5, 1], [8.5, 5, 1], [4, 5 + 1e-6, 1],  # sliver
            [2, 2, -1], [-1e6, 3, 1], [1e6, 3.3, 1],  # behind the camera; far off the screen
            [2.5, 2.5, 1],  # on a pixel centre
        ],
        dtype=dtype,
    )  # fmt: skip
    faces = torch.tensor(
        [[0, 1, 2], [3, 4, 5], [6, 6, 6], [6, 6, 4], [7, 8, 9], [0, 1, 10], [11, 12, 9], [0, 1, 2], [13, 1, 2]]
    )
    for scale, name in itertools.product(
        [1e-3, 0.5, 30.0], ["logistic", "uniform", "cauchy", "gamma", "levy_rev", "hard"]
    ):
        v = vertices[None].clone().requires_grad_()
        s = torch.tensor(scale, dtype=dtype, requires_grad=True)
        d = distribution(name, scale=s, shape=SHAPES.get(name))
        out = soft_silhouette(v, faces, (8, 9), distribution=d, t_conorm=make_t_conorm(aggregate), coverage=coverage)
        out.sum().backward()
        assert torch.isfinite(out).all()
        assert ((out >= 0) & (out <= 1)).all()
        assert torch.isfinite(v.grad).all()
        assert torch.isfinite(s.grad)
        assert (v.grad[0, 10] == 0).all()


@pytest.mark.parametrize("coverage", ["face", "outline"])
def test_order_of_faces_and_threads_do_not_matter(coverage: str) -> None:
    vertices, faces = triangles(2, 30)
    vertices[:, :2] *= 30
    v, f = torch.tensor(vertices[None], dtype=torch.float32), torch.tensor(faces)
    options = {
        "distribution": distribution("logistic", scale=1.0),
        "t_conorm": t_conorm("probabilistic"),
        "coverage": coverage,
    }
    results = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            x = v.clone().requires_grad_()
            out = soft_silhouette(x, f, (240, 300), **options)
            results.append((out.detach(), *torch.autograd.grad(out.square().sum(), x)))
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert torch.equal(results[0][0], other[0])
        assert torch.equal(results[0][1], other[1])
    turned = soft_silhouette(v, f.flip(0), (240, 300), **options)
    torch.testing.assert_close(results[0][0], turned, atol=2e-6, rtol=0)


@pytest.mark.parametrize("coverage", ["face", "outline"])
def test_batches_equal_single_views(coverage: str) -> None:
    vertices, faces = triangles(2, 12)
    batch = torch.stack([torch.tensor(vertices * s) for s in (1.0, 0.7, 1.2, 0.9)])
    options = {
        "distribution": distribution("gaussian", scale=1.0),
        "t_conorm": t_conorm("einstein"),
        "coverage": coverage,
    }
    together = soft_silhouette(batch, torch.tensor(faces), SIZE, **options)
    for i in range(4):
        assert torch.equal(together[i : i + 1], soft_silhouette(batch[i : i + 1], torch.tensor(faces), SIZE, **options))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"screen_vertices": torch.zeros(5, 3)},
            ValueError,
            r"screen_vertices: expected shape \(B, V, 3\), got \(5, 3\)",
        ),
        ({"screen_vertices": torch.zeros(1, 5, 3).half()}, TypeError, "screen_vertices: expected float32 or float64"),
        (
            {"screen_vertices": torch.full((1, 5, 3), torch.nan)},
            ValueError,
            "screen_vertices: vertex 0 of view 0 is not finite",
        ),
        (
            {"faces": torch.tensor([[0, 1, 5]])},
            ValueError,
            "faces: face 0 refers to vertex 5, but there are 5 vertices",
        ),
        ({"faces": torch.tensor([[0, 1, -1]])}, ValueError, "faces: face 0 refers to vertex -1"),
        ({"faces": torch.zeros(2, 4, dtype=torch.int64)}, ValueError, "faces: expected shape"),
        ({"faces": torch.zeros(2, 3, dtype=torch.int32)}, TypeError, "faces: expected int64, got torch.int32"),
        ({"image_size": (0, 4)}, ValueError, "image_size"),
        ({"coverage": "edge"}, ValueError, "coverage: expected 'face' or 'outline', got 'edge'"),
        ({"t_conorm": None}, ValueError, "t_conorm: coverage='face' aggregates"),
        ({"distribution": "logistic"}, TypeError, "distribution: expected renderer.relax.distribution"),
        ({"t_conorm": "max"}, TypeError, "t_conorm: expected renderer.relax.t_conorm"),
    ],
)
def test_errors_are_one_line(change, error, message) -> None:
    arguments = {
        "screen_vertices": torch.ones(1, 5, 3),
        "faces": torch.tensor([[0, 1, 2]]),
        "image_size": (4, 4),
        "distribution": distribution("logistic", scale=1.0),
        "t_conorm": t_conorm("max"),
    } | change
    with pytest.raises(error, match=message) as caught:
        soft_silhouette(**arguments)
    assert "\n" not in str(caught.value)


def test_scale_that_learning_made_negative_is_refused() -> None:
    scale = torch.nn.Parameter(torch.tensor(1.0))
    d = distribution("logistic", scale=scale)
    with torch.no_grad():
        scale.fill_(-1.0)
    with pytest.raises(ValueError, match="scale"):
        soft_silhouette(
            torch.ones(1, 3, 3), torch.tensor([[0, 1, 2]]), (4, 4), distribution=d, t_conorm=t_conorm("max")
        )
