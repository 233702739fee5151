"""Top-k cross-entropy: closed forms, limits, derivatives, errors."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from renderer.losses import TopKCrossEntropy, top_k_cross_entropy
from renderer.sort import soft_permutation


def data(batch: int = 5, classes: int = 8) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(batch, classes, generator=generator, dtype=torch.float64)
    return scores, torch.randint(classes, (batch,), generator=generator)


@pytest.mark.parametrize("network", ["bitonic", "odd_even", "softsort"])
def test_column_sums_of_the_matrix(network: str) -> None:
    scores, target = data()
    p_k = [0.25, 0.0, 0.5, 0.25]
    # The true class is the first wire, then the others from the best.
    rest = [
        torch.cat([s[t : t + 1], torch.cat([s[:t], s[t + 1 :]]).sort(descending=True).values])
        for s, t in zip(scores, target, strict=True)
    ]
    p = soft_permutation(torch.stack(rest), network=network, beta=2.0)
    sums = torch.stack([p[:, 0, -k:].sum(1) for k in (1, 2, 3, 4)], 1)
    expected = -(sums @ torch.tensor(p_k, dtype=torch.float64)).log()
    torch.testing.assert_close(
        top_k_cross_entropy(scores, target, p_k=p_k, network=network, beta=2.0, reduction="none"), expected
    )


@pytest.mark.parametrize("network", ["splitter_selection", "bitonic"])
def test_sharp_limit_is_whether_the_class_is_among_the_best(network: str) -> None:
    scores, target = data(40, 12)
    rank = (scores > scores.gather(1, target[:, None])).sum(1)
    for k in (1, 3):
        p_k = [0.0] * (k - 1) + [1.0]
        loss = top_k_cross_entropy(scores, target, p_k=p_k, network=network, beta=1e7, reduction="none")
        assert torch.equal(loss < 1e-4, rank < k)


def test_only_the_best_scores_matter() -> None:
    scores, target = data(6, 30)
    few = top_k_cross_entropy(scores, target, best=6, reduction="none")
    lowered = scores.clone()
    worst = scores.scatter(1, target[:, None], torch.inf).argsort(1)[:, :10]
    lowered.scatter_(1, worst, -50.0)
    torch.testing.assert_close(top_k_cross_entropy(lowered, target, best=6, reduction="none"), few)
    scores.requires_grad_()
    top_k_cross_entropy(scores, target, best=6).backward()
    assert ((scores.grad != 0).sum(1) <= 6).all()
    assert (scores.grad.gather(1, target[:, None]) < 0).all()


def test_gradcheck() -> None:
    scores, target = data(3, 6)
    for network in ("splitter_selection", "bitonic", "neuralsort"):
        loss = lambda s, n=network: top_k_cross_entropy(s, target, p_k=[0.5, 0.5], network=n, beta=1.0)  # noqa: E731
        assert torch.autograd.gradcheck(loss, scores.requires_grad_())


def test_shapes_and_module() -> None:
    scores = torch.randn(2, 3, 10, requires_grad=True)
    target = torch.randint(10, (2, 3))
    how = {"p_k": [0.25, 0, 0, 0, 0.75], "best": 7, "beta": 2.0, "reduction": "none"}
    loss = TopKCrossEntropy(**how)(scores, target)
    assert loss.shape == (2, 3)
    assert torch.equal(loss, top_k_cross_entropy(scores, target, **how))
    assert top_k_cross_entropy(scores.bfloat16(), target).dtype == torch.bfloat16
    assert top_k_cross_entropy(scores[0, 0], target[0, 0], p_k=[1.0]).shape == ()
    assert torch.isfinite(top_k_cross_entropy(1e4 * scores, target, distribution="logistic"))


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"p_k": [0.5, 0.4]}, ValueError, "p_k: expected probabilities of k = 1, 2, ... that sum to 1"),
        ({"p_k": [1.5, -0.5]}, ValueError, "p_k: expected probabilities"),
        ({"p_k": []}, ValueError, "p_k: expected probabilities"),
        ({"best": 3}, ValueError, "p_k: expected at most 3 entries, the number of scores sorted, got 5"),
        ({"best": 9}, ValueError, "best: expected 1 to 8, the number of classes, got 9"),
        ({"target": torch.zeros(4, dtype=torch.int64)}, ValueError, r"target: expected int64 of shape \(5,\)"),
        ({"target": torch.zeros(5)}, ValueError, "target: expected int64"),
        ({"target": torch.full((5,), 8)}, ValueError, "target: expected classes from 0 to 7, got 8"),
        ({"scores": torch.zeros(5, 8, dtype=torch.int64)}, TypeError, "scores: expected floating-point"),
    ],
)
def test_errors(change: dict, kind: type[Exception], message: str) -> None:
    scores, target = data()
    arguments = {"scores": scores, "target": target, **change}
    with pytest.raises(kind, match=message):
        top_k_cross_entropy(arguments.pop("scores"), arguments.pop("target"), **arguments)


@pytest.mark.parametrize("function", [top_k_cross_entropy])
def test_all_classes_serve_where_they_are_few(function: Callable[..., Tensor]) -> None:
    scores, target = data(4, 3)
    torch.testing.assert_close(
        function(scores, target, p_k=[1.0]), function(scores, target, p_k=[1.0, 0.0, 0.0, 0.0], best=3)
    )
