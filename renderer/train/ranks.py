"""The processes that train together: one, or those that torchrun started."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """This process's place among `world` processes, and the device it computes on."""

    rank: int
    world: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process writes the files and shows the progress."""
        return self.rank == 0

    def largest(self, number: int) -> int:
        """The largest of the processes' numbers, the same in all of them."""
        if self.world == 1:
            return number
        value = torch.tensor(number, device=self.device)
        dist.all_reduce(value, op=dist.ReduceOp.MAX)
        return int(value)

    def sum(self, value: Tensor) -> Tensor:
        """The sum over the processes, element by element, the same in all of them."""
        if self.world == 1:
            return value
        total = value.clone()
        dist.all_reduce(total)
        return total

    def mean(self, value: Tensor) -> Tensor:
        """The mean over the processes, element by element, the same in all of them."""
        return value if self.world == 1 else self.sum(value) / self.world

    def from_first(self, make: Callable[[], T]) -> T:
        """What `make` gives or raises in the first process, which alone calls it, in all of them.

        >>> mesh = here.from_first(lambda: Mesh.load("start.ply"))
        """
        if self.world == 1:
            return make()
        answer: list[Any] = [None, None]
        if self.first:
            try:
                answer[0] = make()
            except Exception as error:  # else the other processes would wait for ever
                answer[1] = error
        dist.broadcast_object_list(answer, device=self.device)
        if answer[1] is not None:
            raise answer[1]
        return answer[0]

    def wait(self) -> None:
        """Return when all processes have come here."""
        if self.world > 1:
            dist.barrier()


ALONE = Ranks(0, 1, torch.device("cpu"))


@contextmanager
def ranks(device: str = "auto") -> Iterator[Ranks]:
    """Join the processes that torchrun started (NCCL on GPUs, gloo on CPUs); without torchrun, this one is alone.

    device: "auto" (a GPU where there is one), "cpu", "cuda", or any name that torch knows. Raises ValueError for a
    device that is not there.

    >>> with ranks("cpu") as here:
    ...     here.rank, here.world
    (0, 1)
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    chosen = device_named(device, local=int(os.environ.get("LOCAL_RANK", "0")) if world > 1 else None)
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    if world == 1:
        yield Ranks(0, 1, chosen)
        return
    ours = not dist.is_initialized()
    if ours:
        # The others wait while the first process evaluates, sweeps or writes: for as long as it takes.
        dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo", timeout=timedelta(days=1))
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size(), chosen)
    finally:
        if ours:
            dist.destroy_process_group()


def device_named(name: str, *, local: int | None = None) -> torch.device:
    """The device of a name as `ranks` takes it, GPU number `local` where the name has none; ValueError if not there.

    >>> device_named("cpu")
    device(type='cpu')
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        chosen = torch.device(name)
    except RuntimeError:
        raise ValueError(
            f"device: expected 'auto', 'cpu', 'cuda' or another name that torch knows, got {name!r}"
        ) from None
    if chosen.type == "cuda":
        count = torch.cuda.device_count()
        if not count:
            raise ValueError(f"device: expected 'cpu', as torch finds no GPU here, got {name!r}")
        index = chosen.index if chosen.index is not None else local or 0
        if index >= count:
            raise ValueError(f"device: expected one of {count} GPUs, got {name!r}, number {index}")
        return torch.device("cuda", index)
    return chosen
