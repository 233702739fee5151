"""Networks of discrete gates, run as bits by the native interpreter."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, Shaped
from torch import Tensor

import renderer.ops.logic_program  # noqa: F401  registers the op
from renderer.logic.bits import check_words
from renderer.logic.export_blif import to_blif
from renderer.logic.export_c import to_c
from renderer.logic.export_json import to_json
from renderer.logic.export_verilog import to_verilog
from renderer.logic.netlist import Netlist
from renderer.logic.schedule import schedule
from renderer.scene.errors import DataError

FORMAT = 1  # of saved files
# Wider words cost less per sample even where the slots leave the second-level cache: tests/bench/logic.py has measured
# up to half of these bytes.
CACHE_BYTES = 8 << 20
WORDS = (8, 4, 2, 1)  # of 64 samples, that the kernels have


class BitProgram:
    """A compiled network: `LogicNet.compile()` makes it, `load` reads it.

    Called on bits it returns the counts of set outputs per class, int32 (samples, classes), or the output bits
    themselves if the network has no GroupSum. Any number of samples, where these lie: on the CPU with
    `torch.get_num_threads()` threads, or on a GPU.

    >>> program = net.compile()
    >>> program(images > 0.5).argmax(-1)
    """

    def __init__(self, netlist: Netlist) -> None:
        self.netlist = netlist
        s = schedule(netlist)
        self.slots = s.slots
        self._runs = torch.from_numpy(s.runs)
        tables = tuple(torch.from_numpy(x) for x in (s.a, s.b, s.outputs, s.group_starts, s.offsets))
        self._tables = {torch.device("cpu"): tables}

    @property
    def inputs(self) -> int:
        """Input bits of a sample."""
        return self.netlist.inputs

    @property
    def outputs(self) -> int:
        """Classes, or output bits where there are no classes."""
        return self.netlist.groups or len(self.netlist.outputs)

    @property
    def gates(self) -> int:
        """Gates that are left after simplification."""
        return len(self.netlist.kind)

    def __call__(
        self, x: Bool[Tensor, "samples inputs"] | Int64[Tensor, "inputs words"], *, samples: int | None = None
    ) -> Shaped[Tensor, "samples outputs"]:
        """Counts (int32) or output bits; x is bool, or packed by `pack_bits` with its number of `samples`."""
        if x.dtype == torch.int64:
            if samples is None:
                raise ValueError("samples: expected the number of samples in the packed bits, got None")
            check_words(x, samples)
            if x.shape[0] != self.inputs:
                raise ValueError(f"x: expected ({self.inputs}, words) of packed bits, got {tuple(x.shape)}")
        else:
            if x.dtype != torch.bool:
                raise TypeError(f"x: expected bool, or packed int64, got {x.dtype}")
            if x.ndim != 2 or x.shape[1] != self.inputs:
                raise ValueError(f"x: expected (samples, {self.inputs}), got {tuple(x.shape)}")
            if samples is not None:
                raise ValueError(f"samples: expected None for bits that are not packed, got {samples}")
        count = x.shape[0] if samples is None else samples
        if x.device not in self._tables:
            self._tables[x.device] = tuple(t.to(x.device) for t in self._tables[torch.device("cpu")])
        counts = torch.ops.renderer.logic_program(
            x, count, self.slots, self.block_words(count), self._runs, *self._tables[x.device]
        )
        return counts if self.netlist.groups else counts.bool()

    def block_words(self, samples: int) -> int:
        """Words of 64 samples that are computed at a time: the widest that fit the cache and have samples."""
        fitting = (w for w in WORDS if self.slots * 8 * w <= CACHE_BYTES and 32 * w < samples)
        return next(fitting, 1)

    def scores(self, x: Tensor, *, samples: int | None = None) -> Float[Tensor, "samples classes"]:
        """Counts / tau + beta, in float32: what the network's GroupSum gives."""
        if not self.netlist.groups:
            raise ValueError("scores: expected a network that ends in GroupSum, got one with single output bits")
        return self(x, samples=samples).to(torch.float32) / self.netlist.tau + self.netlist.beta

    @cached_property
    def levels(self) -> int:
        """Gates on the longest way from an input to an output."""
        return int(self.netlist.levels().max(initial=0))

    def save(self, path: str | Path) -> None:
        """Write the program to one file (NumPy's npz, without pickle)."""
        n = self.netlist
        header = {"format": FORMAT, "inputs": n.inputs, "groups": n.groups, "tau": n.tau, "beta": n.beta}
        with open(path, "wb") as file:
            np.savez_compressed(file, header=np.array(json.dumps(header)), kind=n.kind, a=n.a, b=n.b, outputs=n.outputs)

    @classmethod
    def load(cls, path: str | Path) -> BitProgram:
        """Read what `save` wrote. Raises DataError naming the file if it is missing, damaged or of another format."""
        try:
            with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
                arrays = {name: file[name] for name in ("kind", "a", "b", "outputs")}
                header: dict[str, Any] = json.loads(str(file["header"]))
            if header["format"] != FORMAT:
                raise DataError(f"{path}: expected a program of format {FORMAT}, got {header['format']}")
            netlist = Netlist(
                int(header["inputs"]),
                arrays["kind"].astype(np.int8),
                arrays["a"].astype(np.int32),
                arrays["b"].astype(np.int32),
                arrays["outputs"].astype(np.int64),
                int(header["groups"]),
                float(header["tau"]),
                float(header["beta"]),
            )
        except DataError:
            raise
        except FileNotFoundError as error:
            raise DataError(f"{path}: no such file") from error
        except Exception as error:  # a damaged file can fail anywhere inside the reader
            raise DataError(f"{path}: not a readable program ({type(error).__name__}: {error})") from error
        return cls(netlist)

    def export_c(self, path: str | Path, *, name: str = "logic_net") -> None:
        """Write one self-contained C99 file: see `renderer.logic.export_c`."""
        Path(path).write_text(to_c(self.netlist, name), encoding="ascii")

    def export_verilog(self, path: str | Path, *, name: str = "logic_net") -> None:
        """Write a combinational Verilog module: see `renderer.logic.export_verilog`."""
        Path(path).write_text(to_verilog(self.netlist, name), encoding="ascii")

    def export_blif(self, path: str | Path, *, name: str = "logic_net") -> None:
        """Write a BLIF model: see `renderer.logic.export_blif`."""
        Path(path).write_text(to_blif(self.netlist, name), encoding="ascii")

    def export_json(self, path: str | Path) -> None:
        """Write the netlist as JSON: see `renderer.logic.export_json`."""
        Path(path).write_text(to_json(self.netlist), encoding="ascii")

    def __repr__(self) -> str:
        kind = "classes" if self.netlist.groups else "output bits"
        return f"BitProgram({self.inputs} inputs, {self.gates} gates, {self.outputs} {kind})"
