"""Checkpoints that a kill at any moment cannot spoil, and that cannot carry code: safetensors and JSON in one file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from torch import Tensor

from renderer.scene.errors import DataError

STATE = "state"  # the entry of the file's header that holds everything but the tensors


def save_checkpoint(path: str | Path, state: dict[Any, Any]) -> None:
    """Write nested dicts, lists, tuples, tensors, text and numbers, whole or not at all, in the safetensors format.

    The tensors are stored as such, the rest as JSON in the file's header. It goes to a file beside `path`, which is
    synced and moved over it. Raises ValueError naming the place of a value of another kind.

    >>> save_checkpoint("run/checkpoint.safetensors", {"step": 3, "latent": latent})
    """
    from safetensors.torch import save

    path = Path(path)
    tensors: dict[str, Tensor] = {}
    text = json.dumps(_encode(state, STATE, tensors))
    content = save(tensors, metadata={STATE: text})
    partial = path.with_name(path.name + ".partial")
    with open(partial, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def load_checkpoint(path: str | Path) -> dict[Any, Any]:
    """Read what `save_checkpoint` wrote, tensors on the CPU; no code is run.

    Raises DataError naming the file when it is missing or damaged.

    >>> load_checkpoint("run/checkpoint.safetensors")["step"]
    3
    """
    from safetensors import safe_open

    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
        return _decode(json.loads(header[STATE]), tensors)
    except Exception as error:  # a damaged file can fail anywhere inside the reader
        raise DataError(f"{path}: not a readable checkpoint ({type(error).__name__})") from error


def _encode(value: Any, place: str, tensors: dict[str, Tensor]) -> Any:
    """JSON in which tensors are names, and dicts lists of pairs, as their keys need not be text."""
    if isinstance(value, Tensor):
        name = str(len(tensors))
        # A copy, as safetensors refuses tensors that share memory.
        tensors[name] = value.detach().to("cpu", copy=True).contiguous()
        return {"tensor": name}
    if isinstance(value, dict):
        pairs = [
            [_encode(key, place, tensors), _encode(item, f"{place}[{key!r}]", tensors)] for key, item in value.items()
        ]
        return {"dict": pairs}
    if isinstance(value, (list, tuple)):
        items = [_encode(item, f"{place}[{i}]", tensors) for i, item in enumerate(value)]
        return items if isinstance(value, list) else {"tuple": items}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ValueError(f"{place}: expected a dict, list, tuple, tensor, text or number, got {type(value).__name__}")


def _decode(value: Any, tensors: dict[str, Tensor]) -> Any:
    """The inverse of `_encode`."""
    if isinstance(value, list):
        return [_decode(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "tuple":
        return tuple(_decode(item, tensors) for item in content)
    return {_decode(key, tensors): _decode(item, tensors) for key, item in content}
