"""Every op on a GPU: equal to the CPU, gradcheck, streams, graphs. Skipped where there is none."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from renderer.ops import native
from renderer.ops.native_function import call
from renderer.raster import soft_silhouette
from renderer.relax import distribution, t_conorm
from tests.cuda.cases import CASES, Case
from tests.cuda.compare import TOLERANCE, check_close, check_not_drawn, convert, run
from tests.cuda.scenes import SCENES, collapsed, parameters
from tests.ops.test_hard_ops import ball

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available() or native.CUDA is None, reason="no GPU, or no CUDA kernels built"),
]


def cases() -> dict[str, Case]:
    found = dict(CASES)
    for name, (vertices, faces, size) in SCENES.items():
        tensors = (vertices, faces, parameters("logistic", scale=0.7))
        found[f"face_coverage {name}"] = ("face_coverage", (*tensors, *size, "logistic", False, 1e-6, "probabilistic"))
        found[f"outline_coverage {name}"] = ("outline_coverage", (*tensors, *size, "logistic", False, 1e-6))
    return found


def to_gpu(args: list) -> list:
    return [a.cuda() if isinstance(a, Tensor) else a for a in args]


@pytest.mark.parametrize("deterministic", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", list(cases()))
def test_equals_the_cpu(case: str, dtype: torch.dtype, deterministic: bool) -> None:
    op, args = cases()[case]
    if deterministic and op == "depth_softmax" and args[-1]:
        pytest.skip("textures in the softmax have no deterministic gradient")
    given = convert(args, dtype)
    exact = run(lambda *a: call(op, *a), op, convert(given, torch.float64))
    torch.use_deterministic_algorithms(deterministic)
    try:
        results = [run(lambda *a: call(op, *a), op, to_gpu(given)) for _ in range(2)]
    finally:
        torch.use_deterministic_algorithms(False)
    torch.cuda.synchronize()
    check_close(results[0][0], exact[0], TOLERANCE[dtype])
    if "degenerate" not in case:
        check_close(results[0][1], exact[1], TOLERANCE[dtype])
    if deterministic:
        for first, second in zip(results[0][0] + results[0][1], results[1][0] + results[1][1], strict=True):
            assert torch.equal(first, second)


def test_rasterize_equals_the_cpu() -> None:
    for vertices, faces, size in SCENES.values():
        args = (vertices, faces, *size, True, False, None)
        for ours, exact in zip(
            torch.ops.renderer.rasterize(*to_gpu(list(args))), torch.ops.renderer.rasterize(*args), strict=True
        ):
            torch.testing.assert_close(ours.cpu(), exact)


@pytest.mark.parametrize("coverage", ["face", "outline"])
def test_gradcheck(coverage: str) -> None:
    vertices, faces = ball(1)
    options = {"distribution": distribution("logistic", scale=0.9), "t_conorm": t_conorm("probabilistic")}
    leaf = vertices.cuda().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda v: soft_silhouette(v, faces.cuda(), (9, 11), coverage=coverage, **options), leaf, nondet_tol=1e-10
    )


def silhouette(vertices: Tensor, faces: Tensor) -> Tensor:
    fine = parameters("logistic").to(vertices)
    return torch.ops.renderer.face_coverage(vertices, faces, fine, 64, 64, "logistic", False, 1e-6, "probabilistic")[0]


def test_runs_on_the_current_stream() -> None:
    vertices, faces = (t.cuda() for t in ball())
    expected = silhouette(vertices, faces)
    torch.cuda.synchronize()
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        torch.cuda._sleep(20_000_000)  # what comes on the same stream sees the vertices that are written after it
        late = torch.empty_like(vertices).copy_(vertices)
        value = silhouette(late, faces)
    stream.synchronize()
    torch.testing.assert_close(value, expected)


def test_a_graph_is_captured_and_replayed() -> None:
    vertices, faces = (t.cuda() for t in ball())
    fine = parameters("logistic").to(vertices)
    settings = (64, 64, "logistic", False, 1e-6, "probabilistic")

    def step() -> tuple[Tensor, Tensor]:
        value, state, ties = torch.ops.renderer.face_coverage(vertices, faces, fine, *settings)
        backward = torch.ops.renderer.face_coverage_backward
        return value, backward(value, vertices, faces, fine, state, ties, *settings)[0]

    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        step()
    stream.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = step()
    vertices += 3.0  # other faces and tiles meet now
    graph.replay()
    torch.cuda.synchronize()
    for ours, exact in zip(captured, step(), strict=True):
        torch.testing.assert_close(ours, exact)


def test_a_bad_value_is_raised_by_a_later_call() -> None:
    vertices, faces = (t.cuda() for t in ball())
    wrong = faces.clone()
    wrong[3, 1] = 42

    def twice() -> None:
        for _ in range(2):
            silhouette(vertices, wrong)
            torch.cuda.synchronize()

    with pytest.raises(ValueError, match=r"^faces: face 3 refers to vertex 42, but there are 42 vertices$"):
        twice()
    silhouette(vertices, faces)


def test_a_collapsed_face_is_not_drawn() -> None:
    """Its area is 0 unless the compiler fuses a product with the sum."""
    check_not_drawn(*(t.cuda() for t in (*collapsed(), parameters("logistic"))))
