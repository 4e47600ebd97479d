"""Studios: where providers build flows, asked for what is there and for single flows. Langflow."""

from __future__ import annotations

import importlib
from typing import cast

from agentmart.adapters.studios.base import Fetch, FlowExport, FlowHead, Reply, Studio, StudioFailure

KINDS = {"langflow": "agentmart.adapters.studios.langflow.LangflowStudio"}

__all__ = ["KINDS", "Fetch", "FlowExport", "FlowHead", "Reply", "Studio", "StudioFailure", "build"]


def build(kind: str, url: str, key: str, fetch: Fetch) -> Studio:
    """Return the studio at `url`, asked with `key` by means of `fetch`; raises KeyError for an unknown kind."""
    module, name = KINDS[kind].rsplit(".", 1)
    return cast(Studio, getattr(importlib.import_module(module), name)(url, key, fetch))
