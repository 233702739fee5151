"""Interpolation by the CUDA kernels."""

from __future__ import annotations

import pytest
import torch

from tests.cuda.compare import check_against_reference, check_deterministic
from tests.ops.test_hard_ops import arguments


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_the_reference(emulated: None, seed: int, dtype: torch.dtype) -> None:
    check_against_reference("interpolate", arguments("interpolate", seed), dtype)


def test_sums_in_a_fixed_order(emulated: None) -> None:
    check_deterministic("interpolate", arguments("interpolate"))


def test_a_row_out_of_range_is_one_line(emulated: None) -> None:
    attributes, faces, face_id, barycentrics = arguments("interpolate")
    faces[face_id.max()] = 99
    with pytest.raises(ValueError, match=r"attribute_faces: face \d+ refers to row 99, but there are 7$"):
        torch.ops.renderer.interpolate(attributes, faces, face_id, barycentrics)
    with pytest.raises(ValueError, match=r"fragments: face 1000 is not among the 80 faces$"):
        torch.ops.renderer.interpolate(attributes, faces, torch.full_like(face_id, 1000), barycentrics)
