"""Textures inside the depth softmax: against a brute force, the reference, finite differences, and their limits."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from renderer.ops.native_function import call
from renderer.raster import FaceTextures, TextureMap, interpolate, rasterize, soft_render, texture
from renderer.raster.texture_set import pack_textures, texture_slopes
from renderer.reference.depth_softmax import depth_softmax as reference
from renderer.relax import distribution, t_conorm
from tests.oracle import brute_force

SIZE = (8, 11)
OPTIONS = {"distribution": distribution("logistic", scale=0.8), "t_conorm": t_conorm("max"), "near": 0.5, "far": 4.0}


def scene(seed: int = 0, batch: int = 1, channels: int = 3):
    """Vertices, faces, attributes, uv and uv_faces; random, so that no derivative stands on an edge."""
    rng = np.random.default_rng(seed)
    v = np.concatenate([rng.uniform(0, 11, (batch, 8, 2)), rng.uniform(1, 3, (batch, 8, 1))], -1)
    f = torch.tensor(np.stack([rng.permutation(8)[:3] for _ in range(6)]))
    a, uv = rng.uniform(0.2, 1, (batch, 8, channels)), rng.uniform(-0.7, 1.6, (1, 9, 2))
    uv_faces = torch.tensor(np.stack([rng.permutation(9)[:3] for _ in range(6)]))
    return torch.tensor(v), f, torch.tensor(a), torch.tensor(uv), uv_faces


def images(seed: int = 1, channels: int = 2, batch: int | None = None) -> list[torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    lead = () if batch is None else (batch,)
    return [torch.rand(*lead, h, w, channels, generator=g, dtype=torch.float64) for h, w in ((5, 7), (9, 4))]


def maps(pictures, filter="linear") -> list[TextureMap]:
    return [TextureMap(pictures[0], filter, "repeat"), TextureMap(pictures[1], filter, "clamp")]


OWNERS = torch.tensor([0, 1, -1, 0, 1, 0])


def bilinear(image: np.ndarray, u: float, v: float, wrap: str) -> np.ndarray:
    """The four texels around a point, written out."""
    h, w, _ = image.shape
    x, y = u * w - 0.5, (1 - v) * h - 0.5
    x0, y0 = int(np.floor(x)), int(np.floor(y))
    total = np.zeros(image.shape[-1])
    for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
        row, column = y0 + i, x0 + j
        row, column = (
            (row % h, column % w) if wrap == "repeat" else (min(max(row, 0), h - 1), min(max(column, 0), w - 1))
        )
        total += (y - y0 if i else 1 - y + y0) * (x - x0 if j else 1 - x + x0) * image[row, column]
    return total


def test_equals_a_brute_force() -> None:
    v, f, a, uv, uv_faces = scene()
    pictures = images()
    textures = FaceTextures(maps(pictures), uv, uv_faces, OWNERS)
    rgb, _ = soft_render(v, f, a, SIZE, gamma=0.1, textures=textures, **OPTIONS)
    expected = np.zeros((*SIZE, 3))
    for row, column in np.ndindex(*SIZE):
        pixel, terms = np.array([column + 0.5, row + 0.5]), [(np.exp(1e-3 / 0.1), np.zeros(3))]
        for k, face in enumerate(f.numpy()):
            corners = v[0].numpy()[face]
            d, weights, _ = brute_force.nearest_on_boundary(pixel, corners[:, :2])
            if d > 0:
                weights = np.linalg.solve(np.vstack([corners[:, :2].T, np.ones(3)]), [*pixel, 1.0])
            D, _ = brute_force.cdf_pdf("logistic", np.array(d / 0.8), 0.0, 0.0)
            b = weights / corners[:, 2]
            b = b / b.sum()
            shown = b @ a[0].numpy()[face]
            if (owner := int(OWNERS[k])) >= 0:
                at = b @ uv[0].numpy()[uv_faces[k]]
                shown[:2] *= bilinear(pictures[owner].numpy(), *at, ("repeat", "clamp")[owner])
            terms.append((D * np.exp((4.0 - b @ corners[:, 2]) / 3.5 / 0.1), shown))
        expected[row, column] = sum(w * c for w, c in terms) / sum(w for w, _ in terms)
    np.testing.assert_allclose(rgb[0].numpy(), expected, atol=1e-9)
    low = FaceTextures([t._replace(image=t.image.float()) for t in textures.textures], uv.float(), uv_faces, OWNERS)
    single, _ = soft_render(v.float(), f, a.float(), SIZE, gamma=0.1, textures=low, **OPTIONS)
    np.testing.assert_allclose(single[0].numpy(), expected, atol=2e-4)


@pytest.mark.parametrize("batch", [None, 2])
@pytest.mark.parametrize("perspective", [True, False])
@pytest.mark.parametrize("filter", ["linear", "nearest", "mipmap"])
def test_value_and_gradients_equal_the_reference(filter: str, perspective: bool, batch: int | None) -> None:
    v, f, a, uv, uv_faces = scene(2, batch=2)
    uv = uv.expand(2, -1, -1) * torch.tensor([1.0, 3.0], dtype=torch.float64).reshape(2, 1, 1)
    texels, layouts = pack_textures(maps(images(batch=batch), filter), 2)
    assert len(texels) == (batch or 1)
    slopes = texture_slopes(v, f, uv, uv_faces, perspective=perspective)
    parameters = torch.tensor([0.8, 0.0, 0.0, 0.1], dtype=torch.float64)
    leaves = [t.detach().clone().requires_grad_() for t in (v, a, parameters, uv, slopes, texels)]
    g = torch.randn(2, *SIZE, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    results = []
    for run in (lambda *x: call("depth_softmax", *x), reference):
        v_, a_, p_, uv_, s_, t_ = leaves
        settings = (*SIZE, "logistic", False, 1e-12, 1e-3, 0.5, 4.0, perspective, layouts)
        colour, weight = run(v_, f, a_, f, p_, uv_, uv_faces, s_, t_, OWNERS, *settings)
        gradients = torch.autograd.grad((colour * g).sum() + weight.square().sum(), leaves, materialize_grads=True)
        results.append((colour.detach(), *gradients))
    assert filter != "mipmap" or bool((results[1][5] != 0).any())  # some level of detail is between its bounds
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("filter", ["linear", "mipmap"])
def test_gradcheck_in_everything(filter: str) -> None:
    v, f, a, uv, uv_faces = scene(3)
    first, second = images(2)

    def run(v, a, uv, first, second, scale, gamma):
        d = OPTIONS | {"distribution": distribution("logistic", scale=scale)}
        textures = FaceTextures(maps([first, second], filter), uv * 2, uv_faces, OWNERS)
        return soft_render(v, f, a, (5, 6), gamma=gamma, textures=textures, **d)[0]

    numbers = [torch.tensor(x, dtype=torch.float64) for x in (0.9, 0.2)]
    leaves = [t.clone().requires_grad_() for t in (v / 2, a, uv, first, second, *numbers)]
    assert torch.autograd.gradcheck(run, leaves, eps=1e-7, atol=1e-5)


def test_second_derivatives_compile_and_vmap() -> None:
    v, f, a, uv, uv_faces = scene(4, batch=2)
    first, second = images(2)

    def loss(v, a, uv, first):
        textures = FaceTextures(maps([first, second]), uv, uv_faces, OWNERS)
        return soft_render(v, f, a, SIZE, gamma=0.2, textures=textures, **OPTIONS)[0].square().sum()

    leaves = [t.clone().requires_grad_() for t in (v, a, uv, first)]
    expected = torch.autograd.grad(loss(*leaves), leaves, create_graph=True)
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(torch.autograd.grad(compiled(*leaves), leaves), expected)
    stacked = [torch.stack([t.detach(), t.detach() * 0.9]) for t in leaves]
    mapped = torch.func.vmap(torch.func.grad(loss, argnums=(0, 1, 2, 3)))(*stacked)
    torch.testing.assert_close([m[0] for m in mapped], list(expected))
    # The texture's second derivative against differences of the first.
    direction = torch.randn(first.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    (second_derivative,) = torch.autograd.grad((expected[3] * direction).sum(), leaves[3])
    step = 1e-5
    ends = []
    for sign in (1, -1):
        moved = (leaves[3].detach() + sign * step * direction).requires_grad_()
        ends.append(torch.autograd.grad(loss(*[t.detach() for t in leaves[:3]], moved), moved)[0])
    torch.testing.assert_close(second_derivative, (ends[0] - ends[1]) / (2 * step), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("filter", ["linear", "nearest", "mipmap"])
def test_a_hard_limit_is_the_texture_of_the_hard_pipeline(filter: str) -> None:
    # One plane seen at a slant, small softness: soft colour there is what rasterize, interpolate and texture give.
    v = torch.tensor([[[2.0, 3, 1], [60, 6, 3], [58, 60, 4], [5, 50, 2]]], dtype=torch.float64)
    f = torch.tensor([[0, 1, 2], [0, 2, 3]])
    uv = torch.tensor([[[0.0, 0], [2, 0], [2, 3], [0, 3]]], dtype=torch.float64)
    image = torch.rand(1, 16, 32, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    fragments = rasterize(v, f, (64, 64), derivatives=True)
    at, slopes = interpolate(uv, fragments, f, derivatives=True)
    options = {"uv_derivatives": slopes} if filter == "mipmap" else {}
    hard = texture(image, at, filter=filter, **options)
    textures = FaceTextures([TextureMap(image, filter)], uv, f)
    d = distribution("uniform", scale=1e-6)
    ones = torch.ones(1, 4, 3, dtype=torch.float64)
    soft, _ = soft_render(
        v, f, ones, (64, 64), distribution=d, t_conorm=t_conorm("max"), gamma=1e-3, near=0.5, far=5.0, textures=textures
    )
    # On the border between two texels rounding decides which is the nearest.
    texel = at * torch.tensor([32, 16])
    inside = (fragments.face_id >= 0) & ((texel - texel.round()).abs() > 1e-6).all(-1)
    assert inside.sum() > 2000
    torch.testing.assert_close(soft[inside], hard[inside], atol=1e-9, rtol=0)


def test_a_colour_stops_at_the_corner_of_the_texture() -> None:
    # Beyond a corner the coordinates are the corner's own, not a texel of what lies next to it in the image.
    v = torch.tensor([[[4.0, 4, 1], [8, 4, 1], [4, 8, 1]]], dtype=torch.float64)
    f = torch.tensor([[0, 1, 2]])
    image = torch.zeros(2, 2, 1, dtype=torch.float64)
    image[0, 0] = 1.0  # the top left texel; the corners' coordinates lie on texel centres
    uv = torch.tensor([[[0.25, 0.75], [0.75, 0.75], [0.25, 0.25]]], dtype=torch.float64)
    options = OPTIONS | {"distribution": distribution("cauchy", scale=1.0)}
    rgb, _ = soft_render(
        v, f, torch.ones(1, 3, 1).double(), (12, 12), gamma=0.1, eps=-100.0,
        textures=FaceTextures([TextureMap(image)], uv, f), **options,
    )  # fmt: skip
    torch.testing.assert_close(rgb[0, [0, 2, 11], [0, 11, 2], 0], torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64))


def test_threads_give_the_same_bits() -> None:
    v, f, a, uv, uv_faces = scene(5, batch=3)
    v = v * torch.tensor([24.0, 18.0, 1.0])
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            leaves = [t.clone().requires_grad_() for t in (v, uv, *images())]
            textures = FaceTextures(maps(leaves[2:], "mipmap"), leaves[1], uv_faces, OWNERS)
            rgb, _ = soft_render(leaves[0], f, a, (150, 270), gamma=0.1, textures=textures, **OPTIONS)
            results.append((rgb.detach(), *torch.autograd.grad(rgb.square().sum(), leaves)))
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(p, q) for p, q in zip(results[0], other, strict=True))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"textures": []}, "textures: expected at least one"),
        ({"uv": torch.zeros(9, 2).double()}, r"uv: expected shape \(1, U, 2\) or \(1, U, 2\), got \(9, 2\)"),
        ({"uv": torch.zeros(1, 9, 2)}, "uv: expected torch.float64 on cpu as screen_vertices, got torch.float32"),
        ({"uv": torch.full((1, 9, 2), torch.nan).double()}, "uv: expected finite coordinates"),
        ({"uv": torch.zeros(1, 2, 2).double()}, "uv_faces: face 0 refers to row"),
        ({"uv_faces": torch.zeros(1, 3).long()}, "uv_faces: expected int64 of shape"),
        ({"face_texture": torch.zeros(5).long()}, "face_texture: expected int64 of shape"),
        ({"face_texture": torch.full((6,), 2)}, "face_texture: expected -1 to 1, got 2 for face 0"),
        ({"textures": maps(images(channels=4))}, "textures: expected at most 3 channels as attributes, got 4"),
        ({"textures": maps(images(), "cubic")}, "filter: expected"),
        ({"textures": [TextureMap(torch.zeros(3, 4, 4, 2).double())]}, "textures: expected images"),
    ],
)
def test_errors_are_one_line(change, message) -> None:
    v, f, a, uv, uv_faces = scene()
    given = FaceTextures(maps(images()), uv, uv_faces, OWNERS)._replace(**change)
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        soft_render(v, f, a, SIZE, textures=given, **OPTIONS)
    assert "\n" not in str(caught.value)
