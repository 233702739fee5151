"""The error that bad input files and bad input data raise."""

from __future__ import annotations


class DataError(ValueError):
    """Input data that cannot be used: one line that names the file (or the argument), what was expected and what came.

    The command line prints it without a traceback and exits with status 2.
    """
