"""What the decorator, a relaxed program and its loops can complain about."""

from __future__ import annotations


class RelaxError(ValueError):
    """A program that cannot be relaxed, or a value that a relaxed program cannot go on with."""


class RelaxationWarning(UserWarning):
    """A loop was cut at `max_iter` while some of its probability mass was still running."""


class Undefined:
    """Stands for a name that not every way to this point has assigned; any use of it is an UnboundLocalError."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def _refuse(self, *_: object) -> None:
        raise UnboundLocalError(f"{self.name}: used, but not assigned on every way to here")

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _refuse
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = __neg__ = __abs__ = _refuse
    __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __len__ = __iter__ = __getitem__ = __call__ = _refuse
    __index__ = __float__ = __matmul__ = _refuse
