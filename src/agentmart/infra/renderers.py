"""How answers become JSON (a file of its own: the framework's defaults name it)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from rest_framework import renderers
from rest_framework.utils.encoders import JSONEncoder


class JsonRenderer(renderers.JSONRenderer):
    """JSON as the framework writes it, several times faster.

    What is not common (a caller's `indent`, keys that are no text, unknown types) takes the framework's way.
    """

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Return the answer's bytes."""
        if data is None or self.get_indent(accepted_media_type or "", dict(renderer_context or {})):
            return bytes(super().render(data, accepted_media_type, renderer_context))
        try:
            return _ENCODER.encode(data)
        except (TypeError, ValueError):
            return bytes(super().render(data, accepted_media_type, renderer_context))


class CsvRenderer(renderers.BaseRenderer):
    """Lets `Accept: text/csv` and `?format=csv` be asked for; whoever answers in it writes the lines itself."""

    media_type = "text/csv"
    format = "csv"
    charset = "utf-8"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None
    ) -> bytes:
        """Return an answer without rows."""
        return b""


def _plain(value: Any) -> Any:
    """Return a value of a kind that the encoder does not know as one that it does; raises TypeError."""
    return str.__str__(value) if isinstance(value, str) else JSONEncoder().default(value)


_ENCODER = msgspec.json.Encoder(enc_hook=_plain, decimal_format="number")
