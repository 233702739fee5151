from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch

from renderer.experiments.adult import load_adult
from renderer.experiments.breast_cancer import ATTRIBUTES, load_breast_cancer
from renderer.experiments.logic import RECIPES, Logic, shifted
from renderer.experiments.monks import SIZES, load_monks
from renderer.scene.errors import DataError
from renderer.train.loop import fit
from tests.experiments.test_mnist import write_mnist

ROBOTS = list(itertools.product(*(range(1, n + 1) for n in SIZES)))
PERSON = (
    "39, State-gov, 77516, Bachelors, 13, Never-married, Adm-clerical, Not-in-family, White, Male, 2174, 0, 40, Cuba, "
)
PATIENT = "no-recurrence-events,30-39,premeno,30-34,0-2,no,3,left,left_low,no"


def write_monks(folder: Path) -> None:
    """All 432 robots, whose class is the first problem's rule: a1 = a2 or a5 = 1."""
    for split in ("train", "test"):
        lines = [f" {int(r[0] == r[1] or r[4] == 1)} {' '.join(map(str, r))} data_{i}" for i, r in enumerate(ROBOTS)]
        (folder / f"monks-1.{split}").write_text("\n".join(lines) + "\n")


def write_adult(folder: Path) -> None:
    other = PERSON.replace("State-gov", "Private").replace(" 40,", " 60,").replace("39", "20")
    unknown = PERSON.replace("State-gov", "?")
    (folder / "adult.data").write_text(f"{PERSON}<=50K\n{other}>50K\n{unknown}>50K\n\n")
    (folder / "adult.test").write_text(f"|1x3 Cross validator\n{other}>50K.\n{PERSON}<=50K.\n")


def test_monks_are_learnt_from_all_robots(tmp_path: Path) -> None:
    write_monks(tmp_path)
    bits, labels = load_monks(tmp_path, 1, "train")
    assert bits.shape == (432, 17)
    assert (bits.sum(1) == 6).all()
    assert int(labels.sum()) == 216
    results = fit(Logic(data=tmp_path, task="monk1", steps=300, lr=0.05), steps=300, out=tmp_path / "out", device="cpu")
    assert results["accuracy"] > 0.9
    assert results["gap"] == pytest.approx(results["relaxed_accuracy"] - results["accuracy"])


def test_samples_are_held_out_of_the_training_data(tmp_path: Path) -> None:
    write_monks(tmp_path)
    whole = Logic(data=tmp_path, task="monk1").splits
    experiment = Logic(data=tmp_path, task="monk1", validation=100, steps=2)
    splits = experiment.splits
    assert {name: len(labels) for name, (_, labels) in splits.items()} == {"train": 332, "test": 432, "validation": 100}
    robots = [{tuple(row) for row in splits[name][0].tolist()} for name in ("train", "validation")]
    assert robots[0] | robots[1] == {tuple(row) for row in whole["train"][0].tolist()}
    assert not robots[0] & robots[1]
    results = fit(experiment, steps=2, out=tmp_path / "out", device="cpu")
    assert {"accuracy", "train_accuracy", "validation_accuracy"} <= set(results)
    for number in (-1, 432):
        with pytest.raises(ValueError, match=f"validation: expected 0 to 431 samples, got {number}"):
            Logic(data=tmp_path, task="monk1", validation=number).splits  # noqa: B018


def test_adult_has_the_hours_and_leaves_out_rows_with_unknown_values(tmp_path: Path) -> None:
    write_adult(tmp_path)
    tables = load_adult(tmp_path)
    assert len(tables["train"][1]) == 2
    assert tables["train"][1].tolist() == [0, 1]
    assert tables["test"][1].tolist() == [1, 0]
    assert torch.equal(tables["train"][0][0], tables["test"][0][1])
    hours = PERSON.replace(" 40,", " 60,")
    for name in ("adult.data", "adult.test"):
        (tmp_path / name).write_text(f"{PERSON}<=50K\n{hours}<=50K\n")
    bits = load_adult(tmp_path)["train"][0]
    assert int((bits[0] ^ bits[1]).sum()) == 7  # thresholds from 40 to 59


def test_breast_cancer_has_one_bit_for_each_attribute(tmp_path: Path) -> None:
    (tmp_path / "breast-cancer.data").write_text(f"{PATIENT}\n{PATIENT.replace('left_low', '?')}\n" * 4)
    bits, labels = load_breast_cancer(tmp_path)
    assert bits.shape == (8, sum(map(len, ATTRIBUTES.values())))
    assert (bits.sum(1) == 9).all()
    assert labels.tolist() == [0] * 8
    splits = Logic(data=tmp_path, task="breast_cancer").splits
    assert [len(splits[name][1]) for name in ("train", "test")] == [6, 2]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("monks-1.train", None, "monks-1.train: no such file"),
        ("monks-1.train", "", "monks-1.train: expected rows of 8 values, got an empty file"),
        ("monks-1.train", "1 1 1 1\n", "monks-1.train: line 1: expected 8 values, got 4"),
        ("monks-1.train", "1 4 1 1 1 1 1 data\n", "monks-1.train: column a1: expected one of 1, 2, 3, got '4'"),
        ("adult.data", f"{PERSON}maybe\n", "adult.data: column class: expected one of <=50K, >50K, got 'maybe'"),
        ("adult.data", PERSON.replace("39", "old") + "<=50K\n", "adult.data: column age: expected numbers"),
        ("adult.data", PERSON.replace("Cuba", "?") + "<=50K\n", "adult.data: expected rows without unknown values"),
        (
            "adult.test",
            PERSON.replace("Cuba", "Mars") + "<=50K.\n",
            "adult.test: column native-country: expected one of",
        ),
        ("breast-cancer.data", PATIENT.replace("30-39", "30-38"), "breast-cancer.data: column age: expected one of"),
        ("breast-cancer.data", b"\xff\xfe", "breast-cancer.data: not a readable text file"),
    ],
)
def test_bad_files_are_one_line_errors(name: str, content: str | bytes | None, message: str, tmp_path: Path) -> None:
    write_adult(tmp_path)
    if content is not None:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    task = {"m": "monk1", "a": "adult", "b": "breast_cancer"}[name[0]]
    with pytest.raises(DataError, match=message) as error:
        Logic(data=tmp_path, task=task).splits  # type: ignore[arg-type]  # noqa: B018
    assert "\n" not in str(error.value)


def test_pictures_are_moved_each_by_its_own_pixels(tmp_path: Path) -> None:
    pictures = torch.rand(60, 2, 5, 4) > 0.5
    moves = torch.randint(-2, 3, (60, 2))
    for picture, moved, (down, right) in zip(pictures, shifted(pictures, moves), moves.tolist(), strict=True):
        for (c, y, x), value in zip(itertools.product(range(2), range(5), range(4)), moved.flatten(), strict=True):
            inside = 0 <= y - down < 5 and 0 <= x - right < 4
            assert value == (picture[c, y - down, x - right] if inside else False)
    write_mnist(tmp_path)
    still, moving = (Logic(data=tmp_path, task="mnist", shift=shift, batch_size=60) for shift in (0, 1))
    images = {tuple(image.flatten().tolist()) for image in still.splits["train"][0]}
    assert {tuple(image.flatten().tolist()) for image in still.batch(1, 0, 1)[0]} <= images
    batch = {tuple(image.flatten().tolist()) for image in moving.batch(1, 0, 1)[0]}
    assert len(batch) > len(images)
    with pytest.raises(ValueError, match="wiring: expected 'random' for mnist_tree, got 'local'"):
        Logic(data=tmp_path, task="mnist_tree", wiring="local")
    with pytest.raises(ValueError, match="shift: expected 0 for adult, which has no pictures, got 1"):
        Logic(data=tmp_path, task="adult", shift=1)


@pytest.mark.parametrize("task", ["mnist", "mnist_tree"])
def test_images_are_trained_on_as_bits(task: str, tmp_path: Path) -> None:
    write_mnist(tmp_path)
    width = 1 if task == "mnist_tree" else 800
    experiment = Logic(data=tmp_path, task=task, width=width, levels=2, batch_size=4)  # type: ignore[arg-type]
    assert experiment.splits["train"][0].shape[1:] == (2, 28, 28)
    assert experiment.steps == RECIPES[task].steps
    results = fit(experiment, steps=2, out=tmp_path / "out", device="cpu")
    assert {"accuracy", "relaxed_accuracy", "gap", "gates"} <= set(results)
