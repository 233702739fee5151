from __future__ import annotations

import pytest
import torch

from renderer.train.schedule import cosine_decay


def make() -> tuple[torch.nn.Parameter, torch.optim.Optimizer]:
    parameter = torch.nn.Parameter(torch.zeros(()))
    return parameter, cosine_decay(torch.optim.SGD([parameter], lr=1.0), 4)


def update(parameter: torch.nn.Parameter, optimiser: torch.optim.Optimizer) -> float:
    before = parameter.item()
    parameter.grad = torch.tensor(-1.0)
    optimiser.step()
    return parameter.item() - before


def test_the_step_size_falls_along_half_a_cosine_and_stays_0() -> None:
    parameter, optimiser = make()
    steps = [update(parameter, optimiser) for _ in range(6)]
    assert steps == pytest.approx([1, 0.8535534, 0.5, 0.1464466, 0, 0])


def test_it_goes_on_from_a_state_dict() -> None:
    parameter, optimiser = make()
    for _ in range(2):
        update(parameter, optimiser)
    other_parameter, other = make()
    other.load_state_dict(optimiser.state_dict())
    assert update(other_parameter, other) == pytest.approx(0.5)


def test_errors_are_one_line() -> None:
    with pytest.raises(ValueError, match="steps: expected at least 1, got 0"):
        cosine_decay(torch.optim.SGD([torch.nn.Parameter(torch.zeros(()))], lr=1.0), 0)
