"""The rewriting: a program's statements become calls of the runtime, line for line.

    if c: T          _if1 = _rt.split(c)
    else: F          if _if1.then(x):
                         T
                     if _if1.otherwise(x):
                         (x,) = _if1.before
                         F
                     (x,) = _if1.join(x)

    while c: B       _while1 = _rt.loop(line)
                     while _while1.go(c, x):
                         (x,) = _while1.start(x)
                         B
                     (x,) = _while1.result(x)

Here x stands for the names that the sides assign and that are read later. After a statement that may leave its block by
break, continue or return, the rest of the block runs `if _rt.alive`.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable
from typing import Any, cast

from renderer.relax.program.names import LOOPS, Liveness, assigned, exits, loads
from renderer.relax.program.source import RUNTIME

COMPARISONS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
OPERATIONS = {
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.Pow: "power",
    ast.MatMult: "matrix_multiply",
    ast.FloorDiv: "floor_divide",
    ast.Mod: "modulo",
}
STATIC_COMPARISONS = (ast.Is, ast.IsNot, ast.In, ast.NotIn)


def rewrite(definition: ast.FunctionDef, is_shared: Callable[[ast.expr], bool]) -> ast.FunctionDef:
    """The relaxed form of a definition; its first parameter is the runtime.

    `is_shared` says whether an expression may be a tensor from outside of the program, which has no batch.
    """
    made = copy.deepcopy(definition)
    made.returns = None
    for argument in [*made.args.posonlyargs, *made.args.args, *made.args.kwonlyargs]:
        argument.annotation = None
    rewriter = _Rewriter(made, is_shared)
    body = made.body
    documented = ast.get_docstring(made) is not None
    made.body = rewriter.program(body[1:] if documented else body)
    if documented:
        made.body.insert(0, body[0])
    (made.args.posonlyargs or made.args.args).insert(0, ast.arg(RUNTIME))
    if not made.args.posonlyargs and len(made.args.args) > 1:
        made.args.posonlyargs, made.args.args = made.args.args[:1], made.args.args[1:]
    return ast.fix_missing_locations(made)


def _tuple(names: list[str], ctx: ast.expr_context) -> ast.Tuple:
    return ast.Tuple([ast.Name(name, ctx) for name in names], ctx)


class _Rewriter(ast.NodeTransformer):
    """Expressions by the visitor, statements by `block`."""

    def __init__(self, definition: ast.FunctionDef, is_shared: Callable[[ast.expr], bool]) -> None:
        self.definition = definition
        self.is_shared = is_shared
        self.live = Liveness(definition)
        self.count = 0
        self.early = self._returns_early(definition.body)
        self.loops: list[tuple[str, list[str], list[str]]] = []  # variable, names after it, names it assigns
        self.captured: dict[str, None] = {}

    @staticmethod
    def _returns_early(body: list[ast.stmt]) -> bool:
        """Whether there is a return besides one as the last statement."""
        returns = [n for statement in body for n in ast.walk(statement) if isinstance(n, ast.Return)]
        return bool(returns) and not (len(returns) == 1 and returns[0] is body[-1])

    def program(self, body: list[ast.stmt]) -> list[ast.stmt]:
        made = self.block(body)
        if self.early:
            made += self._at(body[-1], "return _rt.returned()")
        arguments = self.definition.args
        parameters = {a.arg for a in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]}
        first = [
            statement
            for name in self.captured
            if name not in parameters
            for statement in self._at(body[0], f"{name} = _rt.undefined({name!r})")
        ]
        return first + made

    # Helpers

    def _at(self, where: ast.AST, template: str, **expressions: Any) -> list[ast.stmt]:
        """Statements from a template, with the position of a node; its names are replaced by expressions or tuples."""
        tree = ast.parse(template)
        for node in ast.walk(tree):
            if hasattr(node, "lineno"):
                ast.copy_location(node, where)
        return cast("list[ast.stmt]", _Fill(expressions).visit(tree).body)

    def _call(self, where: ast.AST, name: str, *arguments: ast.expr, **keywords: ast.expr) -> ast.Call:
        """_rt.name(arguments)."""
        function = ast.Attribute(ast.Name(RUNTIME, ast.Load()), name, ast.Load())
        call = ast.Call(function, list(arguments), [ast.keyword(k, v) for k, v in keywords.items()])
        for node in (call, function, function.value, *call.keywords):
            ast.copy_location(node, where)
        return call

    def _expression(self, node: ast.expr) -> ast.expr:
        return cast("ast.expr", self.visit(node))

    def _operand(self, node: ast.expr) -> ast.expr:
        """An expression whose value an operation or function takes, told apart where no sample owns it."""
        shared = self.is_shared(node)
        made = self._expression(node)
        return self._call(node, "shared", made) if shared else made

    def _fresh(self, kind: str) -> str:
        self.count += 1
        return f"_{kind}{self.count}"

    def _capture(self, names: list[str]) -> list[str]:
        self.captured.update(dict.fromkeys(names))
        return names

    @staticmethod
    def _delayed(node: ast.expr) -> ast.Lambda:
        empty = ast.arguments([], [], None, [], [], None, [])
        return ast.copy_location(ast.Lambda(empty, node), node)

    def _names_call(self, where: ast.AST, variable: str, method: str, names: list[str]) -> list[ast.stmt]:
        """(names) = variable.method(names)."""
        if not names:
            return self._at(where, f"{variable}.{method}()")
        listed = ", ".join(names)
        return self._at(where, f"({listed},) = {variable}.{method}({listed})")

    # Statements

    def block(self, body: list[ast.stmt]) -> list[ast.stmt]:
        made: list[ast.stmt] = []
        for i, statement in enumerate(body):
            made += self.statement(statement)
            if exits(statement) and i + 1 < len(body):
                if isinstance(statement, ast.Return | ast.Break | ast.Continue):
                    break  # what follows is never reached
                rest = self.block(body[i + 1 :])
                made += self._at(body[i + 1], "if _rt.alive: REST", REST=rest)
                break
        return made or [ast.Pass()]

    def statement(self, node: ast.stmt) -> list[ast.stmt]:
        handler = getattr(self, f"_{type(node).__name__.lower()}", None)
        if handler is not None:
            return cast("list[ast.stmt]", handler(node))
        return [cast("ast.stmt", self.visit(node))]

    def _if(self, node: ast.If) -> list[ast.stmt]:
        variable = self._fresh("if")
        names = assigned([*node.body, *node.orelse])
        needed = self.live.after(node) | loads(node.orelse)
        names = self._capture([name for name in names if name in needed])
        leaving = any(exits(s) for s in [*node.body, *node.orelse])
        then, otherwise = self.block(node.body), self.block(node.orelse) if node.orelse else []
        listed = ", ".join(names)
        restore = self._at(node, f"({listed},) = {variable}.before") if names else []
        return [
            *self._at(
                node,
                f"{variable} = _rt.split(TEST{', exits=True' if leaving else ''})",
                TEST=self._expression(node.test),
            ),
            *self._at(node, f"if {variable}.then({listed}): BODY", BODY=then),
            *self._at(node, f"if {variable}.otherwise({listed}): BODY", BODY=[*restore, *otherwise] or [ast.Pass()]),
            *self._names_call(node, variable, "join", names),
        ]

    def _loop_names(self, node: ast.For | ast.While) -> tuple[list[str], list[str]]:
        """Names needed behind a loop, and names that its rounds hand on."""
        names = assigned([node])
        after = self.live.after(node) | loads(node.orelse)
        return (
            self._capture([name for name in names if name in after]),
            self._capture([name for name in names if name in after | loads([node])]),
        )

    def _while(self, node: ast.While) -> list[ast.stmt]:
        variable = self._fresh("while")
        after, inside = self._loop_names(node)
        leaving = any(self._leaves(s) for s in node.body)
        self.loops.append((variable, after, inside))
        body = self.block(node.body)
        self.loops.pop()
        start = self._names_call(node, variable, "start", inside)
        gather = self._names_call(node, variable, "gather", inside) if leaving else []
        listed = ", ".join(["TEST", *after])
        guard = f"not {variable}.closed and " if leaving else ""
        return [
            *self._at(node, f"{variable} = _rt.loop({node.lineno})"),
            *self._at(
                node,
                f"while {guard}{variable}.go({listed}): BODY",
                TEST=self._expression(node.test),
                BODY=[*start, *body, *gather],
            ),
            *self._otherwise(node, variable, after),
            *self._names_call(node, variable, "result", after),
        ]

    def _for(self, node: ast.For) -> list[ast.stmt]:
        iterable = self._iterable(node.iter)
        if not any(self._leaves(s) for s in node.body):
            self.loops.append(("", [], []))
            body = self.block(node.body)
            self.loops.pop()
            made = ast.For(node.target, iterable, body, [], None)
            return [ast.copy_location(made, node), *(self.block(node.orelse) if node.orelse else [])]
        variable = self._fresh("for")
        after, inside = self._loop_names(node)
        self.loops.append((variable, after, inside))
        body = self.block(node.body)
        self.loops.pop()
        gather = self._names_call(node, variable, "gather", inside)
        closed = self._at(node, f"if {variable}.closed: break")
        return [
            *self._at(node, f"{variable} = _rt.loop({node.lineno})"),
            ast.copy_location(ast.For(node.target, iterable, [*body, *gather, *closed], [], None), node),
            *self._at(node, f"{variable}.end({', '.join(after)})"),
            *self._otherwise(node, variable, after),
            *self._names_call(node, variable, "result", after),
        ]

    def _otherwise(self, node: ast.For | ast.While, variable: str, after: list[str]) -> list[ast.stmt]:
        """The `else` of a loop, run by what left it without a break."""
        if not node.orelse:
            return []
        end = self._at(node, f"{variable}.end({', '.join(after)})")
        return [
            *self._names_call(node, variable, "unbroken", after),
            *self._at(node, "if _rt.alive: BODY", BODY=[*self.block(node.orelse), *end]),
        ]

    @staticmethod
    def _leaves(statement: ast.stmt) -> bool:
        return exits(statement)

    def _break(self, node: ast.Break) -> list[ast.stmt]:
        variable, after, _ = self.loops[-1]
        return self._at(node, f"{variable}.leave({', '.join(after)})")

    def _continue(self, node: ast.Continue) -> list[ast.stmt]:
        variable, _, inside = self.loops[-1]
        return self._at(node, f"{variable}.skip({', '.join(inside)})")

    def _return(self, node: ast.Return) -> list[ast.stmt]:
        value = self._expression(node.value) if node.value is not None else ast.Constant(None)
        return self._at(node, "_rt.give(VALUE)" if self.early else "return VALUE", VALUE=value)

    def _assign(self, node: ast.Assign) -> list[ast.stmt]:
        value = self._expression(node.value)
        if len(node.targets) == 1:
            target = node.targets[0]
            if isinstance(target, ast.Subscript):
                return self._store(target, value)
            if isinstance(target, ast.Name):
                return [ast.copy_location(ast.Assign([target], value), node)]
            elements = cast("ast.Tuple", target).elts
            if not isinstance(value, ast.Tuple):
                value = self._call(node, "each", value)
            elif len(value.elts) == len(elements) and not all(isinstance(e, ast.Name) for e in elements):
                return self._parts(target, elements, value)
            if all(isinstance(e, ast.Name) for e in elements):
                return [ast.copy_location(ast.Assign([target], value), node)]
        temporary = self._fresh("value")
        made = self._at(node, f"{temporary} = VALUE", VALUE=value)
        for target in node.targets:
            made += self._unpack(target, self._name(node, temporary))
        return made

    def _unpack(self, target: ast.expr, value: ast.expr) -> list[ast.stmt]:
        if isinstance(target, ast.Subscript):
            return self._store(target, value)
        if isinstance(target, ast.Name):
            return [ast.copy_location(ast.Assign([target], value), target)]
        return self._parts(target, cast("ast.Tuple", target).elts, self._call(target, "each", value))

    def _parts(self, target: ast.expr, elements: list[ast.expr], value: ast.expr) -> list[ast.stmt]:
        """Every element of a sequence to its own target, after all have been evaluated."""
        parts = [self._fresh("value") for _ in elements]
        made = self._at(target, f"({', '.join(parts)},) = VALUE", VALUE=value)
        for element, part in zip(elements, parts, strict=True):
            made += self._unpack(element, self._name(target, part))
        return made

    @staticmethod
    def _name(where: ast.AST, name: str) -> ast.Name:
        return ast.copy_location(ast.Name(name, ast.Load()), where)

    def _store(self, target: ast.Subscript, value: ast.expr) -> list[ast.stmt]:
        put = self._call(target, "put", self._expression(target.value), self._key(target.slice), value)
        return [ast.copy_location(ast.Expr(put), target)]

    def _annassign(self, node: ast.AnnAssign) -> list[ast.stmt]:
        if node.value is None:
            return [ast.copy_location(ast.Pass(), node)]
        return self._assign(ast.copy_location(ast.Assign([node.target], node.value), node))

    def _augassign(self, node: ast.AugAssign) -> list[ast.stmt]:
        if isinstance(node.target, ast.Name):
            left: ast.expr = self._name(node, node.target.id)
            value = self._operation(node, left, node.op, node.value)
            return [ast.copy_location(ast.Assign([node.target], value), node)]
        target = cast("ast.Subscript", node.target)
        base, key = self._fresh("base"), self._fresh("key")
        made = self._at(node, f"{base} = BASE", BASE=self._expression(target.value))
        made += self._at(node, f"{key} = KEY", KEY=self._key(target.slice))
        left = self._call(node, "get", self._name(node, base), self._name(node, key))
        value = self._operation(node, left, node.op, node.value)
        put = self._call(node, "put", self._name(node, base), self._name(node, key), value)
        return [*made, ast.copy_location(ast.Expr(put), node)]

    # Expressions

    def _operation(self, where: ast.AST, left: ast.expr, op: ast.operator, right: ast.expr) -> ast.expr:
        """An operation whose left operand is rewritten already."""
        method = OPERATIONS.get(type(op))
        if method is not None:
            return self._call(where, method, left, self._operand(right))
        return ast.copy_location(ast.BinOp(left, op, self._expression(right)), where)

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        left = self._operand(node.left) if type(node.op) in OPERATIONS else self._expression(node.left)
        return self._operation(node, left, node.op, node.right)

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        if any(isinstance(op, STATIC_COMPARISONS) for op in node.ops):
            self.generic_visit(node)
            return node
        operands = [self._expression(v) for v in (node.left, *node.comparators)]
        signs = [ast.copy_location(ast.Constant(COMPARISONS[type(op)]), node) for op in node.ops]
        if len(signs) == 1:
            return self._call(node, "compare", signs[0], *operands)
        links = [
            ast.copy_location(ast.Tuple([sign, self._delayed(operand)], ast.Load()), node)
            for sign, operand in zip(signs, operands[1:], strict=True)
        ]
        return self._call(node, "chain", operands[0], *links)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        method = "both" if isinstance(node.op, ast.And) else "either"
        values = [self._expression(v) for v in node.values]
        result = values[-1]
        for value in reversed(values[:-1]):
            result = self._call(node, method, value, self._delayed(result))
        return result

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        operand = self._expression(node.operand)
        if isinstance(node.op, ast.Not):
            return self._call(node, "negate", operand)
        return ast.copy_location(ast.UnaryOp(node.op, operand), node)

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        yes, no = self._delayed(self._expression(node.body)), self._delayed(self._expression(node.orelse))
        return self._call(node, "choose", self._expression(node.test), yes, no)

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        return self._call(node, "get", self._expression(node.value), self._key(node.slice))

    def _key(self, node: ast.expr) -> ast.expr:
        if isinstance(node, ast.Slice):
            bounds = [
                self._expression(bound) if bound is not None else ast.copy_location(ast.Constant(None), node)
                for bound in (node.lower, node.upper, node.step)
            ]
            return self._call(node, "slice", *bounds)
        if isinstance(node, ast.Tuple):
            return ast.copy_location(ast.Tuple([self._key(e) for e in node.elts], ast.Load()), node)
        return self._expression(node)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if isinstance(node.func, ast.Name) and node.func.id == "range":
            self.generic_visit(node)
            return node
        node.func = self._expression(node.func)
        node.args = [self._operand(a) for a in node.args]
        for keyword in node.keywords:
            keyword.value = self._operand(keyword.value)
        call = self._call(node, "call", node.func, *node.args)
        call.keywords = node.keywords
        return call

    def _iterable(self, node: ast.expr) -> ast.expr:
        made = self._expression(node)
        counted = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range"
        return made if counted else self._call(node, "each", made)

    def visit_comprehension(self, node: ast.comprehension) -> ast.comprehension:
        node.iter = self._iterable(node.iter)
        node.ifs = [self._call(c, "static", self._expression(c)) for c in node.ifs]
        return node


class _Fill(ast.NodeTransformer):
    """Replaces the capitalised names of a template by expressions, and such statements by lists of statements."""

    def __init__(self, expressions: dict[str, Any]) -> None:
        self.expressions = expressions

    def visit_Expr(self, node: ast.Expr) -> Any:
        if isinstance(node.value, ast.Name) and node.value.id in self.expressions:
            return self.expressions[node.value.id]
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> Any:
        return self.expressions.get(node.id, node)


__all__ = ["LOOPS", "rewrite"]
