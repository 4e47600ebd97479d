"""Addresses of the objects in one answer: each kind's is looked up once, whatever the number of rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

from rest_framework.request import Request
from rest_framework.reverse import reverse

_ANY = "0" * 32


class Addresses:
    """The absolute URLs of one answer's objects (without a request: their paths)."""

    def __init__(self, request: Request | None) -> None:
        self.request = request
        self._parts: dict[str, tuple[str, str]] = {}

    @property
    def base(self) -> str:
        """Return what all the addresses begin with."""
        return self.request.build_absolute_uri("/") if self.request is not None else "/"

    def of(self, view_name: str, uuid: UUID) -> str:
        """Return the address of an object by the name of its detail view."""
        parts = self._parts.get(view_name)
        if parts is None:
            before, _, after = reverse(view_name, kwargs={"uuid": _ANY}, request=self.request).rpartition(
                _ANY
            )
            parts = self._parts[view_name] = (before, after)
        return f"{parts[0]}{uuid.hex}{parts[1]}"


def addresses_of(context: Mapping[str, Any]) -> Addresses:
    """Return the addresses of the answer that a serializer's context belongs to."""
    kept: Addresses | None = context.get("addresses")
    if kept is None:
        kept = Addresses(context.get("request"))
        cast(dict[str, Any], context)["addresses"] = kept
    return kept
