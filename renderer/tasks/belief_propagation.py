"""Labels for the nodes of a graph: cheap by themselves, and alike where nodes are neighbours."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

ITERATIONS = 25
DAMPING = 0.5  # share of the old message that stays: loops would swing otherwise


def label_costs(
    cost: Float[Tensor, "V K"], edges: Int[Tensor, "E 2"], *, slope: float, limit: float
) -> Float[Tensor, "V K"]:
    """What each label of each node costs when all other nodes choose their best: the least is the label to take.

    The total of the nodes' own costs, plus min(slope · |difference of labels|, limit) for every edge, is all but
    minimised by loopy belief propagation, min-sum, with messages in linear time (Felzenszwalb and Huttenlocher, IJCV
    2006). `limit` lets neighbours differ as much as they like from some difference on: a step costs no more than that.
    """
    start, end = torch.cat([edges, edges.flip(1)]).unbind(1)
    reverse = torch.arange(len(start)).roll(len(edges)).to(edges.device)
    ramp = slope * torch.arange(cost.shape[1], dtype=cost.dtype, device=cost.device)
    messages = cost.new_zeros(len(start), cost.shape[1])
    for _ in range(ITERATIONS):
        without = cost.index_add(0, end, messages)[start] - messages[reverse]
        upward = (without - ramp).cummin(1).values + ramp
        downward = (without + ramp).flip(1).cummin(1).values.flip(1) - ramp
        least = without.amin(1, keepdim=True)
        fresh = torch.minimum(torch.minimum(upward, downward), least + limit) - least
        messages = DAMPING * messages + (1 - DAMPING) * fresh
    return cost.index_add(0, end, messages)
