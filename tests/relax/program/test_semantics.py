"""What relaxed programs compute: limits, integers, defects of earlier implementations, independence of samples."""

from __future__ import annotations

import math

import pytest
import torch

from renderer.relax.program import RelaxationWarning, RelaxError, relax

inf = math.inf


@relax(beta=8.0)
def count_to_five(x):
    while x < 5:
        x += 1
    return x


@relax(beta=4.0)
def pick(a, b):
    if a > b:  # noqa: SIM108  a statement is what is tested
        y = a * a
    else:
        y = b - 1.0
    return y


@relax(beta=3.0)
def relaxed_positive(x):
    return max(x, 0.0)


@relax(beta=5.0)
def masked_write(d, x):
    if x > 0:
        d[0] = x
    return d


@relax(beta=5.0)
def first_above(a, level):
    for i in range(len(a)):
        if a[i] > level:
            return a[i]
    return level


@relax(beta=5.0)
def halving(x):
    n = 0
    while x > 1.0:
        x = x * 0.5
        n += 1
    return x, n


@relax(beta=5.0)
def three(a, b, c):
    return 1.0 if a > 0 and b > 0 and c > 0 else 0.0


def test_integers_end_where_python_ends() -> None:
    x = torch.tensor([0, 3, 5, 9])
    torch.testing.assert_close(count_to_five(x, beta=1e4), torch.tensor([5.0, 5.0, 5.0, 9.0]))
    torch.testing.assert_close(count_to_five.hard(x), torch.tensor([5.0, 5.0, 5.0, 9.0]))


def test_reals_are_even_at_a_tie_and_pythons_elsewhere() -> None:
    x = torch.tensor([0.0, 3.0, 0.5, 6.2]).double()  # the first two come to 5.0 < 5, which is as likely as not
    torch.testing.assert_close(count_to_five(x, beta=1e4), torch.tensor([5.5, 5.5, 5.5, 6.2]).double())
    torch.testing.assert_close(count_to_five.hard(x), torch.tensor([5.0, 5.0, 5.5, 6.2]).double())


def test_one_branch_in_closed_form() -> None:
    a, b = torch.tensor([0.3, 1.0]).double(), torch.tensor([0.5, -1.0]).double()
    p = torch.sigmoid(4.0 * (a - b))
    torch.testing.assert_close(pick(a, b), p * a * a + (1 - p) * (b - 1))
    torch.testing.assert_close(pick(a, b), pick(a, b, semantics="path"), rtol=0, atol=1e-12)


def test_path_equals_merge_for_returns_and_loops() -> None:
    a = torch.tensor([[0.1, 0.4, -0.3], [1.0, 0.2, 0.3]]).double()
    level = torch.tensor([0.2, 0.9]).double()
    torch.testing.assert_close(first_above(a, level), first_above(a, level, semantics="path"), rtol=0, atol=1e-12)
    x = torch.tensor([5.0, 0.5, 2.2]).double()
    for merged, exact in zip(halving(x), halving(x, semantics="path"), strict=True):
        torch.testing.assert_close(merged, exact, rtol=0, atol=1e-12)


def test_relaxed_maximum_is_not_negative() -> None:
    assert (relaxed_positive(torch.linspace(-5, 5, 41)) >= 0).all()


def test_infinity_stays_or_is_overwritten_without_nan() -> None:
    d = torch.tensor([[inf, 1.0], [inf, 1.0], [inf, 1.0]])
    written = masked_write(d, torch.tensor([9.0, -9.0, 0.5]), beta=1e4)
    torch.testing.assert_close(written[:, 0], torch.tensor([9.0, inf, 0.5]))
    assert masked_write(d, torch.tensor([0.1, -0.1, 0.5]))[:, 0].isinf().all()


def test_samples_do_not_depend_on_each_other() -> None:
    x = torch.tensor([3.0, 400.0, 0.2, 1.4]).double().requires_grad_()
    together = halving(x)
    (gradient,) = torch.autograd.grad(together[0].sum(), x)
    for b in range(len(x)):
        one = x[b : b + 1].detach().requires_grad_()
        alone = halving(one)
        torch.testing.assert_close(alone[0], together[0][b : b + 1], rtol=0, atol=0)
        torch.testing.assert_close(alone[1], together[1][b : b + 1], rtol=0, atol=0)
        (expected,) = torch.autograd.grad(alone[0].sum(), one)
        torch.testing.assert_close(expected, gradient[b : b + 1], rtol=0, atol=0)


def test_and_chains() -> None:
    v = torch.tensor([0.4]).double()
    torch.testing.assert_close(three(v, v, v), torch.sigmoid(5 * v) ** 3)


def test_max_iter_warns_and_raises() -> None:
    x = torch.tensor([0])
    with pytest.warns(RelaxationWarning, match="max_iter = 2"):
        count_to_five(x, max_iter=2)
    with pytest.raises(RelaxError, match="max_iter = 2"):
        count_to_five(x, max_iter=2, leftover="raise")


def test_gradients() -> None:
    a, b = (torch.tensor(v).double().requires_grad_() for v in ([0.3, 1.0], [0.5, -1.0]))
    assert torch.autograd.gradcheck(pick, (a, b))
    beta = torch.tensor(2.0).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda beta: pick(a, b, beta=beta), beta)
    x = torch.tensor([3.0, 0.7]).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: halving(x)[0], x)
