from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from renderer.logic import (
    PARAMETRISATIONS,
    Boolean,
    GroupSum,
    LogicConv2d,
    LogicLayer,
    LogicNet,
    OneHot,
    OrPool2d,
    Thermometer,
    accuracy,
    count_gates,
    dense_net,
    logic_tree_net,
)
from renderer.relax import t_conorm


def small_net(**options: object) -> LogicNet:
    generator = torch.Generator().manual_seed(0)
    layers = [LogicLayer(n, 20, generator=generator, **options) for n in (6, 20, 20)]  # type: ignore[arg-type]
    return LogicNet(*layers, GroupSum(4, tau=3.0, beta=0.5))


def one_by_one(net: LogicNet, x: Tensor) -> Tensor:
    for layer in net.layers:
        x = layer(x)
    return x


@pytest.mark.parametrize("batch", [(), (1,), (7,), (3, 5), (0,)])
def test_one_kernel_equals_layer_by_layer(batch: tuple[int, ...]) -> None:
    net = small_net().double()
    x = torch.rand(*batch, 6, dtype=torch.float64, requires_grad=True)
    results = []
    for run in (net, lambda x: one_by_one(net, x)):
        net.zero_grad()
        scores = run(x)
        assert scores.shape == (*batch, 4)
        (grad,) = torch.autograd.grad(scores.square().sum(), x, retain_graph=True)
        scores.square().sum().backward()
        results.append((scores.detach(), grad, *(layer.weight.grad for layer in net.gate_layers)))
    for fused, plain in zip(*results, strict=True):
        torch.testing.assert_close(fused, plain, rtol=1e-12, atol=1e-12)


def test_layers_that_cannot_be_fused_are_run_apart() -> None:
    net = small_net().double()
    plain = small_net().double()
    net.gate_layers[1].t_conorm = t_conorm("frank", 1.0 + 1e-9)  # all but the product
    net.gate_layers[2].grad_factor = 2.0
    x = torch.rand(9, 6, dtype=torch.float64)
    torch.testing.assert_close(net(x), plain(x), rtol=1e-6, atol=1e-6)
    net(x).sum().backward()
    plain(x).sum().backward()
    torch.testing.assert_close(
        net.gate_layers[0].weight.grad, 2 * plain.gate_layers[0].weight.grad, rtol=1e-5, atol=1e-6
    )
    torch.testing.assert_close(net.gate_layers[2].weight.grad, plain.gate_layers[2].weight.grad, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", PARAMETRISATIONS)
def test_confident_networks_have_no_gap(name: str) -> None:
    # Relaxed layers on bits, whose weights are nearly one gate, are the discrete network.
    net = small_net(parametrisation=name).eval()
    with torch.no_grad():
        for layer in net.gate_layers:
            layer.weight.mul_(1e4)
    bits = torch.rand(50, 6) > 0.5
    torch.testing.assert_close(net(bits), net.discrete(bits), rtol=1e-4, atol=1e-4)
    assert torch.equal(net.compile().scores(bits), net.discrete(bits))


def test_wiring_is_in_the_state_dict_and_moves_along() -> None:
    net = small_net()
    state = net.state_dict()
    assert sum(name.endswith("indices") for name in state) == 3
    other = LogicNet(*(LogicLayer(n, 20) for n in (6, 20, 20)), GroupSum(4, tau=3.0, beta=0.5))
    x = torch.rand(5, 6)
    assert not torch.equal(other(x), net(x))
    other.load_state_dict(state)
    assert torch.equal(other(x), net(x))
    assert other.to("meta").gate_layers[0].indices.device.type == "meta"


def test_printing_a_network_says_what_it_is_and_calling_it_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    net = LogicNet(
        *(Boolean(0.5), LogicConv2d(1, 2, 3, depth=1), OrPool2d(2), nn.Flatten(), LogicLayer(8, 4)),
        GroupSum(2, tau=3.0),
    )
    assert "GroupSum(2, tau=3, beta=0)" in repr(net)
    assert "LogicLayer(8, 4, parametrisation='op16')" in repr(net)
    net(torch.rand(2, 1, 6, 6)).sum().backward()
    net.discrete(torch.rand(2, 1, 6, 6))
    net.compile(input_shape=(1, 6, 6))
    assert capfd.readouterr() == ("", "")


def test_compile_fullgraph() -> None:
    net = small_net()
    x = torch.rand(5, 6)
    results = []
    for run in (net, torch.compile(net, fullgraph=True, backend="aot_eager")):
        net.zero_grad()
        scores = run(x)
        scores.square().sum().backward()
        results.append((scores.detach(), net.gate_layers[0].weight.grad.clone()))
    torch.testing.assert_close(results[0], results[1])


def test_vmap_and_grad_equal_a_loop() -> None:
    net = small_net().double()
    parameters = {name: p.detach() for name, p in net.named_parameters()}
    x = torch.rand(4, 3, 6, dtype=torch.float64)

    def loss(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        return torch.func.functional_call(net, parameters, (x,)).square().sum()

    gradient = torch.func.grad(loss, argnums=(0, 1))
    mapped = torch.func.vmap(gradient, in_dims=(None, 0))(parameters, x)
    looped = [gradient(parameters, part) for part in x]
    for name in parameters:
        torch.testing.assert_close(mapped[0][name], torch.stack([g[0][name] for g in looped]))
    torch.testing.assert_close(mapped[1], torch.stack([g[1] for g in looped]))
    ensemble = {name: torch.stack([p, p.flip(0)]) for name, p in parameters.items()}
    both = torch.func.vmap(loss, in_dims=(0, None))(ensemble, x[0])
    torch.testing.assert_close(both[1], loss({name: p[1] for name, p in ensemble.items()}, x[0]))


def test_second_derivatives() -> None:
    net = small_net().double()
    x = torch.rand(3, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(net, [x])


@pytest.mark.parametrize(
    ("layers", "error", "message"),
    [
        ([LogicLayer(4, 4), Boolean()], TypeError, "layers: expected encodings first.*got Boolean in place 1"),
        ([GroupSum(2, 1.0), LogicLayer(4, 4)], TypeError, "got GroupSum in place 0"),
        ([LogicLayer(4, 4), nn.ReLU()], TypeError, "got ReLU in place 1"),
        ([nn.Flatten(), GroupSum(2, 1.0)], ValueError, "layers: expected at least one LogicLayer"),
    ],
)
def test_layers_out_of_place_are_refused(layers: list[nn.Module], error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        LogicNet(*layers)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (torch.rand(3, 7), ValueError, r"x: expected 6 features, got shape \(3, 7\)"),
        (torch.rand(3, 6).double(), TypeError, "x: expected bool or torch.float32 as the weights, got torch.float64"),
        (torch.tensor(1.0), ValueError, "x: expected 6 features"),
    ],
)
def test_wrong_inputs_are_refused(x: Tensor, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        small_net()(x)
    with pytest.raises(TypeError, match="x: expected bool, got"):
        small_net().discrete(x)


def test_other_errors_are_one_line() -> None:
    with pytest.raises(ValueError, match="x: expected a multiple of k = 3 features, got 20"):
        LogicNet(LogicLayer(6, 20), GroupSum(3, 1.0))(torch.rand(2, 6))
    with pytest.raises(ValueError, match="x: expected a multiple of k = 3 features, got 20"):
        LogicNet(LogicLayer(6, 20), GroupSum(3, 1.0)).compile()
    with pytest.raises(ValueError, match="x: expected 8 features"):
        LogicNet(LogicLayer(6, 20), LogicLayer(8, 4))(torch.rand(2, 6))
    with pytest.raises(ValueError, match=r"compile: LogicLayer expects 8 signals, the layer before has \(20,\)"):
        LogicNet(LogicLayer(6, 20), LogicLayer(8, 4)).compile()
    with pytest.raises(ValueError, match="k: expected at least 1 class, got 0"):
        GroupSum(0, 1.0)
    with pytest.raises(ValueError, match="tau: expected a number > 0, got 0"):
        GroupSum(2, 0.0)
    with pytest.raises(ValueError, match="depth: expected at least 1 layer, got 0"):
        dense_net(4, 4, 0, 2, tau=1.0)


def test_encodings_come_before_the_program() -> None:
    torch.manual_seed(0)
    data = torch.randn(100, 3)
    net = LogicNet(Thermometer.quantile(data, levels=4), LogicLayer(12, 20), GroupSum(2, tau=1.0))
    program = net.compile()
    assert program.inputs == 12
    assert torch.equal(program.scores(net.encode(data)), net.discrete(data))
    assert net(data).shape == (100, 2)
    onehot = LogicNet(OneHot([2, 3]), LogicLayer(5, 6))
    values = torch.tensor([[1, 0], [0, 2]])
    assert torch.equal(onehot.compile()(onehot.encode(values)), onehot.discrete(values))
    bits = torch.rand(4, 6) > 0.5
    assert torch.equal(small_net().encode(bits), bits)


def test_accuracy_takes_the_first_of_equal_scores() -> None:
    scores = torch.tensor([[1, 1, 0], [0, 2, 2], [5, 1, 5], [0, 0, 1]])
    assert accuracy(scores, torch.tensor([0, 1, 2, 2])) == 0.75


def test_gates_are_counted_by_name() -> None:
    counts = count_gates(small_net(residual=True).gate_layers)
    assert counts == {name: 60 if name == "a" else 0 for name in counts}


@pytest.mark.parametrize("size", [2, "S"])
def test_logic_tree_net_has_the_papers_shapes(size: int | str) -> None:
    net = logic_tree_net(size, tau=4.0, generator=torch.Generator().manual_seed(0))  # type: ignore[arg-type]
    k = 16 if size == "S" else 2
    x = torch.rand(2, 1, 28, 28)
    shapes = []
    for layer in net.layers:
        x = layer(x)
        shapes.append(tuple(x.shape[1:]))
    expected = [(k, 24, 24), (k, 12, 12), (3 * k, 12, 12), (3 * k, 6, 6), (9 * k, 6, 6), (9 * k, 3, 3), (81 * k,)]
    assert shapes == [*expected, (1280 * k,), (640 * k,), (320 * k,), (10,)]


def test_logic_tree_net_compiles_to_the_discrete_network() -> None:
    torch.manual_seed(0)
    net = logic_tree_net(1, tau=4.0, image_size=12, classes=5)
    with torch.no_grad():
        for layer in net.gate_layers:
            layer.weight.copy_(torch.randn_like(layer.weight))  # the wires of residual layers would compile to nothing
    bits = torch.rand(130, 1, 12, 12) > 0.5
    program = net.compile(input_shape=(1, 12, 12))
    assert torch.equal(program.scores(bits.flatten(1)), net.discrete(bits))
    assert torch.equal(program.scores(net.encode(bits)), net.discrete(bits))
    with pytest.raises(ValueError, match=r"input_shape: expected \(C, H, W\), as LogicConv2d comes first, got None"):
        net.compile()
    with pytest.raises(ValueError, match="size: expected one of S, M or a number of channels, got 'L'"):
        logic_tree_net("L", tau=1.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="image_size: expected 12, 20, 28"):
        logic_tree_net(1, tau=1.0, image_size=32)


def test_nothing_needs_or_wakes_cuda_on_a_cpu() -> None:
    small_net()(torch.rand(2, 6))
    small_net().compile()(torch.rand(2, 6) > 0.5)
    assert not torch.cuda.is_initialized()
