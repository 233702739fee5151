"""Ordinary Python, made differentiable: the `relax` decorator.

`subset` says what can be relaxed and `rewrite` turns it into calls of the `runtime`, which builds `branch`es and
`loop`s out of `mixture`s of `values`.
"""

from renderer.relax.program.decorator import Program, relax
from renderer.relax.program.errors import RelaxationWarning, RelaxError
from renderer.relax.program.functions import argmax, argmin
from renderer.relax.program.index import index
from renderer.relax.program.report import Report

__all__ = ["Program", "RelaxError", "RelaxationWarning", "Report", "argmax", "argmin", "index", "relax"]
