"""Longest common subsequence and the assignment of k-means against their textbook definitions."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from renderer import algorithms as alg


def one_hot(strings: list[str], alphabet: str = "ABCD") -> torch.Tensor:
    codes = torch.tensor([[alphabet.index(c) for c in s] for s in strings])
    return torch.nn.functional.one_hot(codes, len(alphabet)).double()


def is_subsequence(short: tuple, long: list) -> bool:
    rest = iter(long)
    return all(c in rest for c in short)


@pytest.mark.parametrize("kind", ["logsumexp", "mean", "hard"])
def test_lcs_of_the_textbook(kind: str) -> None:
    # Cormen et al., "Introduction to Algorithms": BCBA is a longest common subsequence of these two.
    a, b = one_hot(["ABCBDAB"]), one_hot(["BDCABA"])
    assert float(alg.lcs(a, b, beta=1e4, kind=kind)) == pytest.approx(4, abs=2e-3)
    assert float(alg.lcs(a, a, beta=1e4, kind=kind)) == pytest.approx(7, abs=2e-3)
    assert float(alg.lcs(one_hot(["AAB"]), one_hot(["CDDC"]), beta=1e4, kind=kind)) == pytest.approx(0, abs=2e-3)


def test_lcs_against_all_subsequences() -> None:
    torch.manual_seed(0)
    s, t = torch.randint(0, 3, (12, 6)), torch.randint(0, 3, (12, 5))
    expected = [
        max(k for k in range(6) for pick in itertools.combinations(y, k) if is_subsequence(pick, x))
        for x, y in zip(s.tolist(), t.tolist(), strict=True)
    ]
    a, b = (torch.nn.functional.one_hot(v, 3).double() for v in (s, t))
    assert len(set(expected)) > 1
    torch.testing.assert_close(alg.lcs(a, b, beta=1e4), torch.tensor(expected).double(), rtol=0, atol=2e-3)


def test_lcs_of_one_character_in_closed_form_and_its_gradient() -> None:
    # Three ways through one cell: over the pair, which counts p, or around it, twice, which count 0.
    a, b = (torch.tensor([[v]], dtype=torch.float64) for v in ([0.2, 0.8], [0.6, 0.4]))
    p = 0.2 * 0.6 + 0.8 * 0.4
    assert float(alg.lcs(a, b, beta=3.0)) == pytest.approx(math.log(math.exp(3 * p) + 2) / 3, abs=1e-12)
    torch.manual_seed(0)
    x, y = (torch.rand(2, n, 3).double().requires_grad_() for n in (4, 3))
    assert torch.autograd.gradcheck(lambda x, y: alg.lcs(x, y, beta=3.0), (x, y))


def test_kmeans_assign_in_closed_form() -> None:
    points = torch.tensor([[0.0, 0.0], [1.0, 0.0]]).double()
    centres = torch.tensor([[0.0, 1.0], [2.0, 0.0], [0.0, -1.0]]).double()
    squared = torch.tensor([[1.0, 4.0, 1.0], [2.0, 1.0, 2.0]]).double()
    weights = torch.exp(-0.7 * squared)
    torch.testing.assert_close(
        alg.kmeans_assign(points, centres, beta=0.7), weights / weights.sum(1, keepdim=True), rtol=0, atol=1e-12
    )


def test_kmeans_assign_becomes_the_nearest_centre_and_lloyd_converges() -> None:
    generator = torch.Generator().manual_seed(0)
    means = torch.tensor([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]]).double()
    label = torch.arange(3).repeat(20)
    points = means[label] + 0.4 * torch.randn(60, 2, generator=generator, dtype=torch.float64)
    nearest = torch.cdist(points, means).argmin(1)
    assert nearest.equal(label)
    sharp = alg.kmeans_assign(points, means, beta=1e4)
    torch.testing.assert_close(sharp, torch.nn.functional.one_hot(nearest, 3).double())
    centres = points[:3]
    for _ in range(5):
        weights = alg.kmeans_assign(points, centres, beta=1e4)
        centres = weights.T @ points / weights.sum(0)[:, None]
    expected = torch.stack([points[label == k].mean(0) for k in range(3)])
    torch.testing.assert_close(centres, expected)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="centres: expected 2 coordinates as points have, got 3"):
        alg.kmeans_assign(torch.zeros(4, 2), torch.zeros(3, 3), beta=1.0)
    with pytest.raises(ValueError, match="a, b: expected shapes"):
        alg.lcs(torch.zeros(1, 3, 2), torch.zeros(1, 3, 4), beta=1.0)
    with pytest.raises(ValueError, match="kind: expected one of"):
        alg.lcs(torch.zeros(1, 3, 2), torch.zeros(1, 3, 2), beta=1.0, kind="softmax")
