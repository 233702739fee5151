"""The ops of the hard pipeline against their plain-PyTorch twins: values, gradients, second derivatives, transforms."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from renderer import raster
from renderer.ops.native_function import SPECS, call
from renderer.reference.antialias import antialias as reference_antialias
from renderer.reference.barycentrics import barycentrics as reference_barycentrics
from renderer.reference.interpolate import interpolate as reference_interpolate
from renderer.reference.rasterize import rasterize as reference_rasterize
from renderer.reference.texture import texture as reference_texture
from renderer.scene.primitives import icosphere

SIZE = (13, 17)
REFERENCE: dict[str, Callable] = {
    "barycentrics": reference_barycentrics,
    "interpolate": reference_interpolate,
    "texture": reference_texture,
    "antialias": reference_antialias,
}


def soup(seed: int, *, views: int = 2, faces: int = 9, shared: int = 12) -> tuple[Tensor, Tensor]:
    """Random triangles that share vertices, some edges having more than two faces."""
    generator = torch.Generator().manual_seed(seed)
    xy = torch.rand(views, shared, 2, generator=generator, dtype=torch.float64) * torch.tensor([20.0, 16.0]) - 2
    depth = 1 + 2 * torch.rand(views, shared, 1, generator=generator, dtype=torch.float64)
    return torch.cat([xy, depth], -1), torch.randint(shared, (faces, 3), generator=generator)


def ball(views: int = 2) -> tuple[Tensor, Tensor]:
    """A sphere of 80 faces, smaller than the image, turned differently in each view."""
    mesh = icosphere(1)
    vertices = mesh.vertices.double()
    turned = []
    for i in range(views):
        axis = torch.tensor([0.3 + i, 0.5, -0.4], dtype=torch.float64)
        turn = torch.linalg.matrix_exp(torch.linalg.cross(torch.eye(3, dtype=torch.float64), axis.expand(3, 3)))
        x, y, z = (vertices @ turn.T).unbind(-1)
        turned.append(torch.stack([8.3 + 5.1 * x, 6.4 + 5.1 * y, 3 + z], -1))
    return torch.stack(turned), mesh.faces


def arguments(op: str, seed: int = 0) -> tuple:
    """Arguments of an op, its tensors first, in float64."""
    generator = torch.Generator().manual_seed(seed)

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, dtype=torch.float64)

    vertices, faces = ball() if seed % 2 == 0 else soup(seed)
    face_id, depth = torch.ops.renderer.rasterize(vertices, faces, *SIZE, seed < 2, False, None)
    if op == "barycentrics":
        return vertices, faces, face_id, depth, seed < 2
    if op == "interpolate":
        return rand(2, 7, 5), torch.randint(7, faces.shape, generator=generator), face_id, rand(2, *SIZE, 3)
    if op == "antialias":
        return rand(2, *SIZE, 3), vertices, faces, face_id, depth
    uv = 3 * rand(2, *SIZE, 2) - 1
    return uv, rand(1 + seed % 2, 5 * 6 + 2 * 3 + 1, 4), 1.99 * rand(2, *SIZE), 5, 6, 3, False, seed % 2 == 0


def leaves_of(op: str, args: tuple) -> list:
    return [a.clone().requires_grad_() if i in SPECS[op].differentiable else a for i, a in enumerate(args)]


def as_tuple(outputs: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return outputs if isinstance(outputs, tuple) else (outputs,)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("perspective", [True, False])
@pytest.mark.parametrize("cull", [True, False])
def test_rasterize_equals_the_reference(seed: int, perspective: bool, cull: bool) -> None:
    vertices, faces = soup(seed)
    vertices[0, 3, 2] = -1.0
    faces[4] = torch.tensor([5, 5, 6])
    behind = expected_depth = None
    for _ in range(3):
        face_id, depth = torch.ops.renderer.rasterize(vertices, faces, *SIZE, perspective, cull, behind)
        expected_id, expected_depth = reference_rasterize(vertices, faces, *SIZE, perspective, cull, expected_depth)
        assert torch.equal(face_id, expected_id)
        torch.testing.assert_close(depth, expected_depth, rtol=1e-11, atol=1e-11)
        behind = depth
    for _ in range(9):
        behind = torch.ops.renderer.rasterize(vertices, faces, *SIZE, perspective, cull, behind)[1]
    assert not behind.any()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("op", list(REFERENCE))
def test_values_and_gradients_equal_the_reference(op: str, seed: int) -> None:
    args = arguments(op, seed)
    ours, theirs = leaves_of(op, args), leaves_of(op, args)
    outputs, expected = call(op, *ours), as_tuple(REFERENCE[op](*theirs))
    generator = torch.Generator().manual_seed(seed)
    weights = [torch.rand(out.shape, generator=generator, dtype=out.dtype) for out in expected]
    for out, exact in zip(outputs, expected, strict=True):
        torch.testing.assert_close(out, exact, rtol=1e-10, atol=1e-10)
    for results, leaves in ((outputs, ours), (expected, theirs)):
        sum((w * out).sum() for w, out in zip(weights, results, strict=True)).backward()
        assert all(leaf.grad is not None for leaf in leaves if isinstance(leaf, Tensor) and leaf.requires_grad)
    for mine, exact in zip(ours, theirs, strict=True):
        if isinstance(mine, Tensor) and mine.requires_grad:
            torch.testing.assert_close(mine.grad, exact.grad, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("op", list(REFERENCE))
def test_float32_is_close_to_float64(op: str) -> None:
    args = arguments(op)
    halves = [a.float() if isinstance(a, Tensor) and a.is_floating_point() else a for a in args]
    for out, exact in zip(call(op, *halves), call(op, *args), strict=True):
        torch.testing.assert_close(out.double(), exact, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("op", list(REFERENCE))
def test_first_and_second_derivatives_by_finite_differences(op: str) -> None:
    args = arguments(op)
    inputs = [a for i, a in enumerate(leaves_of(op, args)) if i in SPECS[op].differentiable]

    def run(*values: Tensor) -> tuple[Tensor, ...]:
        full = list(args)
        for position, value in zip(SPECS[op].differentiable, values, strict=True):
            full[position] = value
        return call(op, *full)

    # The depth's value is handed through by "barycentrics": see the op.
    checked = (lambda *v: run(*v)[0]) if op == "barycentrics" else run
    assert torch.autograd.gradcheck(checked, inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(checked, inputs, fast_mode=True)


@pytest.mark.parametrize("op", list(REFERENCE))
def test_opcheck(op: str) -> None:
    args = arguments(op)
    utilities = ("test_schema", "test_faketensor", "test_autograd_registration")
    torch.library.opcheck(getattr(torch.ops.renderer, op).default, args, test_utils=utilities)
    outputs = as_tuple(getattr(torch.ops.renderer, op)(*args))
    spec = SPECS[op]
    saved = [outputs[i] for i in spec.saved]
    backward = getattr(torch.ops.renderer, f"{op}_backward").default
    grads = [torch.rand_like(out) for out in outputs[: spec.outputs]]
    torch.library.opcheck(
        backward, (*grads, *args[: spec.tensors], *saved, *args[spec.tensors :]), test_utils=utilities
    )


def render(vertices: Tensor, faces: Tensor, colours: Tensor, picture: Tensor) -> Tensor:
    """Every op once: (B, H, W, 3)."""
    fragments = raster.rasterize(vertices, faces, SIZE, derivatives=True)
    values, slopes = raster.interpolate(colours, fragments, faces, derivatives=True)
    uv, uv_slopes = values[..., :2], slopes[..., :2, :]
    looked_up = raster.texture(picture, uv, uv_derivatives=uv_slopes, filter="mipmap")
    return raster.antialias(looked_up * values[..., 2:] + fragments.depth[..., None], fragments, vertices, faces)


def pipeline_inputs() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    vertices, faces = ball()
    generator = torch.Generator().manual_seed(1)
    colours = torch.rand(2, vertices.shape[1], 3, generator=generator, dtype=torch.float64)
    return vertices, faces, colours, torch.rand(1, 16, 16, 3, generator=generator, dtype=torch.float64)


def test_compile_fullgraph() -> None:
    vertices, faces, colours, picture = pipeline_inputs()
    compiled = torch.compile(render, fullgraph=True, backend="aot_eager")
    results = []
    for run in (render, compiled):
        v, c, p = (t.clone().requires_grad_() for t in (vertices, colours, picture))
        image = run(v, faces, c, p)
        (image * image).sum().backward()
        results.append((image.detach(), v.grad, c.grad, p.grad))
    torch.testing.assert_close(results[0], results[1])
    with torch.no_grad():
        torch.testing.assert_close(compiled(vertices, faces, colours, picture), results[0][0])


def test_vmap_and_grad_equal_a_loop() -> None:
    vertices, faces, colours, picture = pipeline_inputs()
    stack = torch.stack([vertices, vertices + 0.3, vertices.flip(0)])

    def loss(v: Tensor) -> Tensor:
        return render(v, faces, colours, picture).square().sum()

    expected = torch.stack([torch.func.grad(loss)(v) for v in stack])
    torch.testing.assert_close(torch.func.vmap(torch.func.grad(loss))(stack), expected)
    pictures = torch.rand(3, *picture.shape, dtype=torch.float64)
    mapped = torch.func.vmap(lambda p: render(vertices, faces, colours, p))(pictures)
    torch.testing.assert_close(mapped, torch.stack([render(vertices, faces, colours, p) for p in pictures]))
    behind = raster.rasterize(vertices, faces, SIZE).depth
    layers = torch.func.vmap(lambda d: raster.rasterize(vertices, faces, SIZE, behind=d).face_id)(
        torch.stack([behind, behind + 0.1])
    )
    assert torch.equal(layers[1], raster.rasterize(vertices, faces, SIZE, behind=behind + 0.1).face_id)


CODE = """
import sys, torch
sys.path.insert(0, ".")
from tests.ops.test_hard_ops import pipeline_inputs, render
torch.set_num_threads(int(sys.argv[2]))
vertices, faces, colours, picture = pipeline_inputs()
v, c, p = (t.float().requires_grad_() for t in (vertices, colours, picture))
image = render(v, faces, c, p)
image.square().sum().backward()
torch.save([image.detach(), v.grad, c.grad, p.grad], sys.argv[1])
"""


def run_apart(tmp_path, level: str, threads: int) -> list[Tensor]:
    path = str(tmp_path / f"{level}_{threads}.pt")
    environment = {**os.environ, "RENDERER_SIMD": level, "OMP_NUM_THREADS": str(threads)}
    subprocess.run([sys.executable, "-c", CODE, path, str(threads)], check=True, env=environment)
    return torch.load(path)


def test_threads_do_not_change_a_bit(tmp_path) -> None:
    for one, three in zip(run_apart(tmp_path, "base", 1), run_apart(tmp_path, "base", 3), strict=True):
        assert torch.equal(one, three)


def test_simd_levels_agree(tmp_path) -> None:
    torch.testing.assert_close(run_apart(tmp_path, "base", 1), run_apart(tmp_path, "", 1), rtol=1e-4, atol=1e-4)


def test_fragments_of_another_mesh_are_refused() -> None:
    vertices, faces = ball()
    fragments = raster.rasterize(vertices, faces, SIZE)
    with pytest.raises(ValueError, match="fragments: face"):
        raster.interpolate(torch.rand(2, 42, 1, dtype=torch.float64), fragments, faces[:3])
    with pytest.raises(ValueError, match="attribute_faces: face"):
        raster.interpolate(torch.rand(2, 9, 1, dtype=torch.float64), fragments, faces)
    with pytest.raises(ValueError, match="fragments: face"):
        call("barycentrics", vertices, faces[:3], fragments.face_id, fragments.depth, True)
