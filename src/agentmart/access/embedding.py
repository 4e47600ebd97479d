"""The lines that put the chat widget into a page (pure)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any
from uuid import UUID

OPTIONS: dict[str, str] = {"position": "bottom-right", "theme": "light"}
"""What a page says where the buyer has chosen nothing."""
_CHOSEN = ("title", "greeting", "color")
_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def loader_url(gateway_url: str) -> str:
    """Return the address of the widget's loader."""
    return f"{gateway_url.rstrip('/')}/widget/loader.js"


def options_of(widget: Mapping[str, Any]) -> dict[str, Any]:
    """Return the widget's looks as the buyer set them, with the defaults of what they left open."""
    chosen = {name: widget[name] for name in _CHOSEN if widget.get(name)}
    return {**{name: widget.get(name) or value for name, value in OPTIONS.items()}, **chosen}


def snippet(url: str, config_id: UUID, key: str, options: Mapping[str, Any]) -> str:
    """Return the HTML; whatever the buyer wrote into the options stays text inside it."""
    said = json.dumps({"configId": config_id.hex, "apiKey": key, **options})
    for character, code in _UNSAFE.items():
        said = said.replace(character, code)
    return f'<script src="{escape(url)}"></script>\n<script>GSVWidget.init({said});</script>\n'
