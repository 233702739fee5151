"""Ways of probability 0 contribute neither value nor gradient, whatever is undefined on them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from renderer.relax.program import RelaxationWarning, relax

F64 = torch.float64
SURE = 1e4  # β at which the conditions below are certain in float64: their other side has probability exactly 0
SCALE = torch.tensor([2.0, 3.0, 5.0, 7.0], dtype=F64)  # as long as a batch below, but no batch
EYE = torch.eye(4, dtype=F64)


@relax(beta=SURE)
def root(x):
    if x > 0:  # noqa: SIM108  a statement is what is tested
        y = torch.sqrt(x)
    else:
        y = -x
    return y


@relax(beta=SURE)
def root_by_method(x):
    return x.sqrt() if x > 0 else -x


@relax(beta=SURE)
def root_by_power(x):
    if x <= 0:
        return -x
    return x**0.5


@relax(beta=SURE)
def logarithm(x):
    if x > 0 and torch.log(x) > -20:
        return torch.log(x)
    return 0.0


@relax(beta=SURE)
def inverse(x):
    if x == 0:
        return 0.0
    return 1 / x


@relax(beta=SURE)
def remainder(x):
    y = 1.0
    if x != 0:
        y = 7.3 % x
    return y


@relax(beta=SURE)
def square_below(x):
    y = 0.0
    if x < 1e9:
        y = x * x
    return y


@relax(beta=SURE)
def called(x):
    return root(x) + logarithm(x) if x > 0 else 1.0


@relax(beta=SURE)
def largest(x):
    y = 0.0
    if x > 0:
        y = max(torch.log(x), abs(1 / x))
    return y


@relax(beta=SURE)
def newton(x):
    if x <= 0:
        return 0.0
    y = x
    while abs(y * y - x) > 1e-3:
        y = 0.5 * (y + x / y)
    return y


@relax(beta=SURE)
def dot(x):
    y = 0.0
    if x > 0:
        y = torch.nn.functional.linear(torch.sqrt(x), EYE, SCALE) * SCALE
    return y


def slope(program, x: torch.Tensor, **options: object) -> tuple[list[float], list[float]]:
    leaf = x.clone().requires_grad_()
    y = program(leaf, **options)
    if not y.requires_grad:  # a single way, on which it is a constant
        return y.tolist(), torch.zeros_like(x).tolist()
    return y.tolist(), torch.autograd.grad(y.sum(), leaf)[0].tolist()


@pytest.mark.parametrize("semantics", ["merge", "path"])
@pytest.mark.parametrize(
    ("program", "x", "y", "dy"),
    [
        (root, [-1.0, 4.0], [1.0, 2.0], [-1.0, 0.25]),
        (root_by_method, [-1.0, 4.0], [1.0, 2.0], [-1.0, 0.25]),
        (root_by_power, [-1.0, 4.0], [1.0, 2.0], [-1.0, 0.25]),
        (logarithm, [-1.0, 4.0], [0.0, math.log(4)], [0.0, 0.25]),
        (inverse, [0.0, 4.0], [0.0, 0.25], [0.0, -0.0625]),
        (remainder, [0.0, 4.0], [1.0, 3.3], [0.0, -1.0]),
        (square_below, [math.inf, 3.0], [0.0, 9.0], [0.0, 6.0]),
        (called, [-1.0, 4.0], [1.0, 2 + math.log(4)], [0.0, 0.5]),
        (largest, [-1.0, 4.0], [0.0, math.log(4)], [0.0, 0.25]),
    ],
)
def test_undefined_on_a_way_that_is_not_taken(program, semantics: str, x: list, y: list, dy: list) -> None:
    value, gradient = slope(program, torch.tensor(x, dtype=F64), semantics=semantics)
    assert value == pytest.approx(y, abs=1e-9)
    assert gradient == pytest.approx(dy, abs=1e-9)
    for k in range(2):  # nor does it depend on a sample that takes the way
        alone = slope(program, torch.tensor(x[k : k + 1], dtype=F64), semantics=semantics)
        assert alone[0] == value[k : k + 1]
        # In "path" a way that nobody in the batch can take is not followed; its weight has a derivative of rounding.
        assert alone[1] == pytest.approx(gradient[k : k + 1], rel=0, abs=0 if semantics == "merge" else 1e-30)


@pytest.mark.parametrize("distribution", ["hard", "uniform"])
def test_bounded_noise_leaves_ways_out_at_any_beta(distribution: str) -> None:
    value, gradient = slope(root, torch.tensor([-1.0, 4.0], dtype=F64), beta=2.0, distribution=distribution)
    assert (value, gradient) == ([1.0, 2.0], [-1.0, 0.25])


def test_single_precision() -> None:
    value, gradient = slope(root, torch.tensor([-1.0, 4.0]))
    assert (value, gradient) == ([1.0, 2.0], [-1.0, 0.25])


@relax(beta=1.0)
def clamped_root(x):
    return torch.sqrt(torch.clamp(x, min=1e-6)) if x > 0 else -x


def test_a_way_that_may_be_taken_has_to_be_defined() -> None:
    x = torch.tensor([-1.0, 4.0], dtype=F64)
    value, _ = slope(root, x, beta=1.0)
    assert math.isnan(value[0])  # the root's probability is σ(−1)
    p = torch.sigmoid(x)
    value, gradient = slope(clamped_root, x)
    assert value == pytest.approx((p * torch.tensor([1e-3, 2.0]) - (1 - p) * x).tolist())
    density = p * (1 - p)
    expected = density * (torch.tensor([1e-3, 2.0]) + x) + p * torch.tensor([0.0, 0.25]) - (1 - p)
    assert gradient == pytest.approx(expected.tolist())


def test_learned_beta_and_parameters_get_their_gradient() -> None:
    x = torch.tensor([-1.0, 4.0], dtype=F64)
    beta = torch.tensor(SURE, dtype=F64, requires_grad=True)
    (gradient,) = torch.autograd.grad(logarithm(x, beta=beta).sum(), beta)
    assert gradient == 0
    network = nn.Linear(1, 1).double()

    @relax(beta=SURE)
    def through(x):
        y = 0.0
        if x > 0:
            y = network(torch.unsqueeze(torch.log(x), 1))[0]
        return y

    for samples, expected in (([-1.0, math.e], (1.0, 1.0)), ([-1.0], (0.0, 0.0))):
        y = through(torch.tensor(samples, dtype=F64)).sum()
        found = torch.autograd.grad(y, [network.weight, network.bias])
        assert [float(g) for g in found] == pytest.approx(expected)


def test_tensors_from_outside_are_no_samples() -> None:
    x = torch.tensor([-1.0, 4.0, 9.0, -2.0], dtype=F64)
    value, gradient = slope(dot, x)
    assert value == pytest.approx([0.0, (2 + 3) * 3, (3 + 5) * 5, 0.0])
    assert gradient == pytest.approx([0.0, 3 / 4, 5 / 6, 0.0])
    assert dot.source().count("_rt.shared(SCALE)") == 2


def test_a_loop_that_cannot_be_reached_does_not_run() -> None:
    value, gradient = slope(newton, torch.tensor([-1.0, 4.0], dtype=F64))
    assert value == pytest.approx([0.0, 2.0], abs=1e-3)
    assert gradient[0] == 0
    assert gradient[1] == pytest.approx(0.25, abs=1e-2)

    @relax(beta=SURE)
    def endless(x):
        n = 0
        if x > 0:
            while x > 0:
                x = x - 0.0
                n += 1
        return n

    assert endless(torch.tensor([-1.0]), max_iter=3).tolist() == [0.0]
    with pytest.warns(RelaxationWarning, match="max_iter = 3"):
        endless(torch.tensor([1.0]), max_iter=3)


@pytest.mark.parametrize("program", [root, logarithm])
def test_compiled(program) -> None:
    torch._dynamo.reset()
    compiled = torch.compile(lambda x: program(x), fullgraph=True, backend="aot_eager")
    x = torch.tensor([-1.0, 4.0], dtype=F64)
    assert slope(compiled, x) == slope(program, x)
