"""A netlist as a combinational Verilog module."""

from __future__ import annotations

from renderer.logic.export_names import check_name, count_bits, groups_of
from renderer.logic.netlist import AND, AND_NOT, OR, XOR, Netlist

_OPERATOR = {AND: "& ", AND_NOT: "& ~", XOR: "^ ", OR: "| "}


def to_verilog(netlist: Netlist, name: str) -> str:
    """The module's text: input x, one bit each; outputs count0, count1, … of the classes, or y where there are none.

    score = count / tau + beta; tau and beta are in a comment.
    """
    check_name(name)
    groups = groups_of(netlist)
    bits = count_bits(netlist)
    first = 1 + netlist.inputs

    def literal(value: int) -> str:
        node, inverted = value >> 1, value & 1
        if node == 0:
            return f"1'b{inverted}"
        return "~" * inverted + (f"x[{node - 1}]" if node < first else f"n{node - first}")

    lines = [f"// {len(netlist.kind)} gates; score = count / {netlist.tau!r} + {netlist.beta!r}"]
    if netlist.groups:
        ports = [f"  output wire [{bits - 1}:0] count{g}" for g in range(netlist.groups)]
    else:
        ports = [f"  output wire [{len(netlist.outputs) - 1}:0] y"]
    lines += [f"module {name} (", ",\n".join([f"  input wire [{netlist.inputs - 1}:0] x", *ports]), ");"]
    operands = zip(netlist.kind.tolist(), netlist.a.tolist(), netlist.b.tolist(), strict=True)
    for i, (kind, a, b) in enumerate(operands):
        # Each a wire of its own: simulators handle one vector of all gates as a whole, whenever one of them changes.
        lines.append(f"  wire n{i} = {literal(2 * a)} {_OPERATOR[kind]}{literal(2 * b)};")
    for g, group in enumerate(groups):
        terms = [literal(v) for v in group.tolist()]
        if netlist.groups:
            # Every term as wide as the sum, or its carries would be lost.
            wide = [f"{{{bits - 1}'d0, {t}}}" if bits > 1 else t for t in terms]
            lines.append(f"  assign count{g} = " + "\n    + ".join(wide) + ";")
        else:
            lines.append(f"  assign y[{g}] = {terms[0]};")
    return "\n".join([*lines, "endmodule", ""])
