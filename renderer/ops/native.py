"""What every native call needs: addresses, sizes, the thread count and the SIMD level."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from types import ModuleType

import torch
from torch import Tensor

from renderer import _C

# RENDERER_SIMD=base|v3|v4 forces a level; unset, the best one of this processor runs.
SIMD_LEVEL = os.environ.get("RENDERER_SIMD", "")

LIBRARY: torch.library.Library = torch.library.Library("renderer", "DEF")


def _cuda_module() -> ModuleType | None:
    try:
        return import_module("renderer._cuda")
    except ImportError:
        return None


CUDA = _cuda_module()  # the CUDA kernels, if this build has them: see renderer.ops.cuda


_threads: ContextVar[int | None] = ContextVar("renderer_threads", default=None)


def threads() -> int:
    """Threads that the kernels use: `torch.get_num_threads()`, unless `serial_torch` is active."""
    return _threads.get() or torch.get_num_threads()


@contextmanager
def serial_torch() -> Iterator[None]:
    """Within it, torch's own operators run on one thread, and the native kernels on as many as torch had.

    For loops of kernels and small tensors on a machine that has other work, too: torch's threads meet at a barrier
    after every operator, and spin until the one comes that the system has not scheduled; the kernels' threads do not
    wait for each other.
    """
    count = torch.get_num_threads()
    token = _threads.set(threads())
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(count)
        _threads.reset(token)


def simd_level() -> str:
    """The name of the SIMD level that the kernels run at."""
    return _C.simd_level(SIMD_LEVEL)


def screen_arguments(vertices: Tensor, faces: Tensor, height: int, width: int) -> tuple:
    """The leading arguments of every native op on screen triangles; the tensors must stay alive during the call."""
    batch, vertex_count, _ = vertices.shape
    double = vertices.dtype == torch.float64
    return vertices.data_ptr(), faces.data_ptr(), batch, vertex_count, faces.shape[0], height, width, double


def check_screen(vertices: Tensor, faces: Tensor, height: int, width: int) -> None:
    """Raises one clear line for arguments that no rasteriser can take."""
    if vertices.ndim != 3 or vertices.shape[-1] != 3:
        raise ValueError(f"screen_vertices: expected shape (B, V, 3), got {tuple(vertices.shape)}")
    if vertices.dtype not in (torch.float32, torch.float64):
        raise TypeError(f"screen_vertices: expected float32 or float64, got {vertices.dtype}")
    if faces.ndim != 2 or faces.shape[-1] != 3:
        raise ValueError(f"faces: expected shape (F, 3), got {tuple(faces.shape)}")
    if faces.dtype != torch.int64:
        raise TypeError(f"faces: expected int64, got {faces.dtype}")
    if faces.device != vertices.device:
        raise ValueError(f"faces: expected on {vertices.device} as screen_vertices are, got {faces.device}")
    if height < 1 or width < 1:
        raise ValueError(f"image_size: expected (H, W) of at least 1 pixel each, got ({height}, {width})")
    check_device(vertices.device)


def check_device(device: torch.device) -> None:
    """Raises one clear line for a device that this build has no kernels for."""
    if device.type == "cuda" and CUDA is None:
        raise NotImplementedError(
            "this build of renderer has no CUDA kernels: move the tensors to the CPU, or install renderer where nvcc "
            "(CUDA 12 or newer) is found, with RENDERER_CUDA=ON pip install ."
        )
    if device.type not in ("cpu", "cuda", "meta"):
        raise NotImplementedError(f"renderer has no {device.type} kernels: move the tensors to the CPU")


def contiguous(*tensors: Tensor) -> tuple[Tensor, ...]:
    return tuple(t.contiguous() for t in tensors)
