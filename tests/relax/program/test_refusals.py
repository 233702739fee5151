"""What cannot be relaxed is refused at decoration, with file, line and what to write instead."""

from __future__ import annotations

import math

import pytest

from renderer.relax.program import RelaxError, relax


def caught(x):
    try:
        y = x
    except ValueError:
        y = x
    return y


def appended(x):
    out = []
    if x > 0:
        out.append(x)
    return out


def root(x):
    return math.sqrt(x)


def helper(x):
    return x


def undecorated(x):
    return helper(x)


def grown(x):
    a = [1.0]
    if x > 0:
        a = a + [x]  # noqa: RUF005  the concatenation is what is refused
    return a


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (caught, "try cannot be relaxed: test for the case"),
        (appended, r"the side effect `out.append\(x\)` under the soft condition `x > 0`"),
        (root, "write torch.sqrt"),
        (undecorated, "decorate it with @relax"),
        (grown, "largest length"),
    ],
)
def test_refusal_names_file_line_and_remedy(function, message: str) -> None:
    with pytest.raises(RelaxError, match=message) as error:
        relax(function, beta=1.0)
    assert __file__ in str(error.value)
    assert "line " in str(error.value)
