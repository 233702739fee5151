"""A netlist as JSON."""

from __future__ import annotations

import json

import numpy as np

from renderer.logic.export_names import groups_of
from renderer.logic.netlist import KIND_NAMES, Netlist


def to_json(netlist: Netlist) -> str:
    """One object: "inputs", "gates" ([kind, a, b] on nodes), "outputs" (literals, class by class), "tau" and "beta".

    Node 0 is false, nodes 1 … inputs are the inputs, and the gates follow; a literal is 2 · node + inverted. "kinds"
    names the kinds. "scores": whether outputs are to be summed class by class, score = count / tau + beta.
    """
    gates = np.stack([netlist.kind.astype(np.int64), netlist.a, netlist.b], 1)
    return json.dumps(
        {
            "format": "renderer logic netlist 1",
            "inputs": netlist.inputs,
            "kinds": list(KIND_NAMES),
            "gates": gates.tolist(),
            "outputs": [group.tolist() for group in groups_of(netlist)],
            "scores": netlist.groups > 0,
            "tau": netlist.tau,
            "beta": netlist.beta,
        }
    )
