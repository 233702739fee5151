"""Calls inside a relaxed program: programs go on relaxed, torch gets tensors, the rest gets static values only."""

from __future__ import annotations

import builtins
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from renderer.relax.program import functions
from renderer.relax.program.array import SoftArray, wrap
from renderer.relax.program.errors import RelaxError
from renderer.relax.program.index import SoftIndex, index
from renderer.relax.program.reach import guarded
from renderer.relax.program.values import Shared, is_soft, plain

if TYPE_CHECKING:
    from renderer.relax.program.runtime import Runtime


def call(runtime: Runtime, function: Any, args: tuple, kwargs: dict) -> Any:
    """function(*args, **kwargs), as far as that has a relaxed meaning."""
    special = (
        SPECIAL.get(function) if isinstance(function, types.BuiltinFunctionType | types.FunctionType | type) else None
    )
    program = hasattr(function, "run_inside")
    if special is not None or program:
        args, kwargs = tuple(_unshared(v) for v in args), {k: _unshared(v) for k, v in kwargs.items()}
        return function.run_inside(runtime, args, kwargs) if program else special(runtime, *args, **kwargs)  # type: ignore[misc]
    if not is_soft(args) and not any(is_soft(v) for v in kwargs.values()) and not _is_tensor_method(function):
        return function(*args, **kwargs)
    if isinstance(getattr(function, "__self__", None), COLLECTIONS):  # a method of a list that holds soft values
        return function(*args, **kwargs)
    if function in STRUCTURAL:
        return function(*(runtime.each(a) for a in args), **kwargs)
    if takes_tensors(function):
        return _on_tensors(runtime, function, args, kwargs)
    raise RelaxError(f"calls {_name(function)} with a soft value: {advice(function)}")


def takes_tensors(function: Any) -> bool:
    """Whether a callable is torch's, a module, or one of this package's functions of tensors."""
    if torch.compiler.is_compiling():  # which cannot look at a function's module, but refuses what it cannot trace
        return True
    module = getattr(function, "__module__", None) or getattr(type(function), "__module__", "") or ""
    if isinstance(function, torch.nn.Module) or _is_tensor_method(function):
        return True
    return module.split(".")[0] in ("torch", "renderer") or module.startswith("torch")


def advice(function: Any) -> str:
    """What to write in place of a call that cannot be relaxed."""
    if getattr(function, "__module__", "") == "math":
        return f"write torch.{getattr(function, '__name__', '...')}, which takes tensors"
    if isinstance(function, types.FunctionType):
        return "decorate it with @relax, too"
    if getattr(builtins, getattr(function, "__name__", ""), None) is function:
        return "it is not among the functions that can be relaxed"
    return "only torch functions, modules and relaxed programs take soft values"


def _is_tensor_method(function: Any) -> bool:
    return isinstance(getattr(function, "__self__", None), Tensor)


def _unshared(value: Any) -> Any:
    return value.value if isinstance(value, Shared) else value


def _name(function: Any) -> str:
    return getattr(function, "__qualname__", None) or repr(function)


def _on_tensors(runtime: Runtime, function: Callable[..., Any], args: tuple, kwargs: dict) -> Any:
    mask = runtime.guarding()
    if mask is not None:
        args, kwargs = guarded(args, mask), guarded(kwargs, mask)
        if _is_tensor_method(function):
            function = getattr(guarded(function.__self__, mask), function.__name__)  # type: ignore[attr-defined]
    result = function(*plain(args), **plain(kwargs))
    batch = runtime.shape[0] if runtime.shape else None

    def check(value: Any) -> Any:
        if isinstance(value, tuple | list):
            return type(value)(check(v) for v in value) if type(value) in (tuple, list) else tuple(map(check, value))
        if not isinstance(value, Tensor):
            return value
        if value.dim() == 0 or value.shape[0] != batch:
            raise RelaxError(
                f"{_name(function)}: expected a result of {batch} samples, got shape {tuple(value.shape)}; "
                "the first dimension is the batch: give dim=-1 or another that is not 0"
            )
        return wrap(value, False) if value.is_floating_point() else value

    return check(result)


def _declare(runtime: Runtime, value: Any, size: int) -> Any:
    """`index`: a SoftIndex that is certain, or that of a soft value."""
    like = runtime.like([])
    empty = SoftIndex(torch.zeros(size, dtype=like.dtype, device=like.device))
    if is_soft(value):
        return SoftIndex(runtime._index(value, size))
    return SoftIndex(empty.one_hot(index(value, size)))


SPECIAL: dict[Any, Callable[..., Any]] = {
    builtins.len: lambda runtime, value: runtime.size(value),
    builtins.min: lambda runtime, *args, **kw: functions.extremum(runtime, -1, args, **kw),
    builtins.max: lambda runtime, *args, **kw: functions.extremum(runtime, 1, args, **kw),
    builtins.sum: functions.total,
    builtins.any: functions.any_of,
    builtins.all: functions.all_of,
    builtins.abs: lambda runtime, value: runtime.absolute(value),
    builtins.float: lambda runtime, *args: functions.to_float(*args),
    builtins.int: lambda runtime, *args: functions.to_int(*args),
    builtins.bool: functions.to_bool,
    functions.argmin: lambda runtime, values: functions.arg_extremum(runtime, -1, values),
    functions.argmax: lambda runtime, values: functions.arg_extremum(runtime, 1, values),
    index: _declare,
}

COLLECTIONS = (list, dict, set)
STRUCTURAL = (builtins.enumerate, builtins.zip, builtins.list, builtins.tuple, builtins.reversed, builtins.isinstance)

__all__ = ["SoftArray", "advice", "call", "takes_tensors"]
