"""Names of the parts of a netlist in other languages, and how many bits a count has."""

from __future__ import annotations

import re

import numpy as np

from renderer.logic.netlist import Netlist


def check_name(name: str) -> str:
    """The name of a module or function; ValueError unless C, Verilog and BLIF all take it."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError(f"name: expected a letter or _, then letters, digits or _, got {name!r}")
    return name


def node_name(netlist: Netlist, node: int) -> str:
    """x<i> of an input, n<i> of a gate."""
    return f"x{node - 1}" if node <= netlist.inputs else f"n{node - 1 - netlist.inputs}"


def groups_of(netlist: Netlist) -> list[np.ndarray]:
    """The output literals, class by class; one part for each output where there are no classes."""
    return np.split(netlist.outputs, netlist.groups or len(netlist.outputs))


def count_bits(netlist: Netlist) -> int:
    """Bits that hold the largest possible count of a class."""
    return int(len(netlist.outputs) // (netlist.groups or len(netlist.outputs))).bit_length()
