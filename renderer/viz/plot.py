"""A curve as inline SVG: where the line, the ticks and the labels go."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 380, 210
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 10, 30

# Beyond this ratio of largest to smallest, a linear axis would press most of the curve onto its floor.
LOG_RATIO = 50.0


@dataclass(frozen=True)
class Plot:
    """One curve, ready for `templates/plot.html`; positions in pixels of a WIDTH × HEIGHT picture."""

    name: str
    paths: list[str]
    dots: list[tuple[float, float]]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    note: str
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def plot(name: str, x: Sequence[float], y: Sequence[float]) -> Plot:
    """Lay out one curve; the y axis is logarithmic when the values are positive and spread over LOG_RATIO.

    Values that are not finite leave a gap, and the note counts them. Raises: ValueError when x and y differ in
    length, are empty, or x is not finite.

        >>> plot("loss", [0, 1, 2], [3.0, 2.0, 1.0]).note
        'last 1, range 1 to 3'
    """
    x, y = [float(value) for value in x], [float(value) for value in y]
    if not x or len(x) != len(y):
        raise ValueError(f"curves[{name!r}]: expected as many x as y, at least one, got {len(x)} and {len(y)}")
    if not all(map(math.isfinite, x)):
        raise ValueError(f"curves[{name!r}]: expected finite x, got NaN or infinity")
    finite = [value for value in y if math.isfinite(value)]
    if not finite:
        return Plot(name, [], [], [], [], f"none of the {len(y)} values is finite")
    logarithmic = min(finite) > 0 and max(finite) > LOG_RATIO * min(finite)
    across = _Axis(min(x), max(x), LEFT, WIDTH - RIGHT, logarithmic=False)
    upward = _Axis(min(finite), max(finite), HEIGHT - BOTTOM, TOP, logarithmic=logarithmic)

    paths, dots = [], []
    for run in _finite_runs(x, y):
        points = [(across.place(a), upward.place(b)) for a, b in run]
        if len(points) == 1:
            dots.append(points[0])
        else:
            paths.append("M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in points))
    note = f"last {number(y[-1])}, range {number(min(finite))} to {number(max(finite))}"
    if logarithmic:
        note += ", log scale"
    if len(finite) < len(y):
        note += f", {len(y) - len(finite)} of {len(y)} not finite"
    return Plot(name, paths, dots, across.ticks(), upward.ticks(), note)


def number(value: float) -> str:
    """Four significant digits, without needless zeros.

    >>> number(0.99712), number(12345.6), number(1e-7)
    ('0.9971', '12,346', '1e-07')
    """
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else ("∞" if value > 0 else "−∞")
    if value != 0 and not 1e-4 <= abs(value) < 1e7:
        return f"{value:.3g}"
    if abs(value) >= 1000 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.4g}"


class _Axis:
    """Maps values to pixels, and picks round values to label."""

    def __init__(self, low: float, high: float, start: float, end: float, *, logarithmic: bool) -> None:
        if low == high:  # a constant curve: any range around it
            margin = abs(low) * 0.05 or 1.0
            low, high = low - margin, high + margin
        self.low, self.high, self.start, self.end, self.logarithmic = low, high, start, end, logarithmic

    def place(self, value: float) -> float:
        low, high = self.low, self.high
        if self.logarithmic:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return self.start + (self.end - self.start) * (value - low) / (high - low)

    def ticks(self) -> list[tuple[float, str]]:
        values = self._decades() if self.logarithmic else self._steps()
        return [(round(self.place(value), 1), number(value)) for value in values]

    def _steps(self) -> list[float]:
        rough = (self.high - self.low) / 4
        scale = 10.0 ** math.floor(math.log10(rough))
        step = next(m * scale for m in (1, 2, 5, 10) if m * scale >= rough)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [k * step for k in range(first, last + 1)]

    def _decades(self) -> list[float]:
        first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
        stride = 1 + (last - first) // 5
        return [10.0**k for k in range(first, last + 1, stride)]


def _finite_runs(x: list[float], y: list[float]) -> list[list[tuple[float, float]]]:
    runs: list[list[tuple[float, float]]] = [[]]
    for point in zip(x, y, strict=True):
        if math.isfinite(point[1]):
            runs[-1].append(point)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]
