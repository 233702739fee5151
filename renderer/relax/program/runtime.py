"""What a rewritten program calls while it runs: comparisons, logic, indexing, branches, loops, calls and returns."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from renderer.relax import comparisons
from renderer.relax.parameters import as_parameter
from renderer.relax.program import calls, functions
from renderer.relax.program.array import SoftArray, stack, wrap
from renderer.relax.program.branch import Branch
from renderer.relax.program.errors import RelaxError, Undefined
from renderer.relax.program.index import SoftIndex
from renderer.relax.program.journal import Journal, copy
from renderer.relax.program.loop import Loop
from renderer.relax.program.mixture import Mixer, as_tensor, expected, mixture, per_sample
from renderer.relax.program.paths import Decider
from renderer.relax.program.reach import guarded, possible
from renderer.relax.program.settings import Settings
from renderer.relax.program.values import Shared, SoftBool, SoftInteger, is_integer, is_soft

HARD = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
SWAPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


class Runtime:
    """The state of one run of one relaxed program.

    `mass` is the probability that the present loop or function is still running here, None for 1, `outer` that of the
    loops and functions around it, and `alive` whether it can be. `around` are the conditions of the soft branches that
    the present place is in, and on which side. `finite` promises that no value is infinite, which saves the care that
    infinities need.
    """

    def __init__(self, settings: Settings, name: str, *, decide: Decider | None, finite: bool) -> None:
        self.settings = settings
        self.name = name
        self.decide = decide
        self.finite = finite
        self.journal = Journal()
        self.mass: Tensor | None = None
        self.alive = True
        self.outer: list[Tensor | None] = []
        self.around: list[tuple[SoftBool, bool]] = []
        self.caller: Tensor | None = None  # samples that the calling program may be at this call with; None: all
        self.returns: list[tuple[Tensor | None, Any]] = []
        self.leftover: list[Tensor] = []
        self.beta: Tensor | None = None
        self.numbers: dict[float, Tensor] = {}
        self.fast = finite and settings.plain_logistic

    # Control flow

    def split(self, condition: Any, *, exits: bool = False) -> Branch:
        """An `if` statement."""
        condition = self.test(condition)
        if self.decide is not None and isinstance(condition, SoftBool):
            condition = self.decide(condition)
        return Branch(self, condition, exits)

    def loop(self, line: int) -> Loop:
        """A `while` statement, or a `for` statement that may be left early."""
        return Loop(self, line)

    def choose(self, condition: Any, yes: Callable[[], Any], no: Callable[[], Any]) -> Any:
        """A conditional expression."""
        condition = self.test(condition)
        if self.decide is not None and isinstance(condition, SoftBool):
            condition = self.decide(condition)
        if isinstance(condition, bool):
            return yes() if condition else no()
        first, second = self._within(condition, True, yes), self._within(condition, False, no)
        return Mixer(condition, finite=self.finite).mix(first, second)

    def _within(self, condition: bool | SoftBool, side: bool, evaluate: Callable[[], Any]) -> Any:
        """An expression that is evaluated on one side of a condition."""
        if isinstance(condition, bool):
            return evaluate()
        self.around.append((condition, side))
        value = evaluate()
        self.around.pop()
        return value

    def reachable(self, *, anew: bool = True) -> Tensor | None:
        """Which samples (B,) may be at this place at all, or, unless `anew`, at the start of its loop; None for all."""
        masses = [*self.outer, self.mass] if anew else self.outer
        parts = [mass for mass in masses if mass is not None]
        parts += [condition.p if side else condition.q for condition, side in self.around]
        if self.decide is not None and self.decide.mass is not None:
            parts.append(self.decide.mass)
        return possible(parts, self.caller) if parts else self.caller

    def shared(self, value: Any) -> Any:
        """An operand or argument from outside of the program, which `guard` is to leave alone."""
        return Shared(value) if isinstance(value, Tensor) and self.guarding() is not None else value

    def guarding(self) -> Tensor | None:
        """`reachable`, or None where nothing can be infinite and so nothing be amiss."""
        return None if self.finite else self.reachable()

    def guard(self, value: Any) -> Any:
        """An operand of an operation whose derivative depends on it, without the samples that cannot be here."""
        mask = self.guarding()
        return value if mask is None else guarded(value, mask)

    def give(self, value: Any) -> None:
        """`return`."""
        mass = self.mass
        for outer in self.outer:
            if outer is not None:
                mass = outer if mass is None else outer * mass
        self.returns.append((mass, copy(value)))
        self.alive = False

    def returned(self) -> Any:
        """What the function returns: the mixture over its return statements."""
        if self.alive:
            self.give(None)
        if len(self.returns) == 1 or self.decide is not None:
            return self.returns[-1][1]
        values = [value for _, value in self.returns]
        if any(v is None for v in values) and not all(v is None for v in values):
            raise RelaxError(f"{self.name}: returns a value on some ways, and None on another (a return is missing)")
        masses = [mass for mass, _ in self.returns if mass is not None]
        weights = masses
        if self.settings.leftover == "renormalise":
            total = torch.stack(masses).sum(0)
            weights = [m / total for m in masses]
        return mixture(weights, [values], finite=self.finite)[0]

    def where(self, line: int) -> str:
        return f"{self.name}, line {line}"

    # Conditions

    def compare(self, op: str, a: Any, b: Any) -> Any:
        """A comparison: a bool of static values, else a SoftBool."""
        if self.fast and type(a) is Tensor and (type(b) is Tensor or type(b) is float) and op in ORDER:
            return self._logistic(a, b, ORDER[op])
        if not is_soft(a) and not is_soft(b):
            return HARD[op](a, b)
        if isinstance(a, SoftIndex) and isinstance(b, int):
            return a.compare(op, b)
        if isinstance(b, SoftIndex) and isinstance(a, int):
            return b.compare(SWAPPED[op], a)
        return self._soft_comparison(op, expected(a), expected(b))

    def _logistic(self, a: Any, b: Any, sign: int) -> SoftBool:
        # A tensor of the right type: for a number, every product would make one.
        beta = self.beta if self.beta is not None else self._set_beta(a)
        z = (a - b if sign > 0 else b - a) * beta
        return SoftBool(torch.sigmoid(z), complement=lambda: torch.sigmoid(-z))

    def _set_beta(self, like: Tensor) -> Tensor:
        self.beta = as_parameter(self.settings.beta, like)
        return self.beta

    def _soft_comparison(self, op: str, a: Any, b: Any) -> SoftBool:
        integers = all(is_integer(v) for v in (a, b))
        x, y = (_number(v) for v in (a, b))
        beta, law = self.settings.beta, self.settings.law
        if op in ("==", "!="):
            window = 0.5 if integers else self.settings.window
            same = SoftBool(comparisons.equality(self._gap(x, y), beta, law, window))
            return same if op == "==" else same.negated()
        if op in (">", "<="):
            x, y = y, x
        gap = self._gap(x, y)  # P(x < y), or for <= and >= its complement
        z = gap - 0.5 if integers else gap
        p = comparisons.finite_probability(z, beta, law) if self.finite else comparisons.probability(z, beta, law)
        less = SoftBool(p, complement=lambda: self._complement(z))
        return less if op in ("<", ">") else less.negated()

    def _complement(self, z: Tensor) -> Tensor:
        settings = self.settings
        infinite = z.isinf()
        inside = torch.where(infinite, 0.0, z) * settings.beta
        q = torch.sigmoid(-inside) if settings.plain_logistic else torch.exp(settings.law.log_survival(inside))
        return torch.where(infinite, (z < 0).to(z.dtype), q)

    def _gap(self, x: Any, y: Any) -> Tensor:
        """y − x."""
        if self.finite:
            return y - x
        gap, mask = comparisons.difference(x, y), self.reachable()
        return gap if mask is None else torch.where(per_sample(mask, gap), gap, 0.0)

    def chain(self, first: Any, *links: tuple[str, Callable[[], Any]]) -> Any:
        """A chained comparison; every operand is evaluated once, and only if the ones before have not failed."""
        result: bool | SoftBool = True
        left = first
        for op, operand in links:
            right = operand()
            result = self.both(result, lambda op=op, a=left, b=right: self.compare(op, a, b))  # type: ignore[misc]
            if result is False:
                break
            left = right
        return result

    def both(self, first: Any, second: Callable[[], Any]) -> Any:
        """`and`: the T-norm. Static values do as in Python."""
        if not is_soft(first):
            return second() if first else first
        a = self.test(first)
        b = self.test(self._within(a, True, second))
        if isinstance(b, bool):
            return a if b else False
        if isinstance(a, bool):
            return b if a else False
        if self.settings.conorm.name == "probabilistic":
            return SoftBool(a.p * b.p, complement=lambda: a.q + a.p * b.q)
        return SoftBool(self.settings.conorm.dual_pair(a.p, b.p))

    def either(self, first: Any, second: Callable[[], Any]) -> Any:
        """`or`: the T-conorm. Static values do as in Python."""
        if not is_soft(first):
            return first if first else second()
        a = self.test(first)
        b = self.test(self._within(a, False, second))
        if isinstance(b, bool):
            return True if b else a
        if isinstance(a, bool):
            return True if a else b
        if self.settings.conorm.name == "probabilistic":
            return SoftBool(a.p + a.q * b.p, complement=lambda: a.q * b.q)
        return SoftBool(self.settings.conorm.pair(a.p, b.p))

    def negate(self, value: Any) -> bool | SoftBool:
        """`not`."""
        test = self.test(value)
        return not test if isinstance(test, bool) else test.negated()

    def test(self, value: Any) -> bool | SoftBool:
        """The truth of a value."""
        if isinstance(value, bool | SoftBool):
            return value
        if isinstance(value, Tensor):
            if value.dtype == torch.bool:
                return SoftBool(value.to(self.like([]).dtype) if self.dtype is not None else value.float())
            raise RelaxError("a soft real as a condition: write what it is compared with, e.g. `x != 0`")
        if isinstance(value, SoftInteger | SoftIndex):
            return self.compare("!=", value, 0)
        return bool(value)

    dtype: torch.dtype | None = None
    shape: torch.Size | None = None
    device: torch.device | None = None

    def like(self, values: Iterable[Any]) -> Tensor:
        """A tensor (B,) of the type and device of this run, or of the first of the values that is a tensor."""
        for value in values:
            number = _number(value)
            if isinstance(number, Tensor) and number.dim():
                return number
        return torch.empty(self.shape or (1,), dtype=self.dtype, device=self.device)

    # Indexing

    def get(self, a: Any, key: Any) -> Any:
        """a[key]."""
        if type(key) is int and type(a) is SoftArray:
            return a.items()[key]
        if isinstance(key, int | slice):
            if isinstance(a, Tensor):
                raise RelaxError(f"a soft number of shape {tuple(a.shape)} has no elements")
            return a[key]
        if isinstance(key, tuple):
            if isinstance(a, SoftArray) and not any(is_soft(k) for k in key):
                return a[key]
            for k in key:
                a = self.get(a, k)
            return a
        if not is_soft(key):
            return a[key]
        return self.weighted(self._index(key, len(a)), a)

    def weighted(self, weights: Tensor, a: Any) -> Any:
        """Σₖ weightsₖ a[k]."""
        if isinstance(a, SoftArray) and a.is_whole():
            tensor = a.tensor()
            w = weights.reshape(weights.shape + (1,) * (tensor.dim() - weights.dim()))
            picked = (w * tensor).sum(1) if self.finite else comparisons.weighted_sum(w, tensor, 1)
            return wrap(picked, a.integer)
        items = a.items() if isinstance(a, SoftArray) else list(a)
        return mixture(weights.unbind(-1), [items], finite=self.finite)[0]

    def put(self, a: Any, key: Any, value: Any) -> None:
        """a[key] = value."""
        if type(key) is tuple:
            for k in key[:-1]:
                a = self.get(a, k)
            key = key[-1]
        if isinstance(a, SoftArray):
            items = a.items()
            if a.integer and not is_integer(value):
                a.integer = False
        elif isinstance(a, list):
            items = a
        elif self.journal.depth or is_soft(a):
            raise RelaxError(
                f"writes to an element of a {type(a).__name__}: only lists and array arguments can be undone"
            )
        else:
            a[key] = value
            return
        if type(key) is int and 0 <= key < len(items):
            self.journal.write(items, key, value)
        elif isinstance(key, slice):
            positions, values = range(len(items))[key], list(self.each(value))
            if len(positions) != len(values):
                raise RelaxError(f"a slice of {len(positions)} elements is given {len(values)}: shapes are fixed")
            for i, v in zip(positions, values, strict=True):
                self.journal.write(items, i, v)
        elif is_soft(key):
            for i, w in enumerate(self._index(key, len(items)).unbind(-1)):
                self.journal.write(items, i, Mixer(SoftBool(w), finite=self.finite).mix(value, items[i]))
        else:
            position = operator.index(key)
            if not -len(items) <= position < len(items):
                raise IndexError(f"assignment index {position} out of range for {len(items)} elements")
            self.journal.write(items, position % len(items), value)

    def _index(self, key: Any, size: int) -> Tensor:
        """The weights (B, size) of a soft index."""
        if isinstance(key, SoftIndex):
            stop = key.start + key.size
            if key.start == 0 and key.size == size:
                return key.weights
            if key.start < 0 or stop > size:
                raise RelaxError(f"an index over the range {key.start} to {stop - 1} for {size} elements")
            return torch.nn.functional.pad(key.weights, (key.start, size - stop))
        settings = self.settings
        position = self.guard(_number(key))
        return comparisons.index_weights(position, size, beta=settings.beta, distribution=settings.law)

    # Arithmetic whose derivative depends on its operands

    def multiply(self, a: Any, b: Any) -> Any:
        """a * b."""
        return a * b if self.finite else self.guard(a) * self.guard(b)

    def divide(self, a: Any, b: Any) -> Any:
        """a / b."""
        return self.guard(a) / self.guard(b)

    def power(self, a: Any, b: Any) -> Any:
        """a ** b."""
        return self.guard(a) ** self.guard(b)

    def matrix_multiply(self, a: Any, b: Any) -> Any:
        """a @ b."""
        return self.guard(a) @ self.guard(b)

    def absolute(self, a: Any) -> Any:
        """`abs`."""
        return abs(self.guard(a))

    def floor_divide(self, a: Any, b: Any) -> Any:
        """a // b."""
        return functions.floor_divide(self, a, b) if is_soft(a) or is_soft(b) else a // b

    def modulo(self, a: Any, b: Any) -> Any:
        """a % b = a − b (a // b)."""
        if not is_soft(a) and not is_soft(b):
            return a % b
        return expected(a) - functions.floor_divide(self, a, b) * expected(b)

    # Functions

    def each(self, values: Any) -> Any:
        """What a `for` runs over."""
        if isinstance(values, Tensor):
            raise RelaxError("a soft number is not a sequence")
        return values.items() if isinstance(values, SoftArray) else values

    def slice(self, start: Any, stop: Any, step: Any) -> slice:
        """a[start:stop:step]; the bounds are static."""
        return slice(start, stop, step)

    def static(self, condition: Any) -> bool:
        """The condition of a comprehension."""
        if is_soft(condition):
            raise RelaxError("a soft condition in a comprehension: weight the elements, as in sum(v if c else 0 ...)")
        return bool(condition)

    def size(self, value: Any) -> int:
        """`len`."""
        if isinstance(value, Tensor):
            raise RelaxError("a soft number has no length")
        return len(value)

    def call(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        """A call of anything that is not rewritten itself."""
        return calls.call(self, function, args, kwargs)

    def undefined(self, name: str) -> Undefined:
        """What a name is before its first assignment."""
        return Undefined(name)


ORDER = {"<": -1, "<=": -1, ">": 1, ">=": 1}


def _number(value: Any) -> Any:
    """A scalar or array as a tensor or Python number."""
    if isinstance(value, SoftInteger):
        return value.value
    if isinstance(value, SoftBool):
        return value.p
    if isinstance(value, SoftIndex | SoftArray):
        return value.tensor()
    if isinstance(value, list | tuple):
        return stack(value)
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float | Tensor):
        return value
    raise RelaxError(f"compares a soft value with a {type(value).__name__} ({value!r})")


__all__ = ["Runtime", "as_tensor"]
