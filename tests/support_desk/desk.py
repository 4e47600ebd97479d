"""An issue and the people around it, over REST."""

from __future__ import annotations

from typing import Any

from tests.support.market import ok
from tests.support.world import Api, World

from agentmart.identity.models import Customer, Project

ISSUES = "/api/support-issues/"
COMMENTS = "/api/support-comments/"
FILES = "/api/support-attachments/"
PEOPLE = "/api/support-users/"
TARGETS = "/api/support-sla/"


def customer_of(world: World, side: str = "buyer") -> Customer:
    """The customer of one of the cast."""
    customer: Customer | None = getattr(world, side).customer
    assert customer is not None
    return customer


def project_of(world: World, side: str = "buyer") -> Project:
    """The project of one of the cast."""
    project: Project | None = getattr(world, side).project
    assert project is not None
    return project


def opened(api: Api, world: World | None = None, **body: Any) -> dict[str, Any]:
    """An issue that somebody opens; in the buyer's customer where a world is given."""
    place = {"customer": customer_of(world).uuid} if world else {}
    issue: dict[str, Any] = ok(api.post(ISSUES, {"summary": "It does not answer", **place, **body}), 201)
    return issue


def path_of(issue: dict[str, Any]) -> str:
    """Where an issue is."""
    return f"{ISSUES}{issue['uuid']}/"


def shown(api: Api, issue: dict[str, Any]) -> dict[str, Any]:
    """The issue as it stands."""
    found: dict[str, Any] = ok(api.get(path_of(issue)))
    return found
