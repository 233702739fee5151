"""One small call, or a few, for every op: those that reach other kernels or other branches of one."""

from __future__ import annotations

import torch

from renderer.raster.texture_set import pack_textures, texture_slopes
from tests.cuda.scenes import SCENES, P, parameters
from tests.logic.test_program import random_bits, random_net
from tests.ops import test_hard_ops as hard
from tests.ops import test_logic_ops as logic
from tests.ops import test_soft_textures as soft_textures
from tests.ops.test_soft_render import no_textures
from tests.ops.test_soft_render import scene as soft_scene
from tests.sort import test_native as sort

Case = tuple[str, tuple]  # an op and its arguments in float64


def coverage(op: str, scene: str, distribution: str, *t_conorm: str) -> Case:
    vertices, faces, size = SCENES[scene]
    fine = parameters(distribution, P.get(*t_conorm, 0.0) if t_conorm else 0.0, scale=0.7)
    return op, (vertices, faces, fine, *size, distribution, False, 1e-6, *t_conorm)


def softmax(distribution: str = "logistic", channels: int = 3, squared: bool = False) -> Case:
    vertices, faces, attributes = soft_scene(1, channels, batch=2)
    settings = (7, 19, distribution, squared, 1e-6, 1e-3, 0.5, 4.0, True, [])
    tensors = (vertices, faces, attributes, faces, parameters(distribution, 0.2))
    return "depth_softmax", (*tensors, *no_textures(vertices), *settings)


def textured(
    filter: str, *, distribution: str = "logistic", perspective: bool = True, batch: int | None = None
) -> Case:
    """Two textures, and faces that have none; more attributes than the textures have channels."""
    vertices, faces, attributes, uv, uv_faces = soft_textures.scene(2, batch=2)
    uv = uv.expand(2, -1, -1) * torch.tensor([1.0, 3.0], dtype=torch.float64).reshape(2, 1, 1)
    texels, layouts = pack_textures(soft_textures.maps(soft_textures.images(batch=batch), filter), 2)
    slopes = texture_slopes(vertices, faces, uv, uv_faces, perspective=perspective)
    tensors = (vertices, faces, attributes, faces, parameters(distribution, 0.1, scale=0.8))
    settings = (8, 19, distribution, False, 1e-6, 1e-3, 0.5, 4.0, perspective, layouts)
    return "depth_softmax", (*tensors, uv, uv_faces, slopes, texels, soft_textures.OWNERS, *settings)


def sorting(op: str, relaxation: str) -> Case:
    network = "bitonic" if relaxation == "cauchy" else "odd_even"
    return op, (*sort.arguments(op, 2, 9, 11), *sort.settings(network, relaxation, 1.0))


CASES: dict[str, Case] = {
    **{f"{op}, {seed}": (op, hard.arguments(op, seed)) for op in hard.REFERENCE for seed in (0, 1)},
    "face_coverage": coverage("face_coverage", "soup", "logistic", "probabilistic"),
    "face_coverage, maximum": coverage("face_coverage", "soup", "logistic", "max"),
    "face_coverage, parameters": coverage("face_coverage", "soup", "gamma", "yager"),
    "outline_coverage": coverage("outline_coverage", "ball", "logistic"),
    "outline_coverage, parameters": coverage("outline_coverage", "soup", "gamma"),
    "depth_softmax": softmax(),
    "depth_softmax, one channel": softmax("gamma", 1),
    "depth_softmax, five channels": softmax("uniform", 5, squared=True),
    "depth_softmax, linear": textured("linear"),
    "depth_softmax, nearest": textured("nearest", distribution="cauchy", batch=2),
    "depth_softmax, mipmap": textured("mipmap"),
    "depth_softmax, mipmap on the screen": textured("mipmap", perspective=False, batch=2),
    **{f"{op}, {name}": sorting(op, name) for op in sort.OPS for name in ("cauchy", "logistic")},
    **{f"{op}, {seed}": (op, logic.arguments(op, seed, samples=70)) for op in logic.REFERENCE for seed in (1, 2)},
}


def rasterized() -> list[torch.Tensor]:
    """Two layers of a scene."""
    vertices, faces, size = SCENES["soup"]
    layers, behind = [], None
    for _ in range(2):
        face_id, behind = torch.ops.renderer.rasterize(vertices, faces, *size, True, False, behind)
        layers += [face_id, behind]
    return layers


def logic_counts() -> list[torch.Tensor]:
    """What a compiled network says of bits, and the bits packed."""
    bits = random_bits(130, 40)
    program = random_net().compile()
    return [program(bits), torch.ops.renderer.pack_bits(bits)]


# Ops without a gradient, by the functions that call them.
WITHOUT_GRADIENT = {("rasterize",): rasterized, ("logic_program", "pack_bits"): logic_counts}
