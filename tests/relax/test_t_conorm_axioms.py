"""The axioms of a T-conorm, for any arguments and parameter."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from renderer.relax import T_CONORMS, TConorm, t_conorm

UNIT = st.floats(0, 1)
RANGES = {
    "hamacher": st.floats(0, 60),
    "frank": st.floats(1e-4, 1e4),
    "yager": st.floats(0.05, 60),
    "aczel_alsina": st.floats(0.05, 60),
    "dombi": st.floats(0.05, 60),
    "schweizer_sklar": st.floats(-60, 0),
}
# Sums of rounded terms: an error of 1e-16 in ln u is one of 1e-16/p in ln u^(1/p).
TOLERANCE = 1e-12


def tensor(x: float) -> torch.Tensor:
    return torch.tensor(x, dtype=torch.float64)


@st.composite
def t_conorms(draw: st.DrawFn, name: str) -> TConorm:
    return t_conorm(name, draw(RANGES[name])) if name in RANGES else t_conorm(name)


@pytest.mark.parametrize("name", T_CONORMS)
def test_axioms(name: str) -> None:
    @settings(max_examples=60, deadline=None, derandomize=True)
    @given(t=t_conorms(name), numbers=st.tuples(UNIT, UNIT, UNIT))
    def check(t: TConorm, numbers: tuple[float, float, float]) -> None:
        a, b, c = map(tensor, numbers)
        S = t.pair(a, b)
        assert torch.maximum(a, b) - TOLERANCE <= S <= 1
        torch.testing.assert_close(t.pair(b, a), S, rtol=0, atol=TOLERANCE)
        torch.testing.assert_close(t.pair(a, tensor(0.0)), a, rtol=TOLERANCE, atol=0)
        assert t.pair(a, tensor(1.0)) == 1
        assert t.pair(a, torch.maximum(b, c)) >= t.pair(a, torch.minimum(b, c)) - TOLERANCE
        torch.testing.assert_close(t.pair(t.pair(a, b), c), t.pair(a, t.pair(b, c)), rtol=0, atol=associativity(t, S))

    check()


def associativity(t: TConorm, S: torch.Tensor) -> float:
    """A partial result S is rounded, and its complement 1 − S may matter where the powers of p < 1 are steep."""
    steep = t.p is not None and t.name in ("yager", "aczel_alsina", "dombi") and t.p < 1
    return 1e-4 if steep else 1e-9
