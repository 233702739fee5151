from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import torch

from renderer.cli import BAD_INPUT, main
from renderer.experiments.shapes import load_shapes, view_camera
from renderer.experiments.single_view import PUBLISHED, SingleView
from renderer.losses import soft_iou
from renderer.scene import DataError, Mesh
from renderer.scene.voxels import voxel_iou
from renderer.tasks.single_view import SingleViewNetwork, load_network, mean_shape, predict
from renderer.train import LargeSteps, load_checkpoint, save_checkpoint
from renderer.train.loop import CHECKPOINT, fit

TINY = ["--batch-size", "4", "--width", "4", "--test-views", "2", "--device", "cpu", "--quiet"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "shapes"
    command = ["shapes", str(folder), "--train", "3", "--test", "1", "--families", "lamp", "bottle", "--quiet"]
    assert main(command) == 0
    return folder


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained")
    assert main(["train", "single-view", "--data", str(data), "--out", str(out), "--steps", "2", *TINY]) == 0
    return out


def experiment(data: Path, **options: object) -> SingleView:
    return SingleView(data, **{"batch_size": 4, "width": 4, "test_views": 2, **options})  # type: ignore[arg-type]


def test_an_untrained_network_gives_about_a_sphere() -> None:
    torch.manual_seed(0)
    network = SingleViewNetwork(8)
    vertices = network(torch.rand(3, 4, 64, 64))
    assert vertices.shape == (3, 642, 3)
    assert (vertices.norm(dim=-1) - 0.3).abs().max().item() < 0.05
    assert (vertices.detach().abs() < 0.5).all()


@pytest.mark.parametrize(("pictures", "views"), [(2, 2), (2, 3), (1, 3)])
def test_meshes_are_compared_with_the_silhouettes_of_all_views(pictures: int, views: int, data: Path) -> None:
    """The loss, written out mesh by mesh and view by view."""
    torch.manual_seed(0)
    task = experiment(data, laplacian=0.0, pictures=pictures, views=views)
    model = task.model().eval()
    batch = task.batch(1, 0, 1)
    loss, numbers = task.loss(model, batch)
    assert torch.equal(batch["images"][:, :, 3], batch["silhouettes"][:pictures])
    vertices = model(batch["images"].flatten(0, 1)).unflatten(0, (pictures, 4))
    terms = []
    for mesh in range(pictures):
        for view in range(views):
            for i in range(4):
                shape = task.sphere.with_vertices(vertices[mesh, i])
                seen = task.renderer(2.0).silhouette(shape, view_camera(batch["views"][view, i : i + 1]))
                terms.append(soft_iou(seen, batch["silhouettes"][view, i][None]))
    assert torch.allclose(loss, torch.stack(terms).mean(), atol=1e-6)
    assert set(numbers) == {"silhouettes"}


def test_energies_are_added(data: Path) -> None:
    torch.manual_seed(0)
    task = experiment(data, laplacian=0.25, flatten=0.5)
    loss, numbers = task.loss(task.model(), task.batch(1, 0, 1))
    expected = numbers["silhouettes"] + 0.25 * numbers["laplacian"] + 0.5 * numbers["flatten"]
    assert torch.allclose(loss, expected)
    assert numbers["laplacian"].item() > 0
    assert numbers["flatten"].item() > 0


def test_the_published_settings_train(data: Path, tmp_path: Path) -> None:
    """With a smaller network and batch, so that it takes a second."""
    task = SingleView(data, **{**PUBLISHED, "width": 4, "batch_size": 4, "steps": 3, "test_views": 1})
    assert task.schedule(2) == 1.0
    assert task.schedule(3) == 0.1
    assert task.batch(1, 0, 1)["scale"] == task.batch(3, 0, 1)["scale"] == 0.1
    assert 0 < fit(task, steps=3, out=tmp_path, device="cpu")["iou"] < 1


def test_step_size_and_blur_of_the_defaults(data: Path) -> None:
    task = experiment(data, steps=1_000)
    factors = [task.schedule(step) for step in range(1, 1_001)]
    assert factors[0] == pytest.approx(1 / 200)
    assert max(factors) == pytest.approx(0.9, abs=0.02)
    assert 0 < factors[-1] < 1e-4
    scales = [task.batch(step, 0, 1)["scale"] for step in (1, 500, 501, 1_000)]
    assert scales[0] == 2.0
    assert scales[-1] == pytest.approx(0.4)
    assert scales[1] > 0.8**0.5 > scales[2]


def test_a_stiff_network_moves_its_sphere_smoothly() -> None:
    """Its displacement in front of the tanh is (I + λL)⁻¹ u."""
    torch.manual_seed(0)
    stiff, free = SingleViewNetwork(4, stiffness=10.0), SingleViewNetwork(4, stiffness=0.0)
    free.load_state_dict(stiff.state_dict())
    image = torch.rand(1, 4, 64, 64)
    with torch.no_grad():
        smooth, rough = (torch.atanh(2 * net.eval()(image)[0]) - net.start for net in (stiff, free))
    steps = LargeSteps(stiff.mesh, stiffness=10.0, method="cg")
    assert torch.allclose(smooth, steps.solve(rough), atol=1e-5)
    assert float((smooth - rough).abs().max()) > 1e-3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"views": 1}, r"views: expected 2 \(pictures\) to 24, got 1"),
        ({"views": 25}, r"views: expected 2 \(pictures\) to 24, got 25"),
        ({"pictures": 0}, "pictures: expected at least 1, got 0"),
        ({"test_views": 25}, "test_views: expected 1 to 24, got 25"),
        ({"last_scale": 0.0}, "last_scale: expected a positive number, got 0.0"),
    ],
)
def test_errors_of_the_settings(options: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        experiment(tmp_path, **options)
    with pytest.raises(ValueError, match=r"stiffness: expected a number >= 0, got -1\.0"):
        experiment(tmp_path, stiffness=-1.0).model()


def test_batches_show_all_classes_and_are_shared(data: Path) -> None:
    torch.manual_seed(0)
    task = experiment(data, batch_size=64)
    whole = task.batch(1, 0, 1)
    torch.manual_seed(0)
    part = task.batch(1, 1, 2)
    assert torch.equal(part["images"], whole["images"][:, 1::2])
    assert torch.equal(part["views"], whole["views"][:, 1::2])
    pictures = load_shapes(data, "train").images.float() / 255
    shown = {
        int(torch.nonzero((pictures[:, view] == image).flatten(1).all(1))[0])
        for image, view in zip(whole["images"][0], whole["views"][0].tolist(), strict=True)
    }
    assert shown == set(range(6))


@pytest.mark.parametrize("how", [{"scale": 0.5, "last_scale": 0.5}, {**PUBLISHED, "stiffness": 10.0}])
def test_learns_the_silhouettes(how: dict[str, object], data: Path, tmp_path: Path) -> None:
    small = {"steps": 40, "lr": 1e-3, "width": 8, "batch_size": 4, "decay": "step"}  # which has no warm-up
    task = experiment(data, **{**how, **small})
    fit(task, steps=40, out=tmp_path, log_every=5, device="cpu")
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    losses = [float(line.split('"silhouettes": ')[1].split(",")[0]) for line in lines if "train" in line]
    assert losses[-1] < 0.75 * losses[0]


def test_the_mean_shape_is_the_best_level_set_of_the_mean() -> None:
    shapes = torch.rand(7, 6, 6, 6, generator=torch.Generator().manual_seed(0)) < torch.linspace(0, 1, 6)
    best = float(voxel_iou(shapes, mean_shape(shapes).expand_as(shapes)).mean())
    for level in (0.2, 0.5, 0.8):
        assert best >= float(voxel_iou(shapes, (shapes.float().mean(0) > level).expand_as(shapes)).mean())
    assert torch.equal(mean_shape(shapes[:1]), shapes[0])


def test_scores_of_the_experiment(data: Path, trained: Path) -> None:
    task = experiment(data)
    scores = task.evaluate(load_network(trained / CHECKPOINT))
    assert set(scores) == {
        *("iou", "above_mean_shape", "iou/lamp", "iou/bottle", "above_mean_shape/lamp", "above_mean_shape/bottle")
    }
    assert 0 < scores["iou"] < 1
    assert scores["iou"] == pytest.approx((scores["iou/lamp"] + scores["iou/bottle"]) / 2)


def picture(data: Path) -> np.ndarray:
    return np.load(data / "lamp_test_images.npz")["arr_0"][0, 3].transpose(1, 2, 0)


def test_predict(data: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = picture(data).copy()
    solid = image[..., 3:] == 255  # straight colours, as PNG has them, are those over black where alpha is 1
    iio.imwrite(tmp_path / "lamp.png", np.where(solid, image, 0))
    command = ["predict", str(tmp_path / "lamp.png"), "--checkpoint", str(trained / CHECKPOINT)]
    assert main([*command, "--out", str(tmp_path / "lamp.ply")]) == 0
    assert "642 vertices, 1280 faces" in capsys.readouterr().out
    mesh = Mesh.load(tmp_path / "lamp.ply")
    pixels = torch.from_numpy(np.where(solid, image, 0)).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        expected = load_network(trained / CHECKPOINT)(pixels)[0]
    assert torch.allclose(mesh.vertices, expected, atol=1e-5)
    larger = np.where(solid, image, 0).repeat(4, 0).repeat(4, 1)
    iio.imwrite(tmp_path / "large.png", larger)
    assert torch.allclose(predict(tmp_path / "large.png", trained / CHECKPOINT).vertices, expected, atol=2e-3)


def test_errors_of_predict(data: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = picture(data)
    iio.imwrite(tmp_path / "rgb.png", image[..., :3])
    iio.imwrite(tmp_path / "wide.png", image[:32])
    save_checkpoint(tmp_path / "other.safetensors", {"step": 1})
    iio.imwrite(tmp_path / "good.png", image)
    for name, checkpoint, message in (
        ("rgb.png", trained / CHECKPOINT, "rgb.png: expected an RGBA image, as alpha tells the object, got 3 channels"),
        ("wide.png", trained / CHECKPOINT, "wide.png: expected a square image, got 64 × 32"),
        ("none.png", trained / CHECKPOINT, "none.png: no such image"),
        ("good.png", tmp_path / "none", "none: not a readable checkpoint"),
        ("good.png", tmp_path / "other.safetensors", "expected a checkpoint of `renderer train single-view`"),
    ):
        assert main(["predict", str(tmp_path / name), "--checkpoint", str(checkpoint)]) == BAD_INPUT
        printed = capsys.readouterr()
        assert message in printed.err
        assert printed.err.count("\n") == 1
    assert load_checkpoint(trained / CHECKPOINT)["identity"]["experiment"] == "SingleView"
    with pytest.raises(DataError, match="expected files named"):
        experiment(tmp_path).batch(1, 0, 1)
