"""Ranking losses: closed forms, streaming, derivatives, errors."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor

from renderer.losses import (
    PairwiseRankingLoss,
    RankingCrossEntropy,
    SpearmanLoss,
    pairwise_ranking,
    ranking,
    ranking_cross_entropy,
    spearman,
)
from renderer.sort import soft_permutation, soft_rank

LOSSES = [ranking_cross_entropy, lambda s, t, **how: ranking_cross_entropy(s, t, entropy="binary", **how), spearman]


def lists(*shape: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(shape, generator=generator, dtype=torch.float64), torch.rand(shape, generator=generator)


def true_permutation(target: Tensor) -> Tensor:
    return torch.nn.functional.one_hot(target.argsort(-1).argsort(-1), target.shape[-1]).double()


@pytest.mark.parametrize("n", [1, 2, 7, 20])
@pytest.mark.parametrize("network", ["bitonic", "neuralsort"])
def test_cross_entropies_of_the_whole_matrix(n: int, network: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when P comes in blocks of 6 rows."""
    scores, target = lists(3, n)
    scores.requires_grad_()
    p, true = soft_permutation(scores, network=network, beta=2.0), true_permutation(target)
    expected = {
        "categorical": -(true * p.log()).sum((1, 2)) / n,
        "binary": torch.nn.functional.binary_cross_entropy(p.clamp(0, 1), true, reduction="none").mean((1, 2)),
    }
    for block in (128, 6):
        monkeypatch.setattr(ranking, "BLOCK", block)
        for entropy, exact in expected.items():
            loss = ranking_cross_entropy(scores, target, entropy=entropy, network=network, beta=2.0, reduction="none")
            torch.testing.assert_close(loss, exact)
            ours, theirs = (torch.autograd.grad(value.sum(), scores, retain_graph=True)[0] for value in (loss, exact))
            torch.testing.assert_close(ours, theirs)


def test_blocks_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """What autograd saves grows with n, not with n²."""
    monkeypatch.setattr(ranking, "BLOCK", 16)
    for entropy in ("categorical", "binary"):
        saved: list[int] = []

        def save(tensor: Tensor, sizes: list[int] = saved) -> Tensor:
            sizes.append(tensor.numel())
            return tensor

        scores, target = lists(1, 96)
        with torch.autograd.graph.saved_tensors_hooks(save, lambda tensor: tensor):
            ranking_cross_entropy(scores.requires_grad_(), target, entropy=entropy)
        assert max(saved) <= 96


def test_spearman_is_scipys_for_hard_ranks() -> None:
    scores, target = lists(4, 9)
    losses = spearman(scores, target, beta=1e9, reduction="none")
    for loss, s, t in zip(losses, scores, target, strict=True):
        assert loss.item() == pytest.approx(1 - spearmanr(s.numpy(), t.numpy()).statistic, abs=1e-6)


def test_spearman_of_soft_ranks_and_ties() -> None:
    scores, _ = lists(2, 5)
    target = torch.tensor([[3, 3, 1, 7, 7], [0, 0, 0, 0, 0]])
    true = torch.tensor([[2.5, 2.5, 1, 4.5, 4.5], [3, 3, 3, 3, 3]], dtype=torch.float64)
    expected = 6 * (soft_rank(scores, beta=2.0) - true).square().sum(1) / (5 * 24)
    torch.testing.assert_close(spearman(scores, target, beta=2.0, reduction="none"), expected)


def test_pairwise_is_the_sum_over_ascending_pairs() -> None:
    scores, _ = lists(1, 4)
    target = torch.tensor([[2, 1, 2, 5]])
    pairs = [(1, 0), (1, 2), (1, 3), (0, 3), (2, 3)]
    expected = sum(math.log1p(math.exp(-2 * float(scores[0, j] - scores[0, i]))) for i, j in pairs) / len(pairs)
    assert pairwise_ranking(scores, target, beta=2.0).item() == pytest.approx(expected)
    equal = pairwise_ranking(scores.requires_grad_(), torch.zeros(1, 4))
    equal.backward()
    assert equal == 0
    assert not scores.grad.any()


def test_pairwise_is_finite_where_the_probability_underflows() -> None:
    scores = torch.tensor([400.0, 0.0], requires_grad=True)
    loss = pairwise_ranking(scores, torch.tensor([0, 1]))
    loss.backward()
    assert loss.item() == pytest.approx(400)
    torch.testing.assert_close(scores.grad, torch.tensor([1.0, -1.0]))


@pytest.mark.parametrize("loss", [*LOSSES, pairwise_ranking])
def test_gradcheck(loss: Callable[..., Tensor]) -> None:
    scores, target = lists(2, 5)
    assert torch.autograd.gradcheck(lambda s: loss(s, target, beta=1.0), scores.requires_grad_())
    assert torch.autograd.gradgradcheck(lambda s: loss(s, target, distribution="logistic", beta=1.0), scores)


@pytest.mark.parametrize("loss", [*LOSSES, pairwise_ranking])
def test_batches_types_and_reductions(loss: Callable[..., Tensor]) -> None:
    scores, target = lists(2, 3, 6)
    each = loss(scores, target, beta=1.0, reduction="none")
    assert each.shape == (2, 3)
    torch.testing.assert_close(each[1, 2], loss(scores[1, 2], target[1, 2], beta=1.0))
    torch.testing.assert_close(each.sum(), loss(scores, target, beta=1.0, reduction="sum"))
    half = loss(scores.bfloat16(), target, beta=1.0)
    assert half.dtype == torch.bfloat16
    assert half.item() == pytest.approx(each.mean().item(), rel=0.02)


@pytest.mark.parametrize("loss", [*LOSSES, pairwise_ranking])
def test_descent_sorts(loss: Callable[..., Tensor]) -> None:
    scores, target = lists(1, 6)
    scores.requires_grad_()
    optimiser = torch.optim.Adam([scores], lr=0.1)
    assert not torch.equal(scores.argsort(), target.argsort())
    for _ in range(150):
        optimiser.zero_grad()
        loss(scores, target, beta=10.0).backward()
        optimiser.step()
        if torch.equal(scores.argsort(), target.argsort()):
            return
    pytest.fail("not sorted after 150 steps")


def test_modules_are_the_functions() -> None:
    scores, target = lists(3, 6)
    how = {"network": "odd_even", "distribution": "optimal", "beta": 3.0, "reduction": "sum"}
    assert RankingCrossEntropy(entropy="binary", **how)(scores, target) == ranking_cross_entropy(
        scores, target, entropy="binary", **how
    )
    assert SpearmanLoss(**how)(scores, target) == spearman(scores, target, **how)
    del how["network"]
    assert PairwiseRankingLoss(**how)(scores, target) == pairwise_ranking(scores, target, **how)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda s: ranking_cross_entropy(s, s, entropy="ternary"), ValueError, "entropy: expected 'categorical' or"),
        (lambda s: ranking_cross_entropy(s, s[:, :2]), ValueError, r"target: expected the shape of scores \(2, 4\)"),
        (lambda s: ranking_cross_entropy(s.long(), s), TypeError, "scores: expected floating-point lists"),
        (lambda s: spearman(s[:, :1], s[:, :1]), ValueError, "scores: expected at least two values in a list"),
        (lambda s: spearman(s, s, network="splitter_selection"), ValueError, "network: splitter_selection"),
        (lambda s: pairwise_ranking(s, s, distribution="levy"), ValueError, "distribution: expected a symmetric one"),
        (lambda s: spearman(s, s, reduction="max"), ValueError, "reduction: expected"),
    ],
)  # fmt: skip
def test_errors(call: Callable[[Tensor], object], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call(torch.zeros(2, 4))
