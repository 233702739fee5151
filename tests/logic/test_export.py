"""Exports computed by other programs: gcc, Icarus Verilog and Yosys; skipped where these are not installed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from renderer.logic import BitProgram, GroupSum, LogicConv2d, LogicLayer, LogicNet, OrPool2d
from renderer.logic.netlist import Netlist
from tests.logic.test_program import BATCHES, random_bits, random_net
from tests.oracle.logic import evaluate_netlist


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


def trained_net() -> LogicNet:
    """A small network that has learnt the parity of its first bits, and so has constants, wires and inverters."""
    torch.manual_seed(0)
    net = LogicNet(
        *(LogicLayer(n, 24, residual=True) for n in (9, 24, 24)),
        GroupSum(2, tau=1.5, beta=0.25),
    )
    bits = random_bits(512, 9)
    labels = (bits[:, 0] ^ bits[:, 1]).long()
    optimiser = torch.optim.Adam(net.parameters(), lr=0.05)
    for _ in range(150):
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(bits), labels).backward()
        optimiser.step()
    return net


def single_bits_net() -> LogicNet:
    return LogicNet(LogicLayer(5, 12, generator=torch.Generator().manual_seed(1)))


def constant_net() -> LogicNet:
    net = LogicNet(LogicLayer(4, 6), GroupSum(2, tau=2.0))
    with torch.no_grad():
        net.layers[0].weight[:, 15] = 100.0
    return net


def wire_net() -> LogicNet:
    return LogicNet(LogicLayer(4, 6, residual=True), GroupSum(3, tau=2.0))


def convolutional_net() -> LogicNet:
    generator = torch.Generator().manual_seed(3)
    return LogicNet(
        LogicConv2d(1, 4, 3, depth=2, padding=1, residual=False, generator=generator),
        OrPool2d(2),
        nn.Flatten(),
        LogicLayer(4 * 3 * 3, 30, generator=generator),
        GroupSum(3, tau=2.0),
    )


NETS = {
    "random": random_net,
    "trained": trained_net,
    "single bits": single_bits_net,
    "constant": constant_net,
    "wires": wire_net,
    "convolutional": convolutional_net,
}


@pytest.fixture(scope="module", params=NETS)
def case(request: pytest.FixtureRequest) -> tuple[LogicNet, BitProgram, Tensor, Tensor]:
    """A network, its program, bits, and what the discrete network makes of them."""
    net = NETS[request.param]()
    shape = (1, 6, 6) if request.param == "convolutional" else None
    program = net.compile(input_shape=shape)
    bits = random_bits(max(BATCHES), program.inputs)
    expected = net.discrete(bits.unflatten(1, shape) if shape else bits)
    return net, program, bits, expected


def test_compiled_equals_discrete(case: tuple) -> None:
    _, program, bits, expected = case
    result = program.scores(bits) if program.netlist.groups else program(bits)
    assert torch.equal(result, expected)


C_MAIN = """
#include <stdio.h>
int main(void) {
  static unsigned char bits[200 * INPUTS + 1];
  static int32_t counts[200 * OUTPUTS];
  static float scores[200 * OUTPUTS];
  for (int i = 0; i < 200 * OUTPUTS; ++i) counts[i] = -1;
  const size_t samples = fread(bits, INPUTS, 200, stdin);
  if (net_counts(bits, samples, counts) || net_scores(bits, samples, scores)) return 1;
  for (size_t i = samples * OUTPUTS; i < 200 * OUTPUTS; ++i) if (counts[i] != -1) return 2;
  for (size_t i = 0; i < samples * OUTPUTS; ++i) printf("%d %a\\n", (int)counts[i], scores[i]);
  return 0;
}
"""


@needs("gcc")
def test_c_equals_discrete_for_any_batch(case: tuple, tmp_path: Path) -> None:
    _, program, bits, expected = case
    program.export_c(tmp_path / "net.c", name="net")
    main = C_MAIN.replace("INPUTS", "NET_INPUTS").replace("OUTPUTS", "NET_OUTPUTS")
    (tmp_path / "main.c").write_text('#include "net.c"\n' + main)
    flags = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsanitize=address,undefined"]
    subprocess.run(["gcc", *flags, "main.c", "-o", "net"], cwd=tmp_path, check=True)
    for samples in BATCHES:
        data = bits[:samples].numpy().tobytes()
        out = subprocess.run([tmp_path / "net"], input=data, check=True, capture_output=True).stdout.decode()
        rows = [line.split() for line in out.splitlines()]
        counts = torch.tensor([int(row[0]) for row in rows]).reshape(samples, -1)
        scores = torch.tensor([float.fromhex(row[1]) for row in rows]).reshape(samples, -1)
        assert torch.equal(counts, program(bits[:samples]).long())
        assert torch.equal(scores, expected[:samples].float())


def simulate(verilog: Path, program: BitProgram, ports: list[str], bits: Tensor) -> Tensor:
    """Outputs (samples, ports) of the module "net" by Icarus Verilog, from bit strings, most significant bit first."""
    inputs = "\n".join("".join(str(int(b)) for b in reversed(row)) for row in bits.tolist())
    (verilog.parent / "bits.txt").write_text(inputs + "\n")
    width = program.inputs
    connections = [f".x(x[{width - 1}:0])"] if "x" in ports else [f".x{i}(x[{i}])" for i in range(width)]
    outputs = [p for p in ports if p != "x"]
    sizes = {p: int(p.split(":")[1]) if ":" in p else 1 for p in outputs}
    names = [p.split(":")[0] for p in outputs]
    wires = "\n".join(f"  wire [{sizes[p] - 1}:0] {n};" for p, n in zip(outputs, names, strict=True))
    bench = f"""
module bench;
  reg [{width - 1}:0] samples [0:{len(bits) - 1}];
  reg [{width - 1}:0] x;
{wires}
  net net ({", ".join([*connections, *(f".{n}({n})" for n in names)])});
  integer i;
  initial begin
    $readmemb("bits.txt", samples);
    for (i = 0; i < {len(bits)}; i = i + 1) begin
      x = samples[i];
      #1 $display("{" ".join(["%b"] * len(names))}", {", ".join(names)});
    end
  end
endmodule
"""
    (verilog.parent / "bench.v").write_text(bench)
    subprocess.run(["iverilog", "-g2005", "-o", "bench.vvp", "bench.v", verilog.name], cwd=verilog.parent, check=True)
    out = subprocess.run(["vvp", "-n", "bench.vvp"], cwd=verilog.parent, check=True, capture_output=True, text=True)
    rows = [line.split() for line in out.stdout.splitlines() if line and set(line) <= set("01 xz")]
    return torch.tensor([[int(value, 2) for value in row] for row in rows])


@needs("iverilog")
def test_verilog_equals_discrete(case: tuple, tmp_path: Path) -> None:
    _, program, bits, _ = case
    path = tmp_path / "net.v"
    program.export_verilog(path, name="net")
    n = program.netlist
    if n.groups:
        size = int(len(n.outputs) // n.groups).bit_length()
        out = simulate(path, program, ["x", *(f"count{g}:{size}" for g in range(n.groups))], bits)
    else:
        packed = simulate(path, program, ["x", f"y:{len(n.outputs)}"], bits)
        out = packed >> torch.arange(len(n.outputs)) & 1
    assert torch.equal(out, program(bits).long())


@needs("iverilog")
@needs("yosys")
def test_blif_equals_discrete(case: tuple, tmp_path: Path) -> None:
    _, program, bits, _ = case
    program.export_blif(tmp_path / "net.blif", name="net")
    script = "read_blif net.blif; check -assert; write_verilog -noattr net.v"
    subprocess.run(["yosys", "-q", "-p", script], cwd=tmp_path, check=True)
    n = program.netlist
    if n.groups:
        size = int(len(n.outputs) // n.groups).bit_length()
        ports = [f"count{g}_{d}" for g in range(n.groups) for d in range(size)]
        out = simulate(tmp_path / "net.v", program, ports, bits).unflatten(1, (n.groups, size))
        out = (out << torch.arange(size)).sum(-1)
    else:
        out = simulate(tmp_path / "net.v", program, [f"y{o}" for o in range(len(n.outputs))], bits)
    assert torch.equal(out, program(bits).long())


def test_json_holds_the_whole_network(case: tuple, tmp_path: Path) -> None:
    _, program, bits, expected = case
    program.export_json(tmp_path / "net.json")
    data = json.loads((tmp_path / "net.json").read_text())
    gates = np.array(data["gates"], np.int32).reshape(-1, 3)
    outputs = np.concatenate([np.array(group, np.int64) for group in data["outputs"]])
    netlist = Netlist(data["inputs"], gates[:, 0].astype(np.int8), gates[:, 1], gates[:, 2], outputs)
    values = torch.from_numpy(evaluate_netlist(netlist, bits.numpy()))
    if data["scores"]:
        counts = values.unflatten(1, (len(data["outputs"]), -1)).sum(-1)
        values = counts.float() / data["tau"] + data["beta"]
    assert torch.equal(values, expected)


@pytest.mark.parametrize("name", ["", "1net", "net-1", "net name", 'net";'])
def test_names_that_are_none_are_refused(name: str, tmp_path: Path) -> None:
    program = wire_net().compile()
    for export in (program.export_c, program.export_verilog, program.export_blif):
        with pytest.raises(ValueError, match="name: expected a letter or _"):
            export(tmp_path / "net", name=name)
