"""A netlist as a BLIF model, sums included.

Berkeley Logic Interchange Format, University of California, Berkeley, 1992.
"""

from __future__ import annotations

from collections.abc import Iterator

from renderer.logic.export_names import check_name, count_bits, groups_of, node_name
from renderer.logic.netlist import AND, AND_NOT, OR, XOR, Netlist

# Rows of inputs for which a gate's output is 1.
_ROWS = {AND: ("11",), AND_NOT: ("10",), XOR: ("01", "10"), OR: ("1-", "-1")}
_SUM = ("001", "010", "100", "111")
_CARRY = ("11-", "1-1", "-11")


def to_blif(netlist: Netlist, name: str) -> str:
    """The model's text: inputs x0, x1, …; outputs count<class>_<bit>, lowest bit 0, or y0, y1, … without classes.

    The counts are made of full adders: score = count / tau + beta.
    """
    check_name(name)
    groups = groups_of(netlist)
    bits = count_bits(netlist)
    if netlist.groups:
        outputs = [f"count{g}_{d}" for g in range(netlist.groups) for d in range(bits)]
    else:
        outputs = [f"y{g}" for g in range(len(groups))]
    inputs = [f"x{i}" for i in range(netlist.inputs)]
    lines = [f".model {name}", f"# score = count / {netlist.tau!r} + {netlist.beta!r}"]
    lines += [_wrapped(".inputs", inputs), _wrapped(".outputs", outputs), ".names false"]
    operands = zip(netlist.kind.tolist(), netlist.a.tolist(), netlist.b.tolist(), strict=True)
    for i, (kind, a, b) in enumerate(operands):
        lines += _names([node_name(netlist, a), node_name(netlist, b)], f"n{i}", _ROWS[kind])
    for g, group in enumerate(groups):
        terms = []
        for o, value in enumerate(group.tolist()):
            node, inverted = value >> 1, value & 1
            source = node_name(netlist, node) if node else "false"
            terms.append(f"g{g}_{o}")
            lines += _names([source], terms[-1], ("0",) if inverted else ("1",))
        if netlist.groups:
            lines += _adders(g, terms, bits)
        else:
            lines += _names(terms, f"y{g}", ("1",))
    return "\n".join([*lines, ".end", ""])


def _names(inputs: list[str], output: str, rows: tuple[str, ...]) -> list[str]:
    return [f".names {' '.join(inputs)} {output}", *(f"{row} 1" for row in rows)]


def _adders(group: int, terms: list[str], bits: int) -> Iterator[str]:
    """Full adders that take three bits of one weight to one of it and one of the next, until each weight has one."""
    made = 0
    for d in range(bits):
        carries = []
        while len(terms) > 1:
            three = ([*terms, "false"])[:3]
            terms = terms[3:] if len(terms) > 2 else []
            total, carry = f"s{group}_{made}", f"c{group}_{made}"
            made += 1
            yield from _names(three, total, _SUM)
            yield from _names(three, carry, _CARRY)
            terms.append(total)
            carries.append(carry)
        yield from _names(terms or ["false"], f"count{group}_{d}", ("1",))
        terms = carries


def _wrapped(keyword: str, names: list[str], width: int = 16) -> str:
    parts = [" ".join(names[i : i + width]) for i in range(0, len(names), width)]
    return " \\\n".join([f"{keyword} {parts[0]}", *parts[1:]])
