"""A product that runs in processes of its own, taken to where buyers may call."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from agentmart.config.commands.demo import PLAIN_FLOW
from agentmart.config.product import Product
from agentmart.devtools import demo
from agentmart.devtools.corpus import ensure_starter_projects
from agentmart.devtools.demo import Cast, Stage
from agentmart.devtools.story import Story

HOME = Path(__file__).parents[2] / ".agentmart"
RUNTIME_VENV = Path(os.environ.get("AGENTMART_RUNTIME_VENV") or HOME / "runtime-venv")


def begin_sale(product: Product, set_clock: Callable[[datetime], None]) -> tuple[Stage, Cast]:
    """Take the demo's sale to where both buyers may call."""
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
    return stage, cast


def flow_processes(runtime_pid: int) -> list[int]:
    """Return the children that run flows: the zygote's children, two levels below the runtime."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            parents[int(entry.name)] = int(fields[1])
    zygotes = {pid for pid, parent in parents.items() if parent == runtime_pid}
    return [pid for pid, parent in parents.items() if parent in zygotes]
