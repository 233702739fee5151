"""Logits of the 16 gates to the four coefficients of their mixture, in plain PyTorch."""

from __future__ import annotations

from torch import Tensor

from renderer.logic.gates import corners_to_coefficients, truth_table


def logic_coefficients(logits: Tensor, temperature: float) -> Tensor:
    """(neurons, 16) to (neurons, 4): c0, ca, cb, cab of y = c0 + ca a + cb b + cab ab."""
    return corners_to_coefficients((logits / temperature).softmax(-1) @ truth_table(logits))
