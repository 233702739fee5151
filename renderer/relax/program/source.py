"""The source of a function as a syntax tree with the positions of its file, and a function from such a tree."""

from __future__ import annotations

import ast
import inspect
import types
from collections.abc import Callable
from typing import Any

from renderer.relax.program.errors import RelaxError

RUNTIME = "_rt"  # the name of the runtime in rewritten programs


def parse(function: Callable[..., Any]) -> ast.FunctionDef:
    """The definition of a function; line and column numbers are those of its file."""
    if not isinstance(function, types.FunctionType):
        raise RelaxError(f"@relax: expected a plain Python function, got {function!r}")
    try:
        lines, first = inspect.getsourcelines(function)
    except (OSError, TypeError) as error:
        raise RelaxError(f"@relax: the source of {function.__qualname__} is not to be found ({error})") from None
    # Under `if True:` an indented definition parses where it stands, so that its columns stay right.
    tree = ast.parse("if True:\n" + "".join(lines) if lines[0][:1].isspace() else "".join(lines))
    body = tree.body
    if isinstance(body[0], ast.If):
        body, first = body[0].body, first - 1
    definition = body[0]
    ast.increment_lineno(tree, first - 1)
    if not isinstance(definition, ast.FunctionDef):
        raise RelaxError(
            f"{where(function, function.__code__.co_firstlineno)}: @relax takes a `def`, not a lambda or a coroutine"
        )
    definition.decorator_list = []
    return definition


def where(function: Callable[..., Any], line: int) -> str:
    """File and line, as error messages name them."""
    return f'File "{inspect.getfile(function)}", line {line}'


def build(definition: ast.FunctionDef, like: types.FunctionType) -> Callable[..., Any]:
    """A function from its definition, with the file name, globals, defaults and closure of another."""
    free = like.__code__.co_freevars
    inner: ast.stmt = definition
    if free:  # a surrounding function makes them free variables again
        arguments = ast.arguments([], [ast.arg(name) for name in free], None, [], [], None, [])
        inner = ast.FunctionDef("_closure", arguments, [definition], [], **_no_type_parameters())
        ast.copy_location(inner, definition)
    module = ast.fix_missing_locations(ast.Module([inner], []))
    code = _code_of(compile(module, inspect.getfile(like), "exec"), definition.name)
    cells = dict(zip(free, like.__closure__ or (), strict=True))
    made = types.FunctionType(
        code, like.__globals__, like.__name__, like.__defaults__, tuple(cells[name] for name in code.co_freevars)
    )
    made.__kwdefaults__ = like.__kwdefaults__
    made.__qualname__ = like.__qualname__
    return made


def _no_type_parameters() -> dict[str, Any]:
    return {"type_params": []} if "type_params" in ast.FunctionDef._fields else {}


def _code_of(code: types.CodeType, name: str) -> types.CodeType:
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            return constant if constant.co_name == name else _code_of(constant, name)
    raise AssertionError(f"no code of {name}")
