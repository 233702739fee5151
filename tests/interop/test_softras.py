"""Settings of published engines: the same image from NDC settings and from their formula in NDC."""

from __future__ import annotations

import pytest
import torch

from renderer.interop import from_gendr, from_softras
from renderer.raster import soft_silhouette
from renderer.relax import t_conorm


def test_softras_sigma_gives_the_published_image() -> None:
    size, sigma = 32, 1e-3
    v = torch.tensor([[[4.0, 5, 1], [27, 9, 1], [12, 28, 1]]], dtype=torch.float64)
    ours = soft_silhouette(
        v,
        torch.tensor([[0, 1, 2]]),
        (size, size),
        distribution=from_softras(sigma, size),
        t_conorm=t_conorm("probabilistic"),
    )
    # The formula of the paper, in NDC, by projection on the three segments.
    ndc = v[0, :, :2] / size * 2 - 1
    y, x = torch.meshgrid(*[(torch.arange(size, dtype=torch.float64) + 0.5) / size * 2 - 1] * 2, indexing="ij")
    p = torch.stack([x, y], -1)
    d2, inside = torch.full((size, size), torch.inf, dtype=torch.float64), torch.ones(size, size, dtype=torch.bool)
    for k in range(3):
        a, e = ndc[k], ndc[(k + 1) % 3] - ndc[k]
        t = (((p - a) @ e) / (e @ e)).clamp(0, 1)
        d2 = torch.minimum(d2, (p - a - t[..., None] * e).square().sum(-1))
        inside &= e[0] * (p - a)[..., 1] - e[1] * (p - a)[..., 0] > 0
    expected = torch.sigmoid(torch.where(inside, d2, -d2) / sigma)
    torch.testing.assert_close(ours[0], expected, atol=2e-6, rtol=0)


def test_gendr_scale_in_pixels() -> None:
    assert float(from_gendr("gaussian", 10**-1.5, 64).scale) == pytest.approx(10**-1.5 * 32)
    assert float(from_gendr("logistic", 1e-4, 64, squared=True).scale) == pytest.approx(1e-4 * 32 * 32)
    assert from_gendr("gamma", 0.1, 64, shape=0.5).name == "gamma"
    with pytest.raises(ValueError, match="image_size"):
        from_gendr("logistic", 1e-2, 0)
