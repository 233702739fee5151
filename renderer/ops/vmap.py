"""`torch.func.vmap` for ops whose leading dimension is already a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


def fold_into_batch(
    apply: Callable, foldable: Sequence[int], info: Any, in_dims: tuple, args: tuple
) -> tuple[tuple, tuple]:
    """Runs `apply` once with the mapped dimension folded into the batch.

    `foldable` are the positions of the arguments (..., leading batch B); every output leads with B. If any other
    argument is mapped, the calls are made one by one.
    """
    size = info.batch_size
    # The entry of a list of settings is a list, too.
    in_dims = tuple(dim if isinstance(a, Tensor) else None for a, dim in zip(args, in_dims, strict=True))
    if any(dim is not None and i not in foldable for i, dim in enumerate(in_dims)):
        slices = [[a if d is None else a.select(d, k) for a, d in zip(args, in_dims, strict=True)] for k in range(size)]
        results = [apply(*s) for s in slices]
        outputs = tuple(torch.stack(parts) for parts in zip(*results, strict=True))
        return outputs, (0,) * len(outputs)
    folded = list(args)
    for i in foldable:
        arg: Tensor = args[i]
        dim = in_dims[i]
        arg = arg.unsqueeze(0).expand(size, *arg.shape) if dim is None else arg.movedim(dim, 0)
        folded[i] = arg.flatten(0, 1)
    outputs = tuple(out.unflatten(0, (size, out.shape[0] // size)) for out in apply(*folded))
    return outputs, (0,) * len(outputs)
