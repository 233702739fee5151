"""Differentiable networks of logic gates, compiled to programs that run on bits.

    net = dense_net(784, 8_000, 6, 10, tau=20.0) # six layers of 8,000 neurons, ten classes
    net(images)                                  # relaxed: differentiable scores
    program = net.compile()                      # discrete: counts of set bits, millions of samples a second
    program(images > 0.5).argmax(-1)

Petersen et al., "Deep Differentiable Logic Gate Networks", NeurIPS 2022, and "Convolutional Differentiable Logic Gate
Networks", NeurIPS 2024.
"""

from renderer.logic.bits import pack_bits, unpack_bits
from renderer.logic.connections import connect
from renderer.logic.convolution import LogicConv2d
from renderer.logic.encoding import Boolean, Encoding, OneHot, Thermometer
from renderer.logic.gates import GATES
from renderer.logic.group_sum import GroupSum
from renderer.logic.layer import LogicLayer, count_gates
from renderer.logic.local import connect_locally
from renderer.logic.network import LogicNet, accuracy
from renderer.logic.parametrisation import PARAMETRISATIONS
from renderer.logic.pooling import OrPool2d
from renderer.logic.presets import dense_net, logic_tree_net
from renderer.logic.program import BitProgram
from renderer.logic.wiring import Wiring

__all__ = [
    "GATES",
    "PARAMETRISATIONS",
    "BitProgram",
    "Boolean",
    "Encoding",
    "GroupSum",
    "LogicConv2d",
    "LogicLayer",
    "LogicNet",
    "OneHot",
    "OrPool2d",
    "Thermometer",
    "Wiring",
    "accuracy",
    "connect",
    "connect_locally",
    "count_gates",
    "dense_net",
    "logic_tree_net",
    "pack_bits",
    "unpack_bits",
]
