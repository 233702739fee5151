"""COLMAP models written here by hand, as text and as packed binary, and read back."""

import struct

import imageio.v3 as iio
import numpy as np
import pytest
import torch

from renderer.scene.camera import Camera
from renderer.scene.colmap import MODELS, read_colmap
from renderer.scene.errors import DataError
from renderer.scene.views import load_views

SIZE = (12, 16)
NAMES = ("b.jpg", "a.jpg", "c d.jpg")  # neither sorted nor without spaces
MODEL_IDS = {name: i for i, (name, _) in enumerate(MODELS)}
PINHOLE = {7: ("PINHOLE", (20.0, 21.0, 8.5, 5.5)), 3: ("SIMPLE_PINHOLE", (19.0, 8.0, 6.0))}
CAMERA_OF = (7, 3, 7)


def some_poses():
    return Camera.orbit(3.0, 25.0, torch.tensor([0.0, 120.0, 240.0], dtype=torch.float64), image_size=SIZE)


def write_text(folder, cameras=PINHOLE, poses=None, names=NAMES, size=SIZE):
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["# Camera list", "#   CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]"]
    for camera_id, (model, params) in cameras.items():
        lines.append(" ".join(map(str, (camera_id, model, size[1], size[0], *params))))
    (folder / "cameras.txt").write_text("\n".join(lines) + "\n")
    quaternions, translations, *_ = (poses or some_poses()).to_colmap()
    lines = [
        "# Image list with two lines of data per image:",
        "#   IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME",
    ]
    for i, name in enumerate(names):
        pose = [repr(value) for value in (*quaternions[i].tolist(), *translations[i].tolist())]
        lines.append(" ".join([str(10 + i), *pose, str(CAMERA_OF[i]), name]))
        lines.append("" if i == 1 else "1.5 2.5 -1 3.5 4.5 17")  # an image without points has an empty line
    (folder / "images.txt").write_text("\n".join(lines) + "\n")


def write_binary(folder, cameras=PINHOLE, poses=None, names=NAMES, size=SIZE):
    folder.mkdir(parents=True, exist_ok=True)
    data = struct.pack("<Q", len(cameras))
    for camera_id, (model, params) in cameras.items():
        data += struct.pack("<IiQQ", camera_id, MODEL_IDS[model], size[1], size[0])
        data += struct.pack(f"<{len(params)}d", *params)
    (folder / "cameras.bin").write_bytes(data)
    quaternions, translations, *_ = (poses or some_poses()).to_colmap()
    data = struct.pack("<Q", len(names))
    for i, name in enumerate(names):
        data += struct.pack("<I", 10 + i)
        data += struct.pack("<4d", *quaternions[i].tolist()) + struct.pack("<3d", *translations[i].tolist())
        data += struct.pack("<I", CAMERA_OF[i]) + name.encode() + b"\0"
        points = [] if i == 1 else [(1.5, 2.5, 2**64 - 1), (3.5, 4.5, 17)]
        data += struct.pack("<Q", len(points)) + b"".join(struct.pack("<ddQ", *point) for point in points)
    (folder / "images.bin").write_bytes(data)


WRITERS = {"text": (write_text, ".txt"), "binary": (write_binary, ".bin")}
kinds = pytest.mark.parametrize("kind", WRITERS)


def write_masks(folder, naming="{name}.png", size=SIZE):
    for i, name in enumerate(NAMES):
        mask = np.zeros(size, np.uint8)
        mask[4 : 6 + i, 3:9] = 255
        path = folder / naming.format(name=name, stem=name.removesuffix(".jpg"))
        path.parent.mkdir(parents=True, exist_ok=True)
        iio.imwrite(path, mask, plugin="pillow")


@kinds
def test_known_cameras_come_back(tmp_path, kind):
    WRITERS[kind][0](tmp_path)
    names, camera = read_colmap(tmp_path, dtype=torch.float64)
    assert names == ["a.jpg", "b.jpg", "c d.jpg"]
    assert camera.image_size == SIZE
    torch.testing.assert_close(camera.world_to_camera, some_poses().world_to_camera[[1, 0, 2]], atol=1e-12, rtol=0)
    two, one = [[20.0, 0, 8.5], [0, 21, 5.5], [0, 0, 1]], [[19.0, 0, 8], [0, 19, 6], [0, 0, 1]]
    assert camera.K.tolist() == [one, two, two]


@kinds
@pytest.mark.parametrize(
    ("model", "params"),
    [
        ("SIMPLE_RADIAL", (20.0, 8.0, 6.0, 0.0)),
        ("RADIAL", (20.0, 8.0, 6.0, 0.0, 0.0)),
        ("OPENCV", (20.0, 20.0, 8.0, 6.0, 0.0, 0.0, 0.0, 0.0)),
        ("FULL_OPENCV", (20.0, 20.0, 8.0, 6.0, *[0.0] * 8)),
    ],
)
def test_models_without_distortion_are_pinholes(tmp_path, kind, model, params):
    WRITERS[kind][0](tmp_path, cameras={7: (model, params), 3: (model, params)})
    _, camera = read_colmap(tmp_path)
    assert camera.K[0].tolist() == [[20.0, 0.0, 8.0], [0.0, 20.0, 6.0], [0.0, 0.0, 1.0]]


@kinds
@pytest.mark.parametrize("place", ["sparse/0", "sparse", "."])
@pytest.mark.parametrize("naming", ["masks/{name}.png", "masks/{stem}.png", "masks/{stem}.tif"])
def test_folder_with_masks(tmp_path, kind, place, naming):
    WRITERS[kind][0](tmp_path / place)
    write_masks(tmp_path, naming)
    views = load_views(tmp_path)
    assert views.names == ("a.jpg", "b.jpg", "c d.jpg")
    assert views.masks.shape == (3, *SIZE)
    assert views.masks.sum((1, 2)).tolist() == [18.0, 12.0, 24.0]
    assert len(views.camera) == 3


def test_a_model_elsewhere(tmp_path):
    write_text(tmp_path / "elsewhere")
    write_masks(tmp_path / "data" / "masks")
    assert len(load_views(tmp_path / "data", colmap=tmp_path / "elsewhere")) == 3
    with pytest.raises(DataError, match=r"data: expected cameras and images of a COLMAP model \(.bin or .txt\)$"):
        load_views(tmp_path / "data", colmap=tmp_path / "data")


def test_alpha_in_images(tmp_path):
    write_text(tmp_path / "sparse" / "0", names=("b.png", "a.png", "c.png"))
    (tmp_path / "images").mkdir()
    for name in "abc":
        pixels = np.zeros((*SIZE, 4), np.uint8)
        pixels[2:5, 2:5] = 255
        iio.imwrite(tmp_path / "images" / f"{name}.png", pixels)
    views = load_views(tmp_path, images=True)
    assert views.masks.sum((1, 2)).tolist() == [9.0] * 3
    assert views.images.shape == (3, *SIZE, 3)
    iio.imwrite(tmp_path / "images" / "b.png", pixels[..., :3])
    with pytest.raises(DataError, match=r"b.png: no alpha channel"):
        load_views(tmp_path)
    (tmp_path / "images" / "b.png").unlink()
    with pytest.raises(DataError, match=r"b.png: no such image$"):
        load_views(tmp_path)


def test_binary_goes_before_text(tmp_path):
    write_binary(tmp_path)
    (tmp_path / "cameras.txt").write_text("rubbish")
    (tmp_path / "images.txt").write_text("rubbish")
    assert len(read_colmap(tmp_path)[0]) == 3


def test_colmap_has_no_test_views(tmp_path):
    write_text(tmp_path / "sparse" / "0")
    write_masks(tmp_path / "masks")
    with pytest.raises(DataError, match="no test views"):
        load_views(tmp_path, "test")
    assert len(load_views(tmp_path, None)) == 3


# -- errors ----------------------------------------------------------------------------------------------------------


@kinds
@pytest.mark.parametrize(
    ("model", "params", "message"),
    [
        ("OPENCV", (20.0, 20.0, 8.0, 6.0, 0.0, 1e-3, 0.0, 0.0), "expected no lens distortion, got model OPENCV .*"),
        ("SIMPLE_RADIAL", (20.0, 8.0, 6.0, -0.02), "expected no lens distortion, got model SIMPLE_RADIAL .*"),
        (
            "OPENCV_FISHEYE",
            (20.0, 20.0, 8.0, 6.0, 0.0, 0.0, 0.0, 0.0),
            "expected a pinhole camera, got model OPENCV_F.*",
        ),
        ("PINHOLE", (20.0, float("nan"), 8.0, 6.0), "expected finite parameters, got NaN or infinity"),
        ("PINHOLE", (20.0, -20.0, 8.0, 6.0), "expected a positive focal length, got -20"),
    ],
)
def test_bad_cameras_are_one_line(tmp_path, kind, model, params, message):
    write, end = WRITERS[kind]
    write(tmp_path, cameras={**PINHOLE, 3: (model, params)})
    with pytest.raises(DataError, match=rf"^[^\n]*cameras{end}: camera 3: {message}$"):
        read_colmap(tmp_path)


@kinds
def test_bad_images_are_one_line(tmp_path, kind):
    write, end = WRITERS[kind]
    write(tmp_path, cameras={7: PINHOLE[7]})
    with pytest.raises(DataError, match=rf"images{end}: image a.jpg has camera 3, which cameras{end} lacks$"):
        read_colmap(tmp_path)
    poses = some_poses()
    broken = poses.world_to_camera.clone()
    broken[1, 0, 3] = float("nan")
    write(tmp_path, poses=poses.with_world_to_camera(broken))
    with pytest.raises(DataError, match=rf"images{end}: image a.jpg: expected finite numbers in its pose"):
        read_colmap(tmp_path)
    write(tmp_path, names=())
    with pytest.raises(DataError, match=rf"images{end}: no images$"):
        read_colmap(tmp_path)


def test_malformed_text(tmp_path):
    write_text(tmp_path)
    text = (tmp_path / "images.txt").read_text()
    (tmp_path / "images.txt").write_text(text.replace("10 ", "10 0 ", 1))
    with pytest.raises(DataError, match=r"^[^\n]*images.txt: malformed COLMAP file [^\n]*$"):
        read_colmap(tmp_path)
    write_text(tmp_path, cameras={**PINHOLE, 3: ("PINHOLE", (1.0, 2.0))})
    with pytest.raises(DataError, match=r"cameras.txt: camera 3: expected 4 parameters for PINHOLE, got 2$"):
        read_colmap(tmp_path)
    quarter = "10 0.1 0 0 0 0 0 3 7 a.jpg\n\n"
    write_text(tmp_path)
    (tmp_path / "images.txt").write_text(quarter)
    with pytest.raises(DataError, match=r"images.txt: image a.jpg: expected a unit quaternion, got one of length 0.1$"):
        read_colmap(tmp_path)


@pytest.mark.parametrize("name", ["cameras.bin", "images.bin"])
@pytest.mark.parametrize("keep", [4, 30, 60, -1, -30])
def test_truncated_binary(tmp_path, name, keep):
    write_binary(tmp_path)
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=rf"^[^\n]*{name}: [^\n]*$"):
        read_colmap(tmp_path)


def test_unknown_model_id(tmp_path):
    write_binary(tmp_path)
    data = bytearray((tmp_path / "cameras.bin").read_bytes())
    data[12:16] = struct.pack("<i", 99)
    (tmp_path / "cameras.bin").write_bytes(data)
    with pytest.raises(DataError, match=r"cameras.bin: camera 7: expected a pinhole camera, got model id 99$"):
        read_colmap(tmp_path)


def test_sizes_that_differ(tmp_path):
    write_text(tmp_path)
    text = (tmp_path / "cameras.txt").read_text().replace("SIMPLE_PINHOLE 16", "SIMPLE_PINHOLE 17")
    (tmp_path / "cameras.txt").write_text(text)
    with pytest.raises(DataError, match=r"cameras.txt: expected one image size, got 17×12 and 16×12 \(b.jpg\)$"):
        read_colmap(tmp_path)
    write_text(tmp_path)
    write_masks(tmp_path / "masks", size=(11, 16))
    with pytest.raises(DataError, match=r"a.jpg.png: expected 16×12 as in the COLMAP model, got 16×11$"):
        load_views(tmp_path)


def test_a_mask_that_is_missing(tmp_path):
    write_text(tmp_path)
    write_masks(tmp_path / "masks")
    (tmp_path / "masks" / "b.jpg.png").unlink()
    with pytest.raises(DataError, match=r"masks/b.jpg: no such mask"):
        load_views(tmp_path)
