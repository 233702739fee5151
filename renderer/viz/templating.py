"""The page templates of this folder."""

from __future__ import annotations

from typing import Any

import jinja2


def render(template: str, **values: Any) -> str:
    """Fill a template; values are escaped, a name that is missing raises."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("renderer.viz"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)
