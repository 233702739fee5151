"""Generated programs: hard they are what CPython computes, and so they are relaxed at a large β away from ties."""

from __future__ import annotations

import ast
import itertools
import linecache
import math

import hypothesis
import hypothesis.strategies as st
import torch

from renderer.relax.program import relax

NAMES = ("a", "b", "c")
MARGIN = 0.005  # operands of a comparison at least this far apart: at β = 1e4 its probability is off by e⁻⁵⁰
BATCH = 3
_numbers = itertools.count()

names = st.sampled_from(NAMES)
constants = st.integers(-8, 8).map(lambda k: repr(k / 4 + 0.01))


@st.composite
def expressions(draw: st.DrawFn, depth: int = 2) -> str:
    if depth == 0 or draw(st.booleans()):
        return draw(st.one_of(names, constants))
    x, y = draw(expressions(depth - 1)), draw(expressions(depth - 1))
    shape = draw(st.sampled_from(["({} + {})", "({} - {})", "(0.5 * {} * {})", "min({}, {})", "max({}, {})"]))
    return shape.format(x, y)


@st.composite
def conditions(draw: st.DrawFn, depth: int = 1) -> str:
    if depth == 0 or draw(st.booleans()):
        op = draw(st.sampled_from(["<", "<=", ">", ">="]))
        return f"{draw(names)} {op} {draw(expressions(1))}"
    shape = draw(st.sampled_from(["({} and {})", "({} or {})", "(not {})"]))
    return shape.format(*(draw(conditions(depth - 1)) for _ in range(shape.count("{}"))))


@st.composite
def blocks(draw: st.DrawFn, depth: int, indent: str, counters: list[int], in_loop: bool = False) -> list[str]:
    lines: list[str] = []
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["assign", "if", "if", "while", "for"] if depth else ["assign"]))
        if kind == "assign":
            target, op = draw(names), draw(st.sampled_from(["=", "+=", "-="]))
            lines.append(f"{indent}{target} {op} {draw(expressions())}")
            continue
        deeper = indent + "    "
        if kind == "if":
            lines.append(f"{indent}if {draw(conditions())}:")
            lines += draw(blocks(depth - 1, deeper, counters, in_loop))
            leave = draw(st.sampled_from(["", "", "return", "break", "continue"]))
            if leave == "return":
                lines.append(f"{deeper}return a, b, c, n")
            elif leave and in_loop:
                lines.append(f"{deeper}{leave}")
            if draw(st.booleans()):
                lines.append(f"{indent}else:")
                lines += draw(blocks(depth - 1, deeper, counters, in_loop))
        elif kind == "while":
            counters.append(len(counters))
            k = f"k{counters[-1]}"
            lines += [f"{indent}{k} = 0", f"{indent}while {k} < 3 and {draw(conditions())}:", f"{deeper}{k} += 1"]
            lines += [*draw(blocks(depth - 1, deeper, counters, True)), f"{deeper}n += 1"]
        else:
            counters.append(len(counters))
            lines.append(f"{indent}for i{counters[-1]} in range({draw(st.integers(0, 3))}):")
            lines += [*draw(blocks(depth - 1, deeper, counters, True)), f"{deeper}n += 1"]
    return lines


@st.composite
def programs(draw: st.DrawFn) -> str:
    lines = ["def program(a, b, c):", "    n = 0", *draw(blocks(2, "    ", [])), "    return a, b, c, n"]
    return "\n".join(lines) + "\n"


class Traced(float):
    """A float that remembers how close the operands of comparisons came."""

    closest = math.inf

    def _compare(self, other: float, result: bool) -> bool:
        Traced.closest = min(Traced.closest, abs(float(self) - float(other)))
        return result

    def __lt__(self, other: float) -> bool:
        return self._compare(other, float(self) < float(other))

    def __le__(self, other: float) -> bool:
        return self._compare(other, float(self) <= float(other))

    def __gt__(self, other: float) -> bool:
        return self._compare(other, float(self) > float(other))

    def __ge__(self, other: float) -> bool:
        return self._compare(other, float(self) >= float(other))

    def __add__(self, other: float) -> Traced:
        return Traced(float(self) + other)

    def __sub__(self, other: float) -> Traced:
        return Traced(float(self) - other)

    def __rsub__(self, other: float) -> Traced:
        return Traced(other - float(self))

    def __mul__(self, other: float) -> Traced:
        return Traced(float(self) * other)

    def __neg__(self) -> Traced:
        return Traced(-float(self))

    __radd__ = __add__
    __rmul__ = __mul__


class Wrap(ast.NodeTransformer):
    """Every float in a program as a Traced one."""

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        return ast.Call(ast.Name("Traced", ast.Load()), [node], []) if isinstance(node.value, float) else node


def closest_operands(source: str, samples: list[tuple]) -> float:
    """The least distance of two operands that a program compares."""
    tree = ast.fix_missing_locations(Wrap().visit(ast.parse(source)))
    scope: dict = {"Traced": Traced}
    exec(compile(tree, "<traced>", "exec"), scope)
    Traced.closest = math.inf
    for row in samples:
        scope["program"](*map(Traced, row))
    return Traced.closest


def function_of(source: str):
    """The function that a text defines, whose source `inspect` finds."""
    file = f"<generated {next(_numbers)}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    scope: dict = {"__name__": __name__}
    exec(compile(source, file, "exec"), scope)
    return scope["program"]


def column(rows: list[tuple], i: int) -> torch.Tensor:
    return torch.tensor([float(row[i]) for row in rows], dtype=torch.float64)


values = st.lists(
    st.tuples(*[st.integers(-40, 40).map(lambda k: k / 16 + 0.003)] * 3), min_size=BATCH, max_size=BATCH, unique=True
)


@hypothesis.settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(hypothesis.HealthCheck)
)
@hypothesis.given(source=programs(), samples=values)
def test_hard_is_cpython_and_sharp_is_hard(source: str, samples: list[tuple]) -> None:
    function = function_of(source)
    expected = [function(*row) for row in samples]
    hypothesis.assume(all(abs(v) < 1e4 for row in expected for v in row))
    program = relax(function, beta=1e4, extremum="hard")
    arguments = [column(samples, i) for i in range(3)]
    for i, found in enumerate(program.hard(*arguments)):
        torch.testing.assert_close(found, column(expected, i), rtol=0, atol=0, msg=lambda m: f"{m}\n{source}")
    if closest_operands(source, samples) < MARGIN:
        return
    hypothesis.event("relaxed")
    for i, found in enumerate(program(*arguments)):
        torch.testing.assert_close(found, column(expected, i), rtol=1e-9, atol=1e-9, msg=lambda m: f"{m}\n{source}")
