"""What is asked of studios: reads from the network, to be made with no transaction open."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings

from agentmart.adapters import outgoing, studios
from agentmart.adapters.studios import FlowHead, Reply, StudioFailure
from agentmart.agents.models import Studio
from agentmart.agents.studio_keys import opened
from agentmart.kit.errors import Conflict

KIND = "langflow"
SECONDS = 15.0  # of one request
SECONDS_OF_ALL = 40.0  # of all requests that one of ours makes; the web server waits a minute
MOST_BYTES_OF_ALL = 24 * 1024 * 1024


class StudioAway(Conflict):
    """A studio gave no answer that is of use; `code` says why."""


@dataclass(frozen=True, slots=True)
class LookedAt:
    """What a studio said of itself."""

    version: str
    flows: int


@dataclass(frozen=True, slots=True)
class Picked:
    """One flow that was asked for: its export, or why there is none."""

    backend_id: UUID
    flow: dict[str, Any] | None
    updated: datetime | None = None
    code: str = ""
    detail: str = ""


class StudioCaller:
    """Asks one studio within bounds of time and size; holds the key as long as the request takes."""

    def __init__(self, url: str, key: str, allowed: frozenset[str]) -> None:
        self._allowed = allowed
        self._ends = time.monotonic() + SECONDS_OF_ALL
        self._left = MOST_BYTES_OF_ALL
        self.studio = studios.build(KIND, url, key, self._fetch)

    def _fetch(self, url: str, headers: Mapping[str, str], *, most: int) -> Reply:
        """Return the answer of an address; raises StudioFailure in words for people."""
        seconds = min(SECONDS, self._ends - time.monotonic())
        if seconds <= 0:
            raise StudioFailure("studio_unreachable", "The Studio takes too long; pick fewer flows at once.")
        most = min(most, self._left)
        try:
            answer = outgoing.get(url, headers, most=most, allowed=self._allowed, seconds=seconds)
        except outgoing.TooLong:
            raise StudioFailure(
                "studio_too_large",
                f"The Studio's answer is larger than {most} bytes; pick fewer or smaller flows.",
            ) from None
        except outgoing.NotCalled as refusal:
            raise StudioFailure(
                "studio_unreachable" if refusal.lookup else "studio_not_called",
                f"The Studio is not called: {refusal}"[:300],
            ) from None
        except outgoing.NoAnswer as failure:
            reason = "its certificate is not trusted" if "CERTIFICATE_VERIFY" in str(failure) else "no answer"
            raise StudioFailure(
                "studio_unreachable",
                f"The Studio cannot be reached ({reason}); look whether it runs, and at its address.",
            ) from None
        self._left -= len(answer.body)
        return Reply(answer.status, answer.body)


def caller(studio: Studio) -> StudioCaller:
    """Return what asks a studio, its key opened; raises KeyLost (409)."""
    return StudioCaller(
        studio.backend_url, opened(studio.id, bytes(studio.key_sealed)), settings.STUDIO_HOSTS
    )


def check_studio(asked: StudioCaller) -> LookedAt:
    """Return what the studio says of itself; raises StudioAway (409). Asks the network."""
    try:
        flows = asked.studio.flows()
        return LookedAt(asked.studio.version(), len(flows))
    except StudioFailure as failure:
        raise StudioAway(failure.message, code=failure.code) from None


def list_flows(asked: StudioCaller) -> list[FlowHead]:
    """Return the flows found in the studio, the last changed first; raises StudioAway (409). Asks the network."""
    try:
        return asked.studio.flows()
    except StudioFailure as failure:
        raise StudioAway(failure.message, code=failure.code) from None


def fetch_flows(asked: StudioCaller, picked: Sequence[UUID]) -> list[Picked]:
    """Return the picked flows in their order; what cannot be had says why. Asks the network."""
    found = []
    for backend_id in picked:
        try:
            export = asked.studio.flow(str(backend_id), most=settings.FLOW_MAX_BYTES)
            found.append(Picked(backend_id, export.flow, export.updated))
        except StudioFailure as failure:
            found.append(Picked(backend_id, None, code=failure.code, detail=failure.message))
    return found
