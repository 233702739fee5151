import json
import math

import imageio.v3 as iio
import numpy as np
import pytest
import torch

from renderer.scene.camera import Camera
from renderer.scene.errors import DataError
from renderer.scene.views import has_test, load_views

SIZE = (12, 16)


def disc(shift=0):
    """An antialiased disc, uint8 (H, W)."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    return np.uint8(np.clip(4.5 - np.hypot(x - 8 - shift, y - 6), 0, 1) * 255)


def rgba(alpha, colour=(188, 64, 0)):
    return np.dstack([np.broadcast_to(np.uint8(colour), (*alpha.shape, 3)), alpha])


def cameras(count=3):
    azimuth = torch.arange(count) * 70.0
    return Camera.orbit(3.0, 20.0, azimuth, image_size=SIZE)


@pytest.fixture
def folder(tmp_path):
    """A NeRF-synthetic folder: 3 training views and 2 test views, RGBA, named without extension."""
    for split, count in (("train", 3), ("test", 2)):
        (tmp_path / split).mkdir()
        names = [f"./{split}/r_{i}" for i in range(count)]
        for i, name in enumerate(names):
            iio.imwrite(tmp_path / f"{name}.png", rgba(disc(i)))
        data = cameras(count).to_blender_transforms(names)
        data = {key: data[key] for key in ("camera_angle_x", "frames")}
        write(tmp_path, data, split)
    return tmp_path


def write(folder, data, split="train"):
    (folder / f"transforms_{split}.json").write_text(json.dumps(data))


def read(folder, split="train"):
    return json.loads((folder / f"transforms_{split}.json").read_text())


def change(folder, edit):
    data = read(folder)
    edit(data)
    write(folder, data)


def test_synthetic_scene(folder):
    views = load_views(folder)
    assert len(views) == 3
    assert views.names == ("train/r_0", "train/r_1", "train/r_2")
    assert [file.name for file in views.files] == ["r_0.png", "r_1.png", "r_2.png"]
    assert views.masks.dtype == torch.float32
    np.testing.assert_array_equal(views.masks.numpy(), np.float32([disc(i) for i in range(3)]) / np.float32(255))
    assert views.images is None
    torch.testing.assert_close(views.camera.world_to_camera, cameras().world_to_camera)
    torch.testing.assert_close(views.camera.K, cameras().K)
    assert views.camera.image_size == SIZE


def test_splits(folder):
    assert has_test(folder)
    assert load_views(folder, "test").names == ("test/r_0", "test/r_1")
    both = load_views(folder, None)
    assert both.names == ("train/r_0", "train/r_1", "train/r_2", "test/r_0", "test/r_1")
    assert both.masks.shape == (5, *SIZE)
    assert len(both.camera) == 5
    with pytest.raises(ValueError, match="split: expected 'train', 'test' or None, got 'val'"):
        load_views(folder, "val")


def test_single_transforms_file(folder):
    (folder / "transforms_train.json").rename(folder / "transforms.json")
    (folder / "transforms_test.json").unlink()
    assert not has_test(folder)
    assert len(load_views(folder)) == len(load_views(folder, None)) == 3
    with pytest.raises(DataError, match=r"transforms_test.json: no such file: the folder has no test views$"):
        load_views(folder, "test")


def test_only_a_test_file(folder):
    (folder / "transforms_train.json").unlink()
    assert len(load_views(folder, "test")) == 2
    with pytest.raises(DataError, match=r"transforms.json: no such file: the folder has no training views$"):
        load_views(folder)


def test_colours_are_linear(folder):
    views = load_views(folder, images=True, dtype=torch.float64)
    assert views.images.shape == (3, *SIZE, 3)
    expected = [((188 / 255 + 0.055) / 1.055) ** 2.4, ((64 / 255 + 0.055) / 1.055) ** 2.4, 0.0]
    torch.testing.assert_close(views.images[0, 0, 0], torch.tensor(expected).double(), atol=1e-6, rtol=0)
    assert views.camera.dtype == views.masks.dtype == torch.float64


def test_some_of_the_views(folder):
    views = load_views(folder, images=True)
    assert views[1:].names == ("train/r_1", "train/r_2")
    some = views[[2, 0]]
    assert some.names == ("train/r_2", "train/r_0")
    assert torch.equal(some.masks, views.masks[[2, 0]])
    assert torch.equal(some.camera.K, views.camera.K[[2, 0]])
    assert torch.equal(some.images, views.images[[2, 0]])
    double = views.to(torch.float64)
    assert double.masks.dtype == double.camera.dtype == double.images.dtype == torch.float64


@pytest.mark.parametrize(
    ("pixels", "name"),
    [
        (disc(), "r_0.png"),
        (np.uint16(disc()) * 257, "r_0.png"),
        (np.dstack([disc(), disc()]), "r_0.png"),
        (rgba(disc()), "r_0.webp"),
        (rgba(disc()), "r_0.tif"),
        (np.float32(disc() / 255), "r_0.tiff"),
    ],
)
def test_kinds_of_masks(folder, pixels, name):
    (folder / "train" / "r_0.png").unlink()
    options = {"lossless": True} if name.endswith("webp") else {}
    iio.imwrite(folder / "train" / name, pixels, plugin="pillow", **options)
    change(folder, lambda data: data["frames"][0].update(file_path=f"train/{name}"))
    torch.testing.assert_close(load_views(folder).masks[0], torch.from_numpy(disc() / 255).float())


def test_one_bit_masks(folder):
    from PIL import Image

    Image.fromarray(disc() > 127).save(folder / "train" / "r_0.png")
    assert torch.equal(load_views(folder).masks[0], torch.from_numpy(np.float32(disc() > 127)))


@pytest.mark.parametrize("kind", ["grey", "rgb", "opaque", "alpha"])
def test_mask_path(folder, kind):
    mask = disc(2)
    opaque = np.full_like(mask, 255)
    pixels = {
        "grey": mask,
        "rgb": np.dstack([mask] * 3),
        "opaque": np.dstack([mask] * 3 + [opaque]),
        "alpha": rgba(mask),
    }
    iio.imwrite(folder / "mask.png", pixels[kind])
    iio.imwrite(folder / "train" / "r_0.png", rgba(disc())[..., :3])
    change(folder, lambda data: data["frames"][0].update(mask_path="mask.png"))
    views = load_views(folder, images=True)
    assert views.files[0].name == "mask.png"
    torch.testing.assert_close(views.masks[0], torch.from_numpy(mask / 255).float())
    assert views.images.shape == (3, *SIZE, 3)


def test_intrinsics_per_frame_and_for_the_file(folder):
    def edit(data):
        del data["camera_angle_x"]
        data.update(fl_x=20.0, cx=7.0, w=SIZE[1], h=SIZE[0], k1=0.0, camera_model="OPENCV")
        data["frames"][1].update(fl_x=25.0, fl_y=26.0, cy=5.0)
        data["frames"][2].update(fl_x=None, camera_angle_y=math.pi / 2)

    change(folder, edit)
    K = load_views(folder).camera.K
    expected = [[20, 20, 7, 6], [25, 26, 7, 5], [20, 6, 7, 6]]
    change(folder, lambda data: data["frames"][2].pop("fl_x"))
    K = load_views(folder).camera.K
    torch.testing.assert_close(
        torch.stack([K[:, 0, 0], K[:, 1, 1], K[:, 0, 2], K[:, 1, 2]], 1), torch.tensor(expected).float()
    )


def test_a_nearly_rigid_pose_becomes_exactly_rigid(folder):
    def edit(data):
        for row in data["frames"][0]["transform_matrix"]:
            row[:] = [round(value, 4) for value in row]

    change(folder, edit)
    rotation = load_views(folder, dtype=torch.float64).camera.world_to_camera[0, :3, :3]
    torch.testing.assert_close(rotation @ rotation.T, torch.eye(3, dtype=torch.float64), atol=1e-14, rtol=0)


# -- errors ----------------------------------------------------------------------------------------------------------


def _matrix(**entries):
    def edit(data):
        matrix = data["frames"][1]["transform_matrix"]
        for name, value in entries.items():
            matrix[int(name[1])][int(name[2])] = value

    return edit


def _first(data):
    return data["frames"][1]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (_matrix(m03=math.nan), r"frames\[1\].transform_matrix: expected finite numbers, got nan"),
        (_matrix(m03=math.inf), r"frames\[1\].transform_matrix: expected finite numbers, got inf"),
        (_matrix(m00="one"), r"frames\[1\].transform_matrix: expected a number, got 'one'"),
        (
            _matrix(m00=5),
            r"frames\[1\].transform_matrix: expected a rigid pose, its rotation is .* away from orthonormal",
        ),
        (_matrix(m30=1), r"frames\[1\].transform_matrix: expected the last row 0 0 0 1, got 1 0 0 1"),
        (lambda d: _first(d)["transform_matrix"].pop(), r"frames\[1\].transform_matrix: expected 4 rows of 4 numbers"),
        (lambda d: _first(d).update(transform_matrix=7), r"frames\[1\].transform_matrix: expected 4 rows of 4 numbers"),
        (lambda d: _first(d).pop("transform_matrix"), r"frames\[1\].transform_matrix: missing"),
        (lambda d: _first(d).pop("file_path"), r"frames\[1\].file_path: missing"),
        (lambda d: _first(d).update(file_path=3), r"frames\[1\].file_path: expected a file name, got 3"),
        (lambda d: _first(d).update(file_path="no/x"), r"frames\[1\].file_path: no such image: .*no/x \(nor with .*\)"),
        (lambda d: d.pop("camera_angle_x"), r"frames\[0\]: no camera angle: expected camera_angle_x or fl_x"),
        (
            lambda d: d.update(camera_angle_x=45),
            r"frames\[0\].camera_angle_x: expected radians between 0 and π, got 45",
        ),
        (lambda d: d.update(camera_angle_x="wide"), r"frames\[0\].camera_angle_x: expected a number, got 'wide'"),
        (lambda d: d.update(camera_angle_x=True), r"frames\[0\].camera_angle_x: expected a number, got True"),
        (lambda d: d.update(fl_x=-1.0), r"frames\[0\].fl_x: expected a positive focal length, got -1"),
        (lambda d: d.update(w=10), r"frames\[0\]: expected w and h together, got only one of them"),
        (lambda d: d.update(w=10, h=12), r"frames\[0\]: expected images of 10×12 as w and h say, got 16×12"),
        (lambda d: d.update(w=10.5, h=12), r"frames\[0\]: expected w and h in whole pixels, got 10.5 and 12"),
        (lambda d: d.update(k2=0.1), r"frames\[0\]: expected no lens distortion, got k2 = 0.1 .*"),
        (lambda d: d.update(camera_model="OPENCV_FISHEYE"), r"frames\[0\]: expected a pinhole camera, got .*"),
        (lambda d: d.pop("frames"), "frames: missing"),
        (lambda d: d.update(frames=[]), "frames: expected a list with at least one frame"),
        (lambda d: d.update(frames={}), "frames: expected a list with at least one frame"),
        (lambda d: d.update(frames=[1]), r"frames\[0\]: expected a JSON object, got int"),
    ],
)
def test_bad_transforms_are_one_line(folder, edit, message):
    change(folder, edit)
    with pytest.raises(DataError, match=rf"^[^\n]*transforms_train.json: {message}$"):
        load_views(folder)


def test_a_reflection_is_not_rigid(folder):
    def edit(data):
        for row in data["frames"][1]["transform_matrix"][:3]:
            row[0] *= -1

    change(folder, edit)
    with pytest.raises(DataError, match="expected a rigid pose, its rotation is a reflection"):
        load_views(folder)


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "nothing", b"\xff\xfe\x00", "[" * 100_000])
def test_malformed_json(folder, text):
    path = folder / "transforms_train.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(
        DataError, match=r"^[^\n]*transforms_train.json: (malformed JSON|expected a JSON object)[^\n]*$"
    ):
        load_views(folder)


EMPTY = np.zeros(SIZE, np.uint8)


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (None, r"cannot be read as an image \(.*\)"),
        (rgba(disc())[..., :3], "no alpha channel: expected an RGBA image or a mask of one channel, got RGB"),
        (rgba(EMPTY), "empty mask: no pixel reaches coverage 0.5"),
        (EMPTY, "empty mask: no pixel reaches coverage 0.5"),
        (rgba(disc()[:, :-1]), "expected 16×12 as r_0.png, got 15×12"),
    ],
)
def test_bad_images_are_one_line(folder, pixels, message):
    path = folder / "train" / "r_1.png"
    path.write_bytes(b"not an image") if pixels is None else iio.imwrite(path, pixels)
    with pytest.raises(DataError, match=rf"^[^\n]*r_1.png: {message}$"):
        load_views(folder)


def test_truncated_image(folder):
    path = folder / "train" / "r_1.png"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DataError, match=r"^[^\n]*r_1.png: cannot be read as an image [^\n]*$"):
        load_views(folder)


def test_bad_mask_files(folder):
    iio.imwrite(folder / "mask.png", rgba(disc())[..., :3])
    change(folder, lambda data: data["frames"][0].update(mask_path="mask.png"))
    with pytest.raises(DataError, match=r"mask.png: expected a mask \(grey or alpha\), got a colour image$"):
        load_views(folder)
    iio.imwrite(folder / "mask.tiff", np.full(SIZE, 2, np.float32), plugin="pillow")
    change(folder, lambda data: data["frames"][0].update(mask_path="mask.tiff"))
    with pytest.raises(DataError, match=r"mask\.tiff: expected coverage from 0 to 1, got 2 to 2$"):
        load_views(folder)
    iio.imwrite(folder / "mask.tiff", np.full(SIZE, np.nan, np.float32), plugin="pillow")
    with pytest.raises(DataError, match=r"mask\.tiff: expected finite pixel values, got NaN or infinity$"):
        load_views(folder)


def test_test_views_of_another_size(folder):
    for i in range(2):
        iio.imwrite(folder / "test" / f"r_{i}.png", rgba(disc()[:, :-1]))
    with pytest.raises(DataError, match=r"r_0.png: expected 16×12 as r_0.png, got 15×12$"):
        load_views(folder, None)


def test_no_data(tmp_path):
    with pytest.raises(
        DataError, match=r"expected transforms.json, transforms_train.json or a COLMAP model in sparse/0$"
    ):
        load_views(tmp_path)
    with pytest.raises(DataError, match=r"nowhere: no such folder$"):
        load_views(tmp_path / "nowhere")
