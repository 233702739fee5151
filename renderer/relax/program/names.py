"""Which names statements assign and read, which are needed later, and which may be soft."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

LOOPS = (ast.For, ast.While)
# Annotations of parameters that are static: their values steer the program and are never relaxed.
STATIC_ANNOTATIONS = ("int", "bool", "str")


def walk(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    for node in nodes:
        yield from ast.walk(node)


def assigned(nodes: Iterable[ast.AST]) -> list[str]:
    """Names that statements bind, in order; the variables of comprehensions and lambdas are not among them."""
    found: dict[str, None] = {}

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found[node.id] = None
        if isinstance(node, ast.ListComp | ast.GeneratorExp | ast.Lambda):
            return
        for child in ast.iter_child_nodes(node):
            visit(child)

    for node in nodes:
        visit(node)
    return list(found)


def loads(nodes: Iterable[ast.AST]) -> set[str]:
    """Names that statements read."""
    found = {n.id for n in walk(nodes) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    found |= {n.target.id for n in walk(nodes) if isinstance(n, ast.AugAssign) and isinstance(n.target, ast.Name)}
    return found


def exits(node: ast.AST) -> bool:
    """Whether a statement may leave the block that it stands in: return, or break or continue of a loop around it."""
    if isinstance(node, ast.Return | ast.Break | ast.Continue):
        return True
    if isinstance(node, LOOPS):
        return any(isinstance(n, ast.Return) for n in ast.walk(node)) or any(exits(n) for n in node.orelse)
    return any(exits(child) for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt))


class Liveness:
    """Which names may still be read after a statement."""

    def __init__(self, definition: ast.FunctionDef) -> None:
        self._loads = [
            (n.lineno, n.col_offset, name)
            for n in ast.walk(definition)
            if isinstance(n, ast.stmt | ast.expr)
            for name in loads([n])
        ]
        self._around: dict[ast.AST, list[ast.AST]] = {}
        self._note(definition, [])

    def _note(self, node: ast.AST, loops: list[ast.AST]) -> None:
        self._around[node] = loops
        inner = [*loops, node] if isinstance(node, LOOPS) else loops
        for child in ast.iter_child_nodes(node):
            self._note(child, inner)

    def after(self, node: ast.stmt) -> set[str]:
        """Names read behind a statement, or anywhere in a loop around it."""
        end = (node.end_lineno, node.end_col_offset)
        later = {name for line, column, name in self._loads if (line, column) >= end}
        return later | loads(self._around[node])


class Softness:
    """Which names may hold soft values: an over-estimate, from the parameters through assignments and control flow."""

    def __init__(self, definition: ast.FunctionDef) -> None:
        arguments = definition.args
        self.static = {
            a.arg
            for a in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            if a.annotation is not None and _annotation(a.annotation) in STATIC_ANNOTATIONS
        }
        self.soft = {
            a.arg for a in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs] if a.arg not in self.static
        }
        count = -1
        while count != len(self.soft):
            count = len(self.soft)
            for statement in definition.body:
                self._follow(statement, under=False)

    def of(self, node: ast.AST) -> bool:
        """Whether an expression may be soft."""
        if isinstance(node, ast.Name):
            return node.id in self.soft
        if isinstance(node, ast.Attribute) and node.attr in ("shape", "dtype", "device"):
            return False
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("len", "isinstance"):
            return False
        if isinstance(node, ast.Compare) and all(isinstance(op, ast.Is | ast.IsNot) for op in node.ops):
            return False
        return any(self.of(child) for child in ast.iter_child_nodes(node))

    def leaves_softly(self, loop: ast.AST) -> bool:
        """Whether a loop has a break, continue or return under a soft condition."""
        return any(isinstance(n, ast.If) and exits(n) and self.of(n.test) for n in ast.walk(loop))

    def _follow(self, node: ast.stmt, *, under: bool) -> None:
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            soft = under or (node.value is not None and self.of(node.value))
            targets: list[ast.expr] = node.targets if isinstance(node, ast.Assign) else [node.target]
            if soft:
                self._mark(targets)
        elif isinstance(node, ast.If | ast.While):
            inner = under or self.of(node.test) or (isinstance(node, ast.While) and self.leaves_softly(node))
            self._all([*node.body, *node.orelse], under=inner)
        elif isinstance(node, ast.For):
            inner = under or self.leaves_softly(node)
            if inner:
                self._mark([node.target])
            elif self.of(node.iter):
                counted = isinstance(node.iter, ast.Call) and getattr(node.iter.func, "id", "") == "enumerate"
                pair = isinstance(node.target, ast.Tuple) and len(node.target.elts) == 2
                self._mark(node.target.elts[1:] if counted and pair else [node.target])  # type: ignore[attr-defined]
            self._all([*node.body, *node.orelse], under=inner)

    def _all(self, nodes: list[ast.stmt], *, under: bool) -> None:
        for node in nodes:
            self._follow(node, under=under)

    def _mark(self, targets: list[ast.expr]) -> None:
        for n in walk(targets):
            if isinstance(n, ast.Name) and (isinstance(n.ctx, ast.Store) or _is_base(n, targets)):
                self.soft.add(n.id)


def _is_base(name: ast.Name, targets: list[ast.expr]) -> bool:
    """Whether a name is the container that one of the targets writes to."""
    for target in walk(targets):
        if isinstance(target, ast.Subscript):
            base = target.value
            while isinstance(base, ast.Subscript):
                base = base.value
            if base is name:
                return True
    return False


def _annotation(node: ast.AST) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ast.unparse(node)
