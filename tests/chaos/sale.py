"""The sale that chaos and soak begin with: an agent without a model, on a plan without limits."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from agentmart.config.commands.demo import PLAIN_FLOW
from agentmart.config.product import Product
from agentmart.devtools import demo
from agentmart.devtools.corpus import ensure_starter_projects
from agentmart.devtools.demo import CONFIGS, Cast, Stage
from agentmart.devtools.story import Story

HOME = Path(__file__).parents[2] / ".agentmart"
RUNTIME_VENV = Path(os.environ.get("AGENTMART_RUNTIME_VENV") or HOME / "runtime-venv")
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
    assert product.admin is not None
    stage = Stage(
        web_url=product.web_url,
        gateway_url=product.gateway_url,
        staff_token=product.admin.token,
        starter_projects=ensure_starter_projects("1.13.0", HOME / "corpus"),
        plain_flow=next(RUNTIME_VENV.glob(f"lib/python3*/site-packages/{PLAIN_FLOW}")),
        set_clock=set_clock,
        say=lambda line: None,
    )
    story = Story(say=stage.say)
    stage.set_clock(demo.start_of_play())
    cast = demo.people(stage, story)
    demo.import_flows(stage, story, cast)
    demo.publish(story, cast)
    demo.order(story, cast)
    assert story.ok, story.checks
    config = cast.ids["neighbour_config"]
    return cast, cast.neighbour.post(f"{CONFIGS}/{config}/api-keys/", {"name": "Load"})["key"]
