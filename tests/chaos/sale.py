"""The sale that chaos and soak begin with: an agent without a model, on a plan without limits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from tests.support.running import begin_sale

from agentmart.config.product import Product
from agentmart.devtools import demo
from agentmart.devtools.demo import CONFIGS, Cast

OPEN_PLAN: dict[str, Any] = {
    "name": "Open",
    "unit_price": "1.00",
    "components": [{"type": "requests", "price": "0.05"}],
    "limits": {"streaming": True},
}


def sold(
    product: Product, set_clock: Callable[[datetime], None], monkeypatch: pytest.MonkeyPatch
) -> tuple[Cast, str]:
    """Take the sale to where the neighbour may call an agent without limits; returns the cast and a key."""
    monkeypatch.setattr(demo, "SMALL_PLAN", OPEN_PLAN)
    _, cast = begin_sale(product, set_clock)
    config = cast.ids["neighbour_config"]
    return cast, cast.neighbour.post(f"{CONFIGS}/{config}/api-keys/", {"name": "Load"})["key"]
