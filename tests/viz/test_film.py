from __future__ import annotations

import base64
import re

import imageio.v3 as iio
import numpy as np
import pytest
import torch

from renderer.scene import cube
from renderer.viz import Film, turntable


def ramp(count: int = 5) -> torch.Tensor:
    return torch.linspace(0, 1, count).reshape(-1, 1, 1).expand(-1, 16, 32)


@pytest.mark.parametrize("format", ["mp4", "gif"])
def test_the_page_holds_the_film(format):
    film = Film.of(ramp(), format=format)
    assert film.size == (16, 32)
    kind, data = re.search(r'src="data:([a-z]+/[a-z0-9]+);base64,([^"]*)"', film._repr_html_()).groups()
    assert kind == {"mp4": "video/mp4", "gif": "image/gif"}[format]
    frames = iio.imread(
        base64.b64decode(data), extension=f".{format}", **({"plugin": "pyav"} if format == "mp4" else {})
    )
    assert frames.shape == (5, 16, 32, 3)
    means = frames.reshape(5, -1).mean(1)
    assert np.allclose(means, 255 * np.linspace(0, 1, 5), atol=4)
    assert "http" not in film._repr_html_()


def test_films_of_lists_and_zoom():
    assert Film.of([torch.zeros(8, 8, 3), torch.zeros(8, 8)], zoom=2).size == (16, 16)
    assert Film.of(image for image in ramp()).size == (16, 32)


def test_save(tmp_path):
    film = Film.of(ramp(), format="gif")
    film.save(tmp_path / "film.gif")
    assert (tmp_path / "film.gif").read_bytes() == film.data
    with pytest.raises(ValueError, match=r"path: expected a name that ends in \.gif, got 'film\.mp4'"):
        film.save("film.mp4")


def test_turntable_in_memory_is_the_film_of_the_file(tmp_path):
    film = turntable(cube(), format="gif", frames=3, size=32)
    assert turntable(cube(), path=tmp_path / "film.gif", frames=3, size=32) is None
    assert film.data == (tmp_path / "film.gif").read_bytes()
    assert turntable(cube(), frames=2, size=32).format == "mp4"


def test_errors(tmp_path):
    with pytest.raises(ValueError, match=r"size: expected an even number of pixels for \.mp4, got 5"):
        Film.of(torch.zeros(2, 5, 4))
    with pytest.raises(ValueError, match="images: expected at least one, got none"):
        Film.of([])
    with pytest.raises(ValueError, match=r"images\[1\]: expected the size of the first \(4, 4\), got \(4, 6\)"):
        Film.of([torch.zeros(4, 4), torch.zeros(4, 6)])
    with pytest.raises(ValueError, match="format: expected 'mp4' or 'gif', got 'avi'"):
        Film.of(torch.zeros(2, 4, 4), format="avi")
    with pytest.raises(ValueError, match="format: expected None beside a path"):
        turntable(cube(), path=tmp_path / "film.gif", format="gif")
