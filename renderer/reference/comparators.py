"""One run through a relaxed comparator network, in plain PyTorch."""

from __future__ import annotations

from torch import Tensor

from renderer.sort.networks import layers
from renderer.sort.relaxations import Relaxation


def run_network(
    x: Tensor, payload: Tensor | None, network: str, k: int, relaxation: Relaxation, straight_through: bool
) -> tuple[Tensor, Tensor | None]:
    """x (B, n) relaxed-sorted, and the rows of payload (B, n, d) moved along; k 0: none."""
    for lo, hi in layers(network, x.shape[1], k=k or None):
        lo, hi = lo.to(x.device), hi.to(x.device)
        d = x[:, hi] - x[:, lo]
        stay = relaxation.probability(d)
        hard = (d >= 0).to(x.dtype)
        x = _exchange(x, lo, hi, stay, hard, straight_through)
        if payload is not None:
            payload = _exchange(payload, lo, hi, stay[..., None], hard[..., None], straight_through)
    return x, payload


def _exchange(v: Tensor, lo: Tensor, hi: Tensor, stay: Tensor, hard: Tensor, straight_through: bool) -> Tensor:
    a, b = v[:, lo], v[:, hi]
    move = (1 - stay) * (b - a)
    if straight_through:  # the values of the hard comparator, the gradients of the soft one
        move = move + ((1 - hard) * (b - a) - move).detach()
    return v.index_add(1, lo, move).index_add(1, hi, -move)
