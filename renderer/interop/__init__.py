"""Conventions and settings of other engines, to and from ours; none of them is required."""

from renderer.interop.softras import from_gendr, from_softras

__all__ = ["from_gendr", "from_softras"]
