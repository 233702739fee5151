from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from renderer import _C
from renderer.logic import BitProgram, GroupSum, LogicLayer, LogicNet, dense_net, pack_bits, unpack_bits
from renderer.logic.program import WORDS
from renderer.ops import native
from renderer.scene.errors import DataError

BATCHES = [1, 7, 63, 64, 65, 130]


def random_net(seed: int = 0, *, inputs: int = 40, width: int = 60, depth: int = 3, classes: int = 3) -> LogicNet:
    generator = torch.Generator().manual_seed(seed)
    return dense_net(inputs, width, depth, classes, tau=2.5, residual=False, generator=generator)


def random_bits(samples: int, inputs: int, seed: int = 0) -> Tensor:
    return torch.rand(samples, inputs, generator=torch.Generator().manual_seed(seed)) > 0.5


@pytest.mark.parametrize("samples", [0, *BATCHES, 1000])
@pytest.mark.parametrize("words", WORDS)
def test_compiled_equals_discrete_for_any_batch(samples: int, words: int, monkeypatch: pytest.MonkeyPatch) -> None:
    net = random_net()
    program = net.compile()
    monkeypatch.setattr(program, "block_words", lambda samples: words)
    bits = random_bits(samples, 40)
    counts = program(bits)
    assert counts.dtype == torch.int32
    assert torch.equal(program.scores(bits), net.discrete(bits))
    assert torch.equal(counts.float() / 2.5, net.discrete(bits))
    assert torch.equal(program(pack_bits(bits), samples=samples), counts)


@pytest.mark.parametrize("rule", ["argmax", "rounding"])
@pytest.mark.parametrize("seed", range(3))
def test_both_rules_of_choosing_gates(rule: str, seed: int) -> None:
    net = random_net(seed)
    bits = random_bits(200, 40, seed)
    assert torch.equal(net.compile(rule=rule).scores(bits), net.discrete(bits, rule=rule))


@pytest.mark.parametrize("inputs", [1, 7, 63, 64, 65, 200, 1025, 2100])
def test_any_number_of_inputs(inputs: int) -> None:
    net = random_net(1, inputs=inputs, width=240, depth=1)
    bits = random_bits(130, inputs)
    assert torch.equal(net.compile().scores(bits), net.discrete(bits))


@pytest.mark.parametrize("outputs", [1, 2, 8, 9, 255, 256, 3000])
def test_counts_of_any_size(outputs: int) -> None:
    generator = torch.Generator().manual_seed(0)
    net = LogicNet(LogicLayer(20, 2 * outputs, generator=generator), GroupSum(2, tau=1.0, beta=-1.0))
    with torch.no_grad():
        net.layers[0].weight[:outputs, 15] += 100.0  # the first class is always full
    bits = random_bits(100, 20)
    counts = net.compile()(bits)
    assert (counts[:, 0] == outputs).all()
    assert torch.equal(counts.float() - 1, net.discrete(bits))


def test_a_network_of_one_layer_and_one_without_group_sum() -> None:
    generator = torch.Generator().manual_seed(2)
    net = LogicNet(LogicLayer(9, 33, generator=generator), LogicLayer(33, 50, generator=generator))
    program = net.compile()
    bits = random_bits(130, 9)
    out = program(bits)
    assert out.dtype == torch.bool
    assert torch.equal(out, net.discrete(bits))
    assert repr(program) == f"BitProgram(9 inputs, {program.gates} gates, 50 output bits)"
    with pytest.raises(ValueError, match="scores: expected a network that ends in GroupSum"):
        program.scores(bits)
    single = LogicNet(LogicLayer(9, 10, generator=generator), GroupSum(5, tau=3.0))
    assert torch.equal(single.compile().scores(bits), single.discrete(bits))


def test_training_later_does_not_change_a_program() -> None:
    net = random_net()
    program = net.compile()
    bits = random_bits(64, 40)
    before = program(bits)
    with torch.no_grad():
        for layer in net.gate_layers:
            layer.weight.neg_()
    assert torch.equal(program(bits), before)
    assert not torch.equal(net.compile()(bits), before)


def test_saved_programs_are_whole_and_need_no_pickle(tmp_path: Path) -> None:
    net = random_net()
    program = net.compile()
    path = tmp_path / "net.npz"
    program.save(path)
    loaded = BitProgram.load(path)
    bits = random_bits(130, 40)
    assert torch.equal(loaded.scores(bits), program.scores(bits))
    assert loaded.netlist.tau == 2.5
    with np.load(path, allow_pickle=False) as file:
        assert set(file.files) == {"header", "kind", "a", "b", "outputs"}


def test_damaged_files_are_one_line_errors(tmp_path: Path) -> None:
    path = tmp_path / "net.npz"
    with pytest.raises(DataError, match=r"net.npz: no such file"):
        BitProgram.load(path)
    program = random_net().compile()
    program.save(path)
    content = path.read_bytes()
    for damaged in (b"", b"PK", content[: len(content) // 2], content[:200] + bytes(100) + content[300:]):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"net.npz: not a readable program") as error:
            BitProgram.load(path)
        assert "\n" not in str(error.value)
    program.save(path)
    with np.load(path) as file:
        parts = {name: file[name] for name in file.files}
    parts["a"] = parts["a"] + 1000  # would read beyond the slots
    np.savez(path, **parts)
    with pytest.raises(DataError, match="expected gates that read inputs or earlier gates"):
        BitProgram.load(path)


@pytest.mark.parametrize(
    ("x", "options", "error", "message"),
    [
        (torch.zeros(3, 40), {}, TypeError, "x: expected bool, or packed int64, got torch.float32"),
        (torch.zeros(3, 39, dtype=torch.bool), {}, ValueError, r"x: expected \(samples, 40\), got \(3, 39\)"),
        (torch.zeros(40, dtype=torch.bool), {}, ValueError, r"x: expected \(samples, 40\), got \(40,\)"),
        (torch.zeros(3, 40, dtype=torch.bool), {"samples": 3}, ValueError, "samples: expected None"),
        (torch.zeros(40, 2, dtype=torch.int64), {}, ValueError, "samples: expected the number of samples"),
        (torch.zeros(40, 2, dtype=torch.int64), {"samples": 64}, ValueError, "samples: expected 2 words"),
        (torch.zeros(39, 1, dtype=torch.int64), {"samples": 64}, ValueError, r"x: expected \(40, words\)"),
    ],
)
def test_errors_are_one_line(x: Tensor, options: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        random_net().compile()(x, **options)


def test_packing_is_reversible_and_says_what_it_wants() -> None:
    for samples, signals in [(0, 3), (1, 1), (63, 9), (64, 64), (65, 130), (1500, 70)]:
        bits = random_bits(samples, signals)
        words = pack_bits(bits)
        assert words.shape == (signals, (samples + 63) // 64)
        assert torch.equal(unpack_bits(words, samples), bits)
    assert pack_bits(torch.ones(3, 1, dtype=torch.bool)).tolist() == [[7]]
    assert torch.equal(pack_bits(random_bits(100, 50).T.contiguous().T), pack_bits(random_bits(100, 50)))
    with pytest.raises(TypeError, match="bits: expected bool"):
        pack_bits(torch.zeros(3, 3))
    with pytest.raises(TypeError, match="words: expected int64"):
        unpack_bits(torch.zeros(3, 3), 3)
    with pytest.raises(ValueError, match="samples: expected 3 words of 64 samples, got 3 samples"):
        unpack_bits(torch.zeros(3, 3, dtype=torch.int64), 3)


def test_threads_change_nothing() -> None:
    program = random_net(width=600).compile()
    bits = random_bits(5000, 40)
    before = torch.get_num_threads()
    try:
        results = []
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            results.append(program(bits))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


@pytest.mark.parametrize("level", ["base", "v3", "v4"])
@pytest.mark.parametrize("words", WORDS)
def test_levels_agree(level: str, words: int, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        _C.simd_level(level)
    except ValueError:
        pytest.skip(f"this processor has no {level}")
    monkeypatch.setattr(native, "SIMD_LEVEL", level)
    net = random_net(width=300)
    program, bits = net.compile(), random_bits(1000, 40)
    monkeypatch.setattr(program, "block_words", lambda samples: words)
    assert torch.equal(unpack_bits(pack_bits(bits), len(bits)), bits)
    assert torch.equal(program.scores(bits), net.discrete(bits))


def test_compiling_is_quick_and_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    net = random_net(inputs=784, width=8000, depth=4, classes=10)
    start = time.process_time()
    program = net.compile()
    program(random_bits(10, 784))
    assert time.process_time() - start < 1
    assert capfd.readouterr() == ("", "")
