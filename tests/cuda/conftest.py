"""Where the kernels of these tests run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from renderer.ops import cuda


@pytest.fixture(params=["forward", "reverse"])
def emulated(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Ops on CPU tensors run the CUDA kernels, with threads and blocks in one order and in the other."""
    monkeypatch.setenv("RENDERER_EMULATION_ORDER", request.param)
    with cuda.emulated():
        yield
