"""Face and outline coverage by the CUDA kernels, against the reference."""

from __future__ import annotations

import pytest
import torch

from renderer.ops import cuda
from renderer.relax import DISTRIBUTIONS, T_CONORMS
from tests.cuda.compare import check_against_reference, check_not_drawn
from tests.cuda.scenes import SCENES, P, collapsed, parameters
from tests.ops.test_hard_ops import soup

EPS = {torch.float32: 1e-6, torch.float64: 1e-12}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("distribution", list(DISTRIBUTIONS))
def test_every_distribution_and_t_conorm_equals_the_reference(distribution: str, dtype: torch.dtype) -> None:
    vertices, faces = soup(1, faces=5, views=1)
    with cuda.emulated():
        for i, t_conorm in enumerate(T_CONORMS):
            squared = (i + (dtype is torch.float64)) % 2 == 0
            settings = (7, 19, distribution, squared, EPS[dtype], t_conorm)
            args = (vertices, faces, parameters(distribution, P.get(t_conorm, 0.0)), *settings)
            check_against_reference("face_coverage", args, dtype)
        for squared in (False, True):
            settings = (7, 19, distribution, squared, EPS[dtype])
            check_against_reference("outline_coverage", (vertices, faces, parameters(distribution), *settings), dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scene", list(SCENES))
def test_every_scene_equals_the_reference(emulated: None, scene: str, dtype: torch.dtype) -> None:
    vertices, faces, size = SCENES[scene]
    tensors = (vertices, faces, parameters("logistic", scale=0.7))
    # Where all edges of a face coincide, any of them may be the nearest: there is no one gradient.
    gradients = scene != "degenerate"
    for t_conorm in ("probabilistic", "max"):
        settings = (*size, "logistic", False, EPS[dtype], t_conorm)
        check_against_reference("face_coverage", (*tensors, *settings), dtype, gradients=gradients)
    settings = (*size, "logistic", False, EPS[dtype])
    check_against_reference("outline_coverage", (*tensors, *settings), dtype, gradients=gradients)


@pytest.mark.parametrize("op", ["face_coverage", "outline_coverage"])
def test_too_little_room_for_pairs_changes_nothing(op: str, monkeypatch: pytest.MonkeyPatch) -> None:
    vertices, faces, size = SCENES["ball"]
    settings = (*size, "logistic", False, 1e-12, *(["probabilistic"] if op == "face_coverage" else []))
    args = (vertices, faces, parameters("logistic"), *settings)
    with cuda.emulated():
        for most in (1, 100, 150):  # the lists of no tile, of one, of some fit
            monkeypatch.setattr(cuda, "_MOST_PAIRS", most)
            check_against_reference(op, args, torch.float64)


@pytest.mark.parametrize("op", ["face_coverage", "outline_coverage"])
def test_bad_values_are_one_line(emulated: None, op: str) -> None:
    vertices, faces, size = SCENES["ball"]
    settings = (*size, "logistic", False, 1e-6, *(["max"] if op == "face_coverage" else []))
    function, fine = getattr(torch.ops.renderer, op), parameters("logistic")
    wrong = faces.clone()
    wrong[3, 1] = 42
    with pytest.raises(ValueError, match=r"^faces: face 3 refers to vertex 42, but there are 42 vertices$"):
        function(vertices, wrong, fine, *settings)
    for value in (torch.nan, torch.inf):
        infinite = vertices.clone()
        infinite[1, 5, 0] = value
        with pytest.raises(ValueError, match=r"^screen_vertices: vertex 5 of view 1 is not finite$"):
            function(infinite, faces, fine, *settings)
    for scale in (0.0, torch.nan, torch.inf):
        with pytest.raises(ValueError, match=r"^distribution: scale must be positive and finite, got"):
            function(vertices, faces, parameters("logistic", scale=scale), *settings)
    with pytest.raises(ValueError, match="support_eps must lie in"):
        function(vertices, faces, fine, *size, "logistic", False, 0.7, *settings[5:])
    function(vertices, faces, fine, *settings)  # and the next call is fine


def test_an_unknown_name_is_one_line() -> None:
    vertices, faces, size = SCENES["one pixel"]
    with cuda.emulated():
        for name, t_conorm, expected in (("none", "max", "distribution"), ("logistic", "none", "t_conorm")):
            with pytest.raises(ValueError, match=f"^{expected}: unknown name 'none'$"):
                torch.ops.renderer.face_coverage(
                    vertices, faces, parameters("logistic"), *size, name, False, 1e-6, t_conorm
                )


def test_a_collapsed_face_is_not_drawn(emulated: None) -> None:
    check_not_drawn(*collapsed(), parameters("logistic"))
