"""The CUDA kernels beside the CPU ones: the same ops, on the current stream, without waiting for the device.

Errors in the values of tensors (an index out of range, a vertex that is not finite) are seen by the kernels. As all
errors of CUDA they are raised by a later call, or at once with CUDA_LAUNCH_BLOCKING=1.

`emulated()` is for tests: within it CPU tensors go through the very same kernels, run on the CPU.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from importlib import import_module
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from renderer.ops.native import CUDA, LIBRARY, check_device

_emulator: ContextVar[ModuleType | None] = ContextVar("renderer_cuda_emulator", default=None)
_status: dict[torch.device, Tensor] = {}


def deterministic() -> bool:
    """Whether sums have to come out the same, bit by bit, every time."""
    return torch.are_deterministic_algorithms_enabled()


@contextmanager
def emulated() -> Iterator[None]:
    """Within it, ops on CPU tensors run the CUDA kernels on the CPU, slowly; for tests.

    Raises ImportError if the emulation was not built (-C cmake.define.RENDERER_CUDA_EMULATION=ON).
    """
    token = _emulator.set(import_module("renderer._cuda_emulated"))
    try:
        yield
    finally:
        _emulator.reset(token)


def implement(op: str, *, cpu: Callable[..., Any], cuda: Callable[..., Any], on_host: Collection[int] = ()) -> None:
    """Registers both implementations of `renderer::<op>`; arguments `on_host` are tensors on the CPU for both."""

    def on_cpu(*args: Any) -> Any:
        return (cpu if _emulator.get() is None else cuda)(*args)

    def on_cuda(*args: Any) -> Any:
        check_same_device(op, [a for i, a in enumerate(args) if i not in on_host])
        return cuda(*args)

    torch.library.impl(LIBRARY, op, "CPU")(on_cpu)
    torch.library.impl(LIBRARY, op, "CUDA")(on_cuda)


def check_same_device(op: str, args: Sequence[Any]) -> None:
    """Raises ValueError if tensors lie on different devices: kernels get nothing but addresses."""
    devices = list(dict.fromkeys(a.device for a in args if isinstance(a, Tensor)))
    if len(devices) > 1:
        raise ValueError(f"{op}: expected all tensors on one device, got {' and '.join(map(str, devices))}")


def query(function: str, device: torch.device, *args: Any) -> int:
    """What a function of the native module that launches nothing says."""
    check_device(device)
    return getattr(_emulator.get() if device.type == "cpu" else CUDA, function)(*args)


def launch(kernel: str, device: torch.device, *args: Any) -> None:
    """Calls a launcher of the native module with the arguments, the status and the current stream."""
    check_device(device)
    module = _emulator.get() if device.type == "cpu" else CUDA
    status = _status_of(device)
    raise_errors(device)
    if device.type == "cpu":
        getattr(module, kernel)(*args, status.data_ptr(), 0)
    else:
        guard = torch.cuda.device(device) if device.index != torch.cuda.current_device() else nullcontext()
        with guard:
            getattr(module, kernel)(*args, status.data_ptr(), torch.cuda.current_stream(device).cuda_stream)
    raise_errors(device)


TILE = 16  # pixels of a tile's side: csrc/cuda/image_tiles.h

# Room for pairs of faces and tiles is at most this many entries (256 MiB); beyond that, tiles look at every face.
_MOST_PAIRS = 1 << 26
_SPARE = 1.25  # of the pairs of the last call
_pairs: dict[tuple[str, torch.device], Tensor] = {}


def tiles(height: int, width: int) -> int:
    """How many tiles an image has."""
    return -(-height // TILE) * -(-width // TILE)


class Bins:
    """Buffers for the lists of items that meet each cell: csrc/cuda/bins.h.

    How many pairs of items and cells there are only the device knows; it leaves the number for the next call of the
    same `kind`. With too little room the result is the same and takes longer.
    """

    def __init__(self, kind: str, device: torch.device, views: int, items: int, cells: int) -> None:
        key = (kind, device)
        if key not in _pairs:
            _pairs[key] = _page_locked(1, device)
        room = 0
        if not deterministic():  # lists are filled in any order
            room = min(max(4 * views * (items + cells), int(_SPARE * _pairs[key].item())), _MOST_PAIRS)
        self._room, self._total = room, _pairs[key]
        self._count = torch.empty(views * cells if room else 0, dtype=torch.int32, device=device)
        self._start = torch.empty(views * cells + 1 if room else 0, dtype=torch.int64, device=device)
        self._item = torch.empty(room, dtype=torch.int32, device=device)

    def arguments(self) -> tuple[int, int, int, int, int]:
        return (
            *(self._count.data_ptr(), self._start.data_ptr(), self._item.data_ptr()),
            *(self._room, self._total.data_ptr()),
        )


class Scatter:
    """A tensor of zeros whose rows many threads add to: with atomics, or in a fixed order if that is asked for.

    `sources` is how many shares there may be at most.
    """

    def __init__(self, like: Tensor, sources: int) -> None:
        self._target = torch.zeros_like(like, memory_format=torch.contiguous_format)
        self._row = self._share = None
        if deterministic():
            # Those that stay unused add 0 somewhere, not all to the same row: torch adds up a row's shares one by one.
            rows = max(1, self._target.numel() // max(1, like.shape[-1]))
            self._row = torch.arange(sources, device=like.device) % rows
            self._share = like.new_zeros(sources, like.shape[-1])

    def addresses(self) -> tuple[int, int, int]:
        if self._row is None or self._share is None:
            return self._target.data_ptr(), 0, 0
        return self._target.data_ptr(), self._row.data_ptr(), self._share.data_ptr()

    def result(self) -> Tensor:
        if self._row is not None and self._share is not None:
            rows = self._target.view(-1, self._target.shape[-1])
            rows.index_put_((self._row,), self._share, accumulate=True)  # torch sorts by row on the GPU
        return self._target


def raise_errors(device: torch.device) -> None:
    """Raises what a kernel has reported since the last look."""
    status = _status_of(device)
    error, a, b, c, _ = status.tolist()
    if error == 0:
        return
    if device.type == "cuda" and not torch.cuda.is_current_stream_capturing():
        torch.cuda.synchronize(device)  # what is under way may report the same again, which a later call would raise
    status.zero_()
    raise ValueError(_SENTENCES[error - 1](a, b, c))


def _number(bits: int) -> float:
    return struct.unpack("<d", struct.pack("<q", bits))[0]


# In the order of csrc/cuda/status.h, worded as the CPU kernels word them.
_SENTENCES: tuple[Callable[[int, int, int], str], ...] = (
    lambda face, vertex, count: f"faces: face {face} refers to vertex {vertex}, but there are {count} vertices",
    lambda vertex, view, _: f"screen_vertices: vertex {vertex} of view {view} is not finite",
    lambda face, count, _: f"fragments: face {face} is not among the {count} faces",
    lambda face, row, count: f"attribute_faces: face {face} refers to row {row}, but there are {count}",
    lambda bits, *_: f"uv: expected finite coordinates of size at most 1e9, got {_number(bits)}",
    lambda bits, *_: f"distribution: scale must be positive and finite, got {_number(bits)}",
    lambda bits, *_: f"distribution: shape must be positive and finite, got {_number(bits)}",
    lambda bits, *_: f"distribution: shift must be finite, got {_number(bits)}",
    lambda bits, *_: f"gamma: must be positive and finite, got {_number(bits)}",
    lambda index, count, layer: f"indices: expected 0 to {count - 1} in layer {layer}, got {index}",
    lambda face, row, count: f"uv_faces: face {face} refers to row {row} of uv, which has {count}",
    lambda face, texture, last: f"face_texture: expected -1 to {last}, got {texture} for face {face}",
)


def _status_of(device: torch.device) -> Tensor:
    if device not in _status:
        _status[device] = _page_locked(5, device)
    return _status[device]


def _page_locked(count: int, device: torch.device) -> Tensor:
    """Zeros in page-locked memory of the host: kernels write to it, and reading it waits for nobody."""
    with torch.inference_mode(False):  # it outlives the mode that the first call may be in
        return torch.zeros(count, dtype=torch.int64, device="cpu", pin_memory=device.type == "cuda")
