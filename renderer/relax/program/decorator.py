"""`@relax`: an ordinary Python function as a differentiable, batched program."""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, overload

import torch

from renderer.relax.comparisons import EQUALITY_WINDOW, Extremum
from renderer.relax.distribution_base import Distribution
from renderer.relax.parameters import Scalar
from renderer.relax.program import arguments, subset
from renderer.relax.program.errors import RelaxError
from renderer.relax.program.names import Softness
from renderer.relax.program.paths import Decider, enumerate_paths
from renderer.relax.program.rewrite import rewrite
from renderer.relax.program.runtime import Runtime
from renderer.relax.program.sampling import smooth_program
from renderer.relax.program.settings import DEFAULT_MAX_ITER, SETTING_NAMES, Leftover, Semantics, Settings, Window
from renderer.relax.program.source import build, parse, where
from renderer.relax.program.values import is_soft
from renderer.relax.t_conorms import TConorm

if TYPE_CHECKING:
    from renderer.relax.program.report import Report


class Program:
    """A function made differentiable by `relax`. Call it with tensors whose first dimension is the batch.

    A tensor (B,) is a number, (B, n, ...) a sequence of n; integer tensors count as integers, and everything else is
    static. Without a tensor among the arguments it is the plain function. Any setting of `relax` may be given by
    keyword for one call: `program(x, beta=20.0)`.
    """

    __name__: str

    def __init__(self, function: Callable[..., Any], settings: Settings) -> None:
        definition = parse(function)
        subset.check(definition, function, Softness(definition))  # type: ignore[arg-type]
        self.function = function
        self.settings = settings
        self.signature = inspect.signature(function)
        taken = [name for name in self.signature.parameters if name in SETTING_NAMES]
        if taken:
            raise RelaxError(
                f"{where(function, definition.lineno)}: the parameter `{taken[0]}` has the name of a setting of relax: "
                "rename it"
            )
        self._tame = subset.is_tame(definition, function)  # type: ignore[arg-type]
        self._definition = rewrite(definition, lambda node: subset.is_shared(node, function))  # type: ignore[arg-type]
        self._relaxed = build(self._definition, function)  # type: ignore[arg-type]
        self._file = where(function, definition.lineno)
        self._positional = all(p.kind is not inspect.Parameter.KEYWORD_ONLY for p in self.signature.parameters.values())
        functools.update_wrapper(self, function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The relaxed result, by the semantics of the settings."""
        settings, args, kwargs = self._settings(args, kwargs)
        if not any(True for _ in arguments.tensors((args, kwargs))):
            return self.function(*args, **kwargs)
        if settings.semantics == "sample":
            return smooth_program(self, settings, args, kwargs)
        return self.run(settings, args, kwargs)

    def hard(self, *args: Any, **kwargs: Any) -> Any:
        """The plain function, run on every sample as Python runs it; without gradients."""
        settings, args, kwargs = self._settings(args, kwargs)
        named = self._named(args, kwargs)
        if not any(True for _ in arguments.tensors(named)):
            return self.function(*args, **kwargs)
        batch = arguments.batch_of(named)
        with torch.no_grad():
            if self.calls_torch:
                return self._hard_rounds(settings, args, kwargs, batch)
            results = [
                self.function(*arguments.sample(args, b), **{k: arguments.sample(v, b) for k, v in kwargs.items()})
                for b in range(batch.size)
            ]
        return arguments.gather(results, batch)

    def report(self, *args: Any, draws: int = 64, seed: int = 0, **kwargs: Any) -> Report:
        """How far the relaxed result is from the hard one, and whether the mixing of branches is to blame.

        See `Report`; `draws` runs with decisions drawn at random check the closed form.
        """
        from renderer.relax.program.report import make_report

        settings, args, kwargs = self._settings(args, kwargs)
        return make_report(self, settings, args, kwargs, draws=draws, seed=seed)

    def source(self) -> str:
        """The rewritten program, as Python."""
        return ast.unparse(self._definition)

    def using(self, **settings: Any) -> Program:
        """The same program with other settings."""
        self._check_names(settings)
        made = object.__new__(Program)
        made.__dict__.update(self.__dict__)
        made.settings = dataclasses.replace(self.settings, **settings)
        return made

    @property
    def calls_torch(self) -> bool:
        """Whether the program calls more than Python's own functions, so that its hard form needs tensors, too."""
        return not self._plain

    @functools.cached_property
    def _plain(self) -> bool:
        return subset.is_plain(parse(self.function), self.function)  # type: ignore[arg-type]

    def run(
        self,
        settings: Settings,
        args: tuple,
        kwargs: dict,
        *,
        decide: Decider | None = None,
        record: Callable[[Runtime], None] | None = None,
    ) -> Any:
        """One relaxed run with the settings given, by `merge` or `path`, or with soft conditions decided."""
        named = self._named(args, kwargs)
        batch = arguments.batch_of(named)
        known = not torch.compiler.is_compiling()
        finite = known and self._tame and arguments.finite(list(named.values()))

        def once(decide: Decider | None) -> Any:
            runtime = Runtime(settings, self.__name__, decide=decide, finite=finite)
            runtime.shape, runtime.dtype, runtime.device = torch.Size((batch.size,)), batch.dtype, batch.device
            values = [arguments.to_value(v, batch) for v in args]
            keywords = {k: arguments.to_value(v, batch) for k, v in kwargs.items()}
            result = self._relaxed(runtime, *values, **keywords)
            if record is not None:
                record(runtime)
            return result

        if decide is None and settings.semantics == "path":
            return enumerate_paths(once, batch, max_paths=settings.max_paths, name=self.__name__, finite=finite)
        return arguments.to_result(once(decide), batch)

    def run_inside(self, outer: Runtime, args: tuple, kwargs: dict) -> Any:
        """A call from another relaxed program: soft values go in and come out, decisions are the caller's."""
        settings, args, kwargs = self._settings(args, kwargs)
        if not is_soft(args) and not any(is_soft(v) for v in kwargs.values()):
            return self.function(*args, **kwargs)
        runtime = Runtime(settings, self.__name__, decide=outer.decide, finite=outer.finite and self._tame)
        runtime.shape, runtime.dtype, runtime.device = outer.shape, outer.dtype, outer.device
        runtime.leftover = outer.leftover
        runtime.caller = outer.reachable()
        return self._relaxed(runtime, *args, **kwargs)

    def _hard_rounds(self, settings: Settings, args: tuple, kwargs: dict, batch: arguments.Batch) -> Any:
        """The hard form of a program that calls torch: single samples, every condition decided by its probability."""
        tiny = torch.finfo(torch.float32).tiny
        certain = dataclasses.replace(
            settings, distribution="hard", semantics="merge", window=tiny, extremum="hard", beta=1.0
        )

        def one(b: int) -> Any:
            pick = lambda v: v[b : b + 1] if isinstance(v, torch.Tensor) and v.dim() else v  # noqa: E731
            chosen = [torch.utils._pytree.tree_map(pick, v) for v in (args, kwargs)]
            return self.run(certain, *chosen, decide=Decider(lambda c: bool(c.p > 0.5)))

        results = [one(b) for b in range(batch.size)]
        return torch.utils._pytree.tree_map(lambda *parts: torch.cat(parts), *results)

    def _named(self, args: tuple, kwargs: dict) -> dict[str, Any]:
        if self._positional and not kwargs and len(args) == len(self.signature.parameters):
            return dict(zip(self.signature.parameters, args, strict=True))
        return dict(self.signature.bind(*args, **kwargs).arguments)

    def _settings(self, args: tuple, kwargs: dict) -> tuple[Settings, tuple, dict]:
        changed = {name: kwargs.pop(name) for name in list(kwargs) if name in SETTING_NAMES}
        return (dataclasses.replace(self.settings, **changed) if changed else self.settings), args, kwargs

    @staticmethod
    def _check_names(settings: dict[str, Any]) -> None:
        for name in settings:
            if name not in SETTING_NAMES:
                raise ValueError(f"settings: expected {', '.join(SETTING_NAMES)}, got {name}")

    def __repr__(self) -> str:
        return f"<relaxed program {self.__name__}, beta {self.settings.beta}, {self.settings.law.name}>"


@overload
def relax(fn: Callable[..., Any], *, beta: Scalar) -> Program: ...
@overload
def relax(
    fn: None = None,
    *,
    beta: Scalar,
    distribution: str | Distribution = ...,
    semantics: Semantics = ...,
    max_iter: int = ...,
    leftover: Leftover = ...,
    eps: float | None = ...,
    t_conorm: str | TConorm = ...,
    extremum: Extremum = ...,
    window: Window = ...,
    max_paths: int = ...,
    samples: int = ...,
) -> Callable[[Callable[..., Any]], Program]: ...
def relax(
    fn: Callable[..., Any] | None = None,
    *,
    beta: Scalar,
    distribution: str | Distribution = "logistic",
    semantics: Semantics = "merge",
    max_iter: int = DEFAULT_MAX_ITER,
    leftover: Leftover = "last",
    eps: float | None = None,
    t_conorm: str | TConorm = "probabilistic",
    extremum: Extremum = "logsumexp",
    window: Window = EQUALITY_WINDOW,
    max_paths: int = 4096,
    samples: int = 64,
) -> Any:
    """Makes an ordinary Python function a differentiable, batched `Program`.

    Every comparison of soft values is perturbed by noise of its own, of scale 1/β, and its probability taken in closed
    form; a branch becomes a mixture, a loop a sum over its exits. As β grows the result becomes that of the function:
    always for integers (integer tensors, Python's ints), and for reals wherever no two that are compared are equal.
    For equal reals P(a < b) = ½ at every β: `while x < 5: x += 1` ends at 5 from the integer 0, from 0.0 at 5.5.

    `beta`: a number, or a tensor of shape () that may be learned or annealed. `distribution`: a name of
    `DISTRIBUTIONS`, or an object of its own scale. `semantics`: "merge" mixes the values where ways meet, which keeps
    first moments; "path" enumerates the ways, exactly, at most `max_paths`; "sample" smooths the hard function by
    `samples` draws around its arguments. A soft loop stops for a sample once the probability of going on is at most
    `eps` (None: 1e-6, 1e-12 in float64), and for all after `max_iter` soft rounds, with a warning; `leftover` says what
    becomes of the rest: "last" state, "renormalise", "raise". Under torch.compile, which cannot look at probabilities,
    a soft loop that has no static end runs all `max_iter` rounds: set it. `t_conorm`: of `or`; `and` is its dual.
    `extremum`: min and max by "logsumexp", "mean" or "hard". `window`: reals closer than that count as equal, or
    "sech2".

    A way of probability exactly 0 contributes neither value nor gradient, whatever is undefined on it. On a way of any
    other probability NaN is NaN: in `if x > 0: y = torch.sqrt(x)` write `torch.sqrt(torch.clamp(x, min=1e-6))`, which
    is defined everywhere, or take a `distribution` of bounded support, such as "uniform".

        @relax(beta=8.0)
        def larger(a, b):
            return a if a > b else b

    Raises RelaxError, at decoration, for what cannot be relaxed: file, line, construct, and what to write instead.

    Petersen et al., "Learning with Algorithmic Supervision via Continuous Relaxations", NeurIPS 2021.
    """
    settings = Settings(
        beta=beta,
        distribution=distribution,
        semantics=semantics,
        max_iter=max_iter,
        leftover=leftover,
        eps=eps,
        t_conorm=t_conorm,
        extremum=extremum,
        window=window,
        max_paths=max_paths,
        samples=samples,
    )
    if fn is None:
        return lambda function: Program(function, settings)
    return Program(fn, settings)


__all__ = ["Program", "relax"]
