"""What cannot be relaxed is refused when a program is decorated: file, line, construct, and what to write instead."""

from __future__ import annotations

import ast
import builtins
import types
from collections.abc import Callable
from typing import Any

import torch

from renderer.relax.program import calls, functions
from renderer.relax.program.errors import RelaxError
from renderer.relax.program.index import index
from renderer.relax.program.names import Softness, exits
from renderer.relax.program.source import where

STATEMENTS = {
    ast.Try: ("try", "test for the case with `if`"),
    ast.With: ("with", "open the context around the call of the program"),
    ast.Global: ("global", "pass the value as an argument and return it"),
    ast.Nonlocal: ("nonlocal", "pass the value as an argument and return it"),
    ast.Delete: ("del", "leave the name alone, or build a new list"),
    ast.FunctionDef: ("a nested function", "define it outside, with its own @relax"),
    ast.AsyncFunctionDef: ("a coroutine", "write a plain function"),
    ast.ClassDef: ("a class", "define it outside"),
    ast.Import: ("import", "import at the top of the module"),
    ast.ImportFrom: ("import", "import at the top of the module"),
    ast.AsyncFor: ("async for", "write a plain `for`"),
    ast.AsyncWith: ("async with", "open the context around the call of the program"),
    ast.Match: ("match", "write if / elif / else"),
}
EXPRESSIONS = {
    ast.NamedExpr: (":=", "assign in a statement of its own"),
    ast.Yield: ("yield", "return a list"),
    ast.YieldFrom: ("yield from", "return a list"),
    ast.Await: ("await", "write a plain function"),
    ast.Starred: ("*", "name the elements one by one"),
    ast.SetComp: ("a set comprehension", "build a list"),
    ast.DictComp: ("a dict comprehension", "build a list"),
}
MUTATORS = {
    *("append", "extend", "insert", "pop", "remove", "clear", "sort", "reverse", "update", "add", "discard"),
    *("setdefault", "popleft", "appendleft", "popitem"),
}
RELAXED_BUILTINS = {
    *("len", "range", "enumerate", "zip", "min", "max", "abs", "sum", "any", "all", "float", "int", "bool"),
    *("list", "tuple", "reversed", "isinstance"),
}


class Refusals(ast.NodeVisitor):
    """Walks a program and raises RelaxError at the first construct that has no relaxed meaning."""

    def __init__(self, function: types.FunctionType, softness: Softness) -> None:
        self.function = function
        self.softness = softness
        self.soft_test: ast.expr | None = None  # of the innermost soft branch or loop around
        self.loops: list[str] = []

    def refuse(self, node: ast.AST, construct: str, instead: str) -> None:
        line = getattr(node, "lineno", self.function.__code__.co_firstlineno)
        raise RelaxError(f"{where(self.function, line)}: {construct} cannot be relaxed: {instead}")

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        arguments = node.args
        if arguments.vararg or arguments.kwarg:
            self.refuse(node, "*args or **kwargs", "write the parameters out")
        for statement in node.body:
            self.visit(statement)

    def generic_visit(self, node: ast.AST) -> None:
        for table in (STATEMENTS, EXPRESSIONS):
            if type(node) in table:
                self.refuse(node, *table[type(node)])
        if type(node).__name__ == "TryStar":
            self.refuse(node, *STATEMENTS[ast.Try])
        super().generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        self._under(node, node.test if self.softness.of(node.test) else None)

    def visit_While(self, node: ast.While) -> None:
        soft = self.softness.of(node.test) or self.softness.leaves_softly(node)
        self._under(node, node.test if soft else None)

    def visit_For(self, node: ast.For) -> None:
        soft = self.softness.leaves_softly(node)
        self._under(node, node.iter if soft else None)

    def _under(self, node: ast.AST, test: ast.expr | None) -> None:
        outer, self.soft_test = self.soft_test, test if test is not None else self.soft_test
        for child in ast.iter_child_nodes(node):
            self.visit(child)
        self.soft_test = outer

    def visit_Raise(self, node: ast.Raise) -> None:
        if self.soft_test is not None:
            self.refuse(node, "raise under a soft condition", "check the arguments before, with static conditions")
        self.generic_visit(node)

    def visit_Assert(self, node: ast.Assert) -> None:
        if self.softness.of(node.test):
            self.refuse(node, "assert of a soft condition", "assert static facts only, such as lengths")
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if self.soft_test is not None and not isinstance(node.value, ast.Constant):
            self.refuse(
                node,
                f"the side effect `{ast.unparse(node)}` under the soft condition `{ast.unparse(self.soft_test)}`",
                "assign the result to a name, or to an element of a list of fixed length",
            )
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            for n in ast.walk(target):
                if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store):
                    self.refuse(node, f"the assignment to `{ast.unparse(n)}`", "keep the value in a name and return it")
        self._growth(node, node.value)
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Attribute):
            self.refuse(
                node, f"the assignment to `{ast.unparse(node.target)}`", "keep the value in a name and return it"
            )
        if self.soft_test is not None and isinstance(node.value, ast.List):
            self._grows(node)
        self.generic_visit(node)

    def _growth(self, node: ast.Assign, value: ast.expr) -> None:
        """`a = a + [...]` under a soft condition."""
        if self.soft_test is None or not isinstance(value, ast.BinOp) or not isinstance(value.op, ast.Add):
            return
        if isinstance(value.left, ast.List) or isinstance(value.right, ast.List):
            self._grows(node)

    def _grows(self, node: ast.AST) -> None:
        self.refuse(
            node,
            f"the change of length `{ast.unparse(node)}` under a soft condition",
            "make a list of the largest length first and write to its elements",
        )

    def visit_Compare(self, node: ast.Compare) -> None:
        for op in node.ops:
            if isinstance(op, ast.In | ast.NotIn) and self.softness.of(node):
                self.refuse(node, "`in` with soft values", "write any(x == v for v in values)")
        self.generic_visit(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.refuse(node, "a lambda other than the key of min or max", "define it outside, with its own @relax")

    def visit_Dict(self, node: ast.Dict) -> None:
        if self.softness.of(node):
            self.refuse(node, "a dict of soft values", "use a list")
        self.generic_visit(node)

    def visit_Set(self, node: ast.Set) -> None:
        if self.softness.of(node):
            self.refuse(node, "a set of soft values", "use a list")
        self.generic_visit(node)

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._comprehension(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._comprehension(node)

    def _comprehension(self, node: ast.ListComp | ast.GeneratorExp) -> None:
        for generator in node.generators:
            for condition in generator.ifs:
                if self.softness.of(condition):
                    self.refuse(
                        condition,
                        f"the soft condition `{ast.unparse(condition)}` in a comprehension",
                        "weight the elements with a conditional expression, as in sum(v if c else 0 for ...)",
                    )
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        function = resolve(node.func, self.function)
        soft = any(self.softness.of(v) for v in [*node.args, *(k.value for k in node.keywords)])
        if isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS and self.soft_test is not None:
            self.refuse(
                node,
                f"the side effect `{ast.unparse(node)}` under the soft condition `{ast.unparse(self.soft_test)}`",
                "write to the elements of a list of fixed length",
            )
        if any(k.arg is None for k in node.keywords):
            self.refuse(node, "**", "name the arguments one by one")
        if soft and function is not None and not self._accepts(function):
            self.refuse(node, f"the call of {ast.unparse(node.func)} with soft values", calls.advice(function))
        extremum = function in (builtins.min, builtins.max)
        for child in ast.iter_child_nodes(node):
            key = isinstance(child, ast.keyword) and child.arg == "key" and isinstance(child.value, ast.Lambda)
            self.visit(child.value.body if extremum and key else child)  # type: ignore[attr-defined]

    def _accepts(self, function: Any) -> bool:
        name = getattr(function, "__name__", "")
        if getattr(builtins, name, None) is function:
            return name in RELAXED_BUILTINS
        return calls.takes_tensors(function) or hasattr(function, "run_inside")


def resolve(node: ast.AST, function: types.FunctionType) -> Any:
    """What a name or a dotted name of a program stands for, None if that is not known yet."""
    if isinstance(node, ast.Attribute):
        owner = resolve(node.value, function)
        return getattr(owner, node.attr, None) if isinstance(owner, types.ModuleType) else None
    if not isinstance(node, ast.Name) or is_local(node.id, function):
        return None
    cells: dict[str, Any] = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    if node.id in cells:
        try:
            return cells[node.id].cell_contents
        except ValueError:
            return None  # assigned after the decoration
    return function.__globals__.get(node.id, getattr(builtins, node.id, None))


def is_local(name: str, function: types.FunctionType) -> bool:
    """Whether a name is a variable of the function itself, perhaps of one of its comprehensions or lambdas."""
    inner = [c for c in function.__code__.co_consts if isinstance(c, types.CodeType)]
    return any(name in (*c.co_varnames, *c.co_cellvars) for c in (function.__code__, *inner))


def is_shared(node: ast.expr, function: types.FunctionType) -> bool:
    """Whether an expression may be a tensor from outside of the program: a global or attribute, or made of these."""
    if isinstance(node, ast.Attribute):
        value = resolve(node, function)
        return value is None or isinstance(value, torch.Tensor)
    names = [n for n in ast.walk(node) if isinstance(n, ast.Name)]
    return not any(is_local(n.id, function) for n in names) and any(
        isinstance(resolve(n, function), torch.Tensor) for n in names
    )


def is_tame(definition: ast.FunctionDef, function: types.FunctionType) -> bool:
    """Whether finite arguments stay finite, overflow apart: no division, power, foreign call, or infinite constant."""
    for node in ast.walk(definition):
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(
            node.op, ast.Div | ast.FloorDiv | ast.Mod | ast.Pow
        ):
            return False
        if isinstance(node, ast.Call):
            called = resolve(node.func, function)
            if getattr(called, "__name__", "") not in RELAXED_BUILTINS - {"float"} or not _is_builtin(called):
                return False
        if isinstance(node, ast.Attribute) and node.attr != "shape":
            return False
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            value = resolve(node, function)
            if value is not None and not _is_builtin(value) and not (isinstance(value, int) and abs(value) < 2**53):
                return False
        if isinstance(node, ast.Constant) and isinstance(node.value, float) and abs(node.value) == float("inf"):
            return False
    return True


def is_plain(definition: ast.FunctionDef, function: types.FunctionType) -> bool:
    """Whether a program calls Python's own functions only, and so runs on Python numbers as it stands."""
    own = (functions.argmin, functions.argmax, index)
    called = [resolve(n.func, function) for n in ast.walk(definition) if isinstance(n, ast.Call)]
    attributes = [n for n in ast.walk(definition) if isinstance(n, ast.Attribute) and n.attr in ("shape", "dtype")]
    return not attributes and all(
        c is None or _is_builtin(c) or c in own or getattr(c, "__module__", "") == "math" or _plain_program(c)
        for c in called
    )


def _plain_program(value: Any) -> bool:
    return hasattr(value, "run_inside") and not value.calls_torch


def _is_builtin(value: Any) -> bool:
    return getattr(builtins, getattr(value, "__name__", ""), None) is value


def check(definition: ast.FunctionDef, function: types.FunctionType, softness: Softness) -> None:
    """Raises RelaxError for what cannot be relaxed."""
    Refusals(function, softness).visit(definition)


__all__: list[str] = ["Callable", "check", "exits", "is_tame", "resolve"]
