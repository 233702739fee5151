"""Runs the plain-PyTorch twins until the native ops of the hard pipeline exist."""

from importlib import import_module


def call(op, *args):
    out = getattr(import_module(f"renderer.reference.{op}"), op)(*args)
    return out if isinstance(out, tuple) else (out,)
