"""Networks of gates evaluated the plain way."""

from __future__ import annotations

import numpy as np

from renderer.logic.netlist import AND, AND_NOT, OR, XOR, Netlist


def evaluate_netlist(netlist: Netlist, samples: np.ndarray) -> np.ndarray:
    """Output bits (samples, outputs) of bits (samples, inputs), gate by gate."""
    values = [np.zeros(len(samples), bool), *samples.T]
    for kind, a, b in zip(netlist.kind, netlist.a, netlist.b, strict=True):
        left, right = values[a], values[b]
        rows = {AND: left & right, AND_NOT: left & ~right, XOR: left ^ right, OR: left | right}
        values.append(rows[int(kind)])
    return np.stack([values[o >> 1] ^ bool(o & 1) for o in netlist.outputs.tolist()], 1)
