"""The port: what a studio is asked, and how it fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

Code = Literal[
    "studio_not_called",
    "studio_unreachable",
    "studio_key_refused",
    "studio_not_langflow",
    "studio_failed",
    "studio_too_large",
    "studio_flow_gone",
]


class StudioFailure(Exception):
    """A studio gave no answer that is of use; `message` is for people and holds nothing of what it said."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Reply:
    """Status and whole body of an answer."""

    status: int
    body: bytes


class Fetch(Protocol):
    """Brings an address's answer by GET, within bounds of its own."""

    def __call__(self, url: str, headers: Mapping[str, str], *, most: int) -> Reply:
        """Return the answer; raises StudioFailure, also for a body of more than `most` bytes."""


@dataclass(frozen=True, slots=True)
class FlowHead:
    """A flow as the studio lists it; `id` is the studio's own."""

    id: str
    name: str
    description: str
    endpoint_name: str
    updated: datetime | None


@dataclass(frozen=True, slots=True)
class FlowExport:
    """A flow in the form of an export, and when the studio last changed it."""

    flow: dict[str, Any]
    updated: datetime | None


class Studio(Protocol):
    """One studio, asked with one key."""

    def version(self) -> str:
        """Return its release, key or not; raises StudioFailure."""

    def flows(self) -> list[FlowHead]:
        """Return what the key's owner has there, the last changed first; raises StudioFailure."""

    def flow(self, flow_id: str, *, most: int) -> FlowExport:
        """Return one flow, of at most `most` bytes; raises StudioFailure."""
