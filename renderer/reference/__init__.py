"""The same ops in plain PyTorch: readable, any dtype, the oracle of the tests and the source of second derivatives."""

from renderer.reference.soft_silhouette import soft_silhouette

__all__ = ["soft_silhouette"]
