"""Logic layers and programs by the CUDA kernels."""

from __future__ import annotations

import pytest
import torch

from renderer.logic import pack_bits, unpack_bits
from renderer.ops import cuda
from tests.cuda.compare import check_against_reference
from tests.logic.test_program import BATCHES, random_bits, random_net
from tests.ops.test_logic_ops import REFERENCE, arguments


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("op", REFERENCE)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_the_reference(emulated: None, op: str, seed: int, dtype: torch.dtype) -> None:
    check_against_reference(op, arguments(op, seed, samples=150), dtype)


def test_an_index_out_of_range_is_one_line(emulated: None) -> None:
    x, c, indices, widths, groups = arguments("logic_layers", 1)
    indices[1, 8] = 6
    with pytest.raises(ValueError, match=r"indices: expected 0 to 5 in layer 1, got 6$"):
        torch.ops.renderer.logic_layers(x, c, indices, widths, groups)


@pytest.mark.parametrize(("batch", "inputs", "neurons"), [(203, 4, 7), (2, 150, 230)])
def test_more_rows_than_a_grid_has(emulated: None, batch: int, inputs: int, neurons: int) -> None:
    """A grid is limited along y and z, here to 100 blocks: a block then does several rows of the batch or the layer."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(batch, inputs, 1, generator=generator, dtype=torch.float64)
    coefficients = torch.rand(neurons, 4, generator=generator, dtype=torch.float64)
    indices = torch.randint(inputs, (2, neurons), generator=generator, dtype=torch.int32)
    check_against_reference("logic_layers", (x, coefficients, indices, [neurons], 0), torch.float64)


@pytest.mark.parametrize("samples", BATCHES)
def test_programs_give_the_counts_of_the_discrete_network(emulated: None, samples: int) -> None:
    net = random_net()
    bits = random_bits(samples, 40)
    program = net.compile()
    assert torch.equal(program.scores(bits), net.discrete(bits))
    words = pack_bits(bits)
    assert torch.equal(unpack_bits(words, samples), bits)
    assert torch.equal(program(words, samples=samples), program(bits))


def test_a_training_step_equals_that_of_the_cpu() -> None:
    bits = random_bits(33, 40)
    results = []
    for run_emulated in (False, True):
        net = random_net(3).double()
        if run_emulated:
            with cuda.emulated():
                net(bits).square().sum().backward()
        else:
            net(bits).square().sum().backward()
        results.append([layer.weight.grad for layer in net.gate_layers])
    for mine, other in zip(*results, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-10, atol=1e-10)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_gpu_equals_cpu() -> None:
    bits = random_bits(300, 40)
    net = random_net(3)
    scores = net(bits)
    program = net.compile()
    torch.testing.assert_close(net.cuda()(bits.cuda()).cpu(), scores, rtol=1e-5, atol=1e-5)
    assert torch.equal(program(bits.cuda()).cpu(), program(bits))
