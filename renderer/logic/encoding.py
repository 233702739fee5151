"""From numbers and categories to bits."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int, Num
from torch import Tensor, nn

from renderer.relax import Distribution, distribution


class Encoding(nn.Module):
    """Turns data into bits. In front of a `LogicNet`, it is not part of the compiled program: that takes its bits."""

    def discrete(self, x: Tensor) -> Tensor:
        """The bits."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """The bits as numbers 0 and 1, or probabilities where the encoding is learnt."""
        return self.discrete(x).to(torch.get_default_dtype())


class Boolean(Encoding):
    """One bit a number: x > threshold; any shape.

    >>> Boolean(0.5).discrete(torch.tensor([0.2, 0.7]))
    tensor([False,  True])
    """

    def __init__(self, threshold: float = 0.5) -> None:
        super().__init__()
        self.threshold = threshold

    def discrete(self, x: Num[Tensor, "*shape"]) -> Bool[Tensor, "*shape"]:
        """The bits."""
        return x > self.threshold

    def extra_repr(self) -> str:
        """Shown by print."""
        return f"{self.threshold:g}"


class OneHot(Encoding):
    """One bit for each value of each category: integers (…, columns) to bits (…, Σ sizes).

    Raises ValueError for a value that is not 0 … size − 1.

    >>> OneHot([2, 3]).discrete(torch.tensor([1, 0])).int()
    tensor([0, 1, 1, 0, 0], dtype=torch.int32)
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self.sizes = tuple(sizes)
        if not self.sizes or min(self.sizes) < 1:
            raise ValueError(f"sizes: expected at least one category of at least one value, got {list(self.sizes)}")

    def discrete(self, x: Int[Tensor, "*batch columns"]) -> Bool[Tensor, "*batch bits"]:
        """The bits."""
        if x.is_floating_point() or x.ndim < 1 or x.shape[-1] != len(self.sizes):
            raise ValueError(f"x: expected integers (…, {len(self.sizes)}), got {x.dtype} of {tuple(x.shape)}")
        sizes = torch.tensor(self.sizes, device=x.device)
        wrong = ((x < 0) | (x >= sizes)).flatten(0, -2).any(0) if x.ndim > 1 else (x < 0) | (x >= sizes)
        if wrong.any():
            column = int(wrong.nonzero()[0])
            raise ValueError(f"x: expected 0 to {self.sizes[column] - 1} in column {column}, got others")
        bits = [x[..., i, None] == torch.arange(n, device=x.device) for i, n in enumerate(self.sizes)]
        return torch.cat(bits, -1)

    def extra_repr(self) -> str:
        """Shown by print."""
        return str(list(self.sizes))


class Thermometer(Encoding):
    """One bit for each threshold: x > θ. Thresholds (features, levels) or (levels,) for all features alike.

    Along dimension `dim` the features become features · levels bits, those of a feature side by side: (…, F) to
    (…, F · levels) for dim = −1, channels of images for dim = −3. With `perturbation`, the thresholds are parameters,
    and training sees the probability F(x − θ) that x exceeds a threshold which that distribution perturbs.

    >>> Thermometer.fixed(0.0, 1.0, levels=3).discrete(torch.tensor([0.6])).int()
    tensor([1, 1, 0], dtype=torch.int32)
    """

    thresholds: Tensor

    def __init__(
        self,
        thresholds: Float[Tensor, "*features levels"],
        *,
        dim: int = -1,
        perturbation: Distribution | None = None,
    ) -> None:
        super().__init__()
        if thresholds.ndim not in (1, 2) or thresholds.numel() == 0 or not thresholds.is_floating_point():
            raise ValueError(
                f"thresholds: expected numbers (levels,) or (features, levels), got {thresholds.dtype} of "
                f"{tuple(thresholds.shape)}"
            )
        if not bool(thresholds.isfinite().all()):
            raise ValueError("thresholds: expected finite numbers, got others")
        if dim >= 0:
            raise ValueError(f"dim: expected a dimension counted from the last, such as -1, got {dim}")
        self.dim, self.perturbation = dim, perturbation
        if perturbation is None:
            self.register_buffer("thresholds", thresholds.clone())
        else:
            self.thresholds = nn.Parameter(thresholds.clone())

    @classmethod
    def fixed(cls, low: float, high: float, *, levels: int, dim: int = -1) -> Thermometer:
        """Evenly spaced thresholds between low and high, both exclusive."""
        if levels < 1 or not low < high:
            raise ValueError(f"low, high, levels: expected low < high and levels >= 1, got {low}, {high} and {levels}")
        return cls(torch.linspace(low, high, levels + 2)[1:-1], dim=dim)

    @classmethod
    def quantile(cls, data: Float[Tensor, "samples features"], *, levels: int) -> Thermometer:
        """Thresholds at the quantiles 1/(levels + 1), 2/(levels + 1), … of each feature of the training data."""
        if data.ndim != 2 or len(data) == 0 or levels < 1:
            raise ValueError(
                f"data, levels: expected (samples, features) and levels >= 1, got {tuple(data.shape)}, {levels}"
            )
        steps = torch.arange(1, levels + 1, dtype=data.dtype, device=data.device) / (levels + 1)
        return cls(torch.quantile(data, steps, dim=0).T.contiguous())

    @classmethod
    def learnable(
        cls, thresholds: Float[Tensor, "*features levels"], *, scale: float, name: str = "logistic", dim: int = -1
    ) -> Thermometer:
        """Thresholds to be trained, perturbed by the distribution `name` with this scale (in units of the data)."""
        return cls(thresholds, dim=dim, perturbation=distribution(name, scale=scale))

    def discrete(self, x: Num[Tensor, "..."]) -> Bool[Tensor, "..."]:
        """The bits."""
        return self._flatten(self._above(x) > 0)

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Probabilities, if the thresholds are learnt, else the bits as numbers."""
        if self.perturbation is None:
            return super().forward(x)
        return self._flatten(self.perturbation.cdf(self._above(x)))

    def _above(self, x: Tensor) -> Tensor:
        """x − θ, with the levels as a last dimension, after the features."""
        if x.ndim < -self.dim:
            raise ValueError(f"x: expected at least {-self.dim} dimensions, got {x.ndim}")
        moved = x.movedim(self.dim, -1)
        if self.thresholds.ndim == 2 and moved.shape[-1] != len(self.thresholds):
            raise ValueError(f"x: expected {len(self.thresholds)} features, got {moved.shape[-1]}")
        return moved.unsqueeze(-1) - self.thresholds

    def _flatten(self, bits: Tensor) -> Tensor:
        return bits.flatten(-2).movedim(-1, self.dim)

    def extra_repr(self) -> str:
        """Shown by print."""
        return f"{tuple(self.thresholds.shape)}, dim={self.dim}, learnt={self.perturbation is not None}"
