"""What Python's own functions do to soft values: min, max, sum, any, all, float, int, and arg min and arg max."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from renderer.relax import comparisons
from renderer.relax.program.array import SoftArray, stack
from renderer.relax.program.errors import RelaxError
from renderer.relax.program.index import SoftIndex
from renderer.relax.program.mixture import Mixer, as_tensor, expected
from renderer.relax.program.values import INTEGERS, SoftBool, SoftInteger, is_soft, plain

if TYPE_CHECKING:
    from renderer.relax.program.runtime import Runtime


def argmin(values: Any) -> Any:
    """The index of the least element; in a relaxed program a SoftIndex with weights softmax(−β · values)."""
    return builtins.min(range(len(values)), key=lambda i: values[i])


def argmax(values: Any) -> Any:
    """The index of the largest element; in a relaxed program a SoftIndex with weights softmax(β · values)."""
    return builtins.max(range(len(values)), key=lambda i: values[i])


def extremum(
    runtime: Runtime, sign: int, args: tuple, key: Callable[[Any], Any] | None = None, default: Any = None
) -> Any:
    """`min` (sign −1) or `max` (sign 1) of several arguments or of one sequence."""
    name, hard = ("max", builtins.max) if sign > 0 else ("min", builtins.min)
    values = list(runtime.each(args[0])) if len(args) == 1 else list(args)
    if not values:
        if default is None:
            raise ValueError(f"{name}() of an empty sequence")
        return default
    if key is not None:
        return _by_key(runtime, sign, values, [key(v) for v in values])
    values = [expected(v) for v in values]
    if not any(is_soft(v) for v in values):
        return hard(values)
    if all(isinstance(v, INTEGERS) for v in values):
        best = values[0]
        for v in values[1:]:  # by comparisons, so that an integer remains the expectation of one
            better = runtime.compare("<" if sign < 0 else ">", v, best)
            best = Mixer(better, finite=runtime.finite).mix(v, best) if is_soft(better) else (v if better else best)
        return best
    settings = runtime.settings
    stacked = runtime.guard(stack([as_tensor(v, runtime.like(values)) for v in values]))
    relaxed = comparisons.max if sign > 0 else comparisons.min
    return relaxed(stacked, 1, beta=settings.beta, kind=settings.extremum)


def arg_extremum(runtime: Runtime, sign: int, values: Any) -> Any:
    """`argmin` (sign −1) or `argmax` (sign 1) of a sequence."""
    items = list(runtime.each(values))
    return _by_key(runtime, sign, list(range(len(items))), items)


def _by_key(runtime: Runtime, sign: int, values: list, keys: list) -> Any:
    if not any(is_soft(k) for k in keys):
        best = (builtins.max if sign > 0 else builtins.min)(range(len(keys)), key=lambda i: keys[i])
        return values[best]
    keys = [expected(k) for k in keys]
    scores = runtime.guard(stack([as_tensor(k, runtime.like(keys)) for k in keys]))
    if all(isinstance(k, INTEGERS) for k in keys):
        scores = -comparisons.first_of_equals(-scores, 1) if sign < 0 else comparisons.first_of_equals(scores, 1)
    if runtime.settings.law.name == "hard":
        first_best = scores.argmax(1) if sign > 0 else scores.argmin(1)
        return runtime.weighted(torch.nn.functional.one_hot(first_best, len(values)).to(scores.dtype), values)
    weights = (comparisons.argmax if sign > 0 else comparisons.argmin)(scores, 1, beta=runtime.settings.beta)
    if any(isinstance(v, bool) or not isinstance(v, int) for v in values):
        return runtime.weighted(weights, values)
    first = builtins.min(values)
    if sorted(values) != list(range(first, first + len(values))):
        return runtime.weighted(weights, values)
    order = [values.index(first + k) for k in range(len(values))]
    return SoftIndex(weights if order == list(range(len(values))) else weights[:, order], first)


def total(runtime: Runtime, values: Any, start: Any = 0) -> Any:
    """`sum`."""
    if isinstance(values, SoftArray) and values.is_whole() and values.tensor().dim() == 2 and not is_soft(start):
        summed: Any = values.tensor().sum(1)
        return (SoftInteger(summed) if values.integer else summed) + start if start or values.integer else summed
    result = start
    for v in runtime.each(values):
        result = v if type(result) is int and result == 0 and isinstance(v, Tensor) else result + v
    return result


def any_of(runtime: Runtime, values: Any) -> bool | SoftBool:
    """`any`: the T-conorm of the conditions."""
    result: bool | SoftBool = False
    for v in runtime.each(values):
        result = runtime.either(result, lambda v=v: v)  # type: ignore[misc]
    return result


def all_of(runtime: Runtime, values: Any) -> bool | SoftBool:
    """`all`: the T-norm of the conditions."""
    result: bool | SoftBool = True
    for v in runtime.each(values):
        result = runtime.both(result, lambda v=v: v)  # type: ignore[misc]
    return result


def to_float(value: Any = 0.0) -> Any:
    """`float`: forgets that a soft value is an integer."""
    return plain(value) if is_soft(value) else float(value)


def to_int(value: Any = 0, *base: int) -> Any:
    """`int` of integers; a soft real has no integer part to mix."""
    if isinstance(value, SoftBool):
        return value.number()
    if isinstance(value, SoftInteger | SoftIndex):
        return value
    if is_soft(value):
        raise RelaxError("int(): expected an integer, got a soft real; write `x // 1` for its relaxed floor")
    return int(value, *base)


def to_bool(runtime: Runtime, value: Any = False) -> bool | SoftBool:
    return runtime.test(value)


def floor_divide(runtime: Runtime, a: Any, b: Any) -> Any:
    """`a // b`: the expected floor of the perturbed quotient, with the half-unit correction if both are integers."""
    a, b = runtime.guard(expected(a)), runtime.guard(expected(b))
    integers = all(isinstance(v, INTEGERS) for v in (a, b))
    x, y = plain(a), plain(b)
    like = runtime.like([x, y])
    quotient = as_tensor(x, like) / as_tensor(y, like)
    size = as_tensor(y, like).abs()
    # A step of the quotient is a step of b in the numbers compared, so β acts on quotient · |b|.
    base = torch.floor((quotient + 0.5 / size if integers else quotient).detach())
    reach = comparisons.FLOOR_REACH
    steps = torch.arange(1 - reach, reach + 1, dtype=like.dtype, device=like.device)
    inside = ((quotient - base).unsqueeze(-1) - steps) * size.unsqueeze(-1) + (0.5 if integers else 0.0)
    passed = comparisons.probability(inside, runtime.settings.beta, runtime.settings.law).sum(-1)
    floored = base - reach + passed
    return SoftInteger(floored) if integers else floored
