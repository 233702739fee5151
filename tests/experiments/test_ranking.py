"""The ranking and top-k experiments on made-up digits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from renderer.experiments.ranking import Ranking, matches
from renderer.experiments.top_k import TopK, accuracies
from renderer.sort import NETWORKS
from renderer.train.loop import fit
from tests.experiments.test_mnist import write_mnist


def small(folder: Path, **changes: object) -> Ranking:
    write_mnist(folder, 20)
    return Ranking(folder, **{"n": 3, "digits": 2, "sets": 4, "test_sets": 6, "steps": 4, **changes})  # type: ignore[arg-type]


def test_numbers_are_their_digits_side_by_side(tmp_path: Path) -> None:
    images, labels = write_mnist(tmp_path, 20)
    chosen = torch.tensor([[[3, 14], [0, 7]]])
    pictures, numbers = Ranking(tmp_path, n=2, digits=2).numbers("train", chosen)
    assert numbers.tolist() == [[10 * labels[3] + labels[14], labels[7]]]
    expected = np.concatenate([images[3], images[14]], axis=1) / 255
    torch.testing.assert_close(pictures[0, 0].double(), torch.from_numpy(expected), atol=1e-6, rtol=0)


def test_matches() -> None:
    numbers = torch.tensor([[5, 1, 9, 1, 7, 8], [5, 1, 9, 2, 7, 8], [3, 1, 2, 4, 5, 0]])
    scores = numbers.double()
    scores[0, 1], scores[0, 3] = 0.5, 0.2  # equal numbers may rank in any order
    scores[1, 4], scores[1, 5] = 8, 7  # wrong among all, right among the first five
    scores[2, 0], scores[2, 1] = 1, 3
    result = {name: value.item() for name, value in matches(scores, numbers).items()}
    assert result["exact_match"] == pytest.approx(1 / 3)
    assert result["element_wise"] == pytest.approx((6 + 4 + 4) / 18)
    assert result["exact_match_first_5"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("network", [*NETWORKS, "softsort"])
def test_trains_and_goes_on_from_a_checkpoint(network: str, tmp_path: Path) -> None:
    distribution = "cauchy" if network == "softsort" else "optimal"
    experiment = small(tmp_path, network=network, distribution=distribution)
    whole = fit(experiment, steps=4, out=tmp_path / "whole", device="cpu")
    fit(experiment, steps=2, out=tmp_path / "parts", device="cpu")
    parts = fit(experiment, steps=4, out=tmp_path / "parts", resume=True, device="cpu")
    assert {k: v for k, v in whole.items() if k != "seconds"} == {k: v for k, v in parts.items() if k != "seconds"}
    assert set(whole) == {"exact_match", "element_wise", "exact_match_first_5", "steps", "seconds"}


def test_step_size_rises_and_falls(tmp_path: Path) -> None:
    experiment = small(tmp_path, steps=1000)
    rates = [experiment.schedule(step) for step in (1, 100, 500, 1000)]
    assert rates[0] == pytest.approx(0.01, rel=1e-4)
    assert rates[1] > 0.97
    assert rates[2] == pytest.approx(0.5)
    assert rates[3] == 0


@pytest.mark.parametrize("field", ["n", "digits", "sets", "test_sets"])
def test_errors(field: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"{field}: expected at least [12], got 0"):
        small(tmp_path, **{field: 0})


def test_top_k(tmp_path: Path) -> None:
    write_mnist(tmp_path, 30)
    results = fit(TopK(tmp_path, batch_size=6), steps=3, out=tmp_path / "out", device="cpu")
    assert results["top_1"] <= results["top_2"] <= results["top_5"]
    scores = torch.arange(10.0).expand(3, 10)
    got = {name: value.item() for name, value in accuracies(scores, torch.tensor([9, 8, 0])).items()}
    assert got == {"top_1": pytest.approx(1 / 3), "top_2": pytest.approx(2 / 3), "top_5": pytest.approx(2 / 3)}


def test_noise_is_in_the_training_labels_alone(tmp_path: Path) -> None:
    write_mnist(tmp_path, 400)
    clean, noisy = TopK(tmp_path), TopK(tmp_path, noise=0.5)
    assert torch.equal(clean.splits["test"][1], noisy.splits["test"][1])
    share = (clean.splits["train"][1] != noisy.splits["train"][1]).float().mean().item()
    assert share == pytest.approx(0.45, abs=0.08)
    with pytest.raises(ValueError, match=r"noise: expected a share from 0 to 1, got 1\.5"):
        TopK(tmp_path, noise=1.5)
