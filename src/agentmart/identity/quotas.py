"""How many projects, resources, people, keys and agents a customer may have: counted, limited, raced once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Greatest

from agentmart.identity.models import Membership, Project, Quota
from agentmart.infra import tenancy
from agentmart.kit.errors import Conflict

PROJECTS = "nc_project_count"
RESOURCES = "nc_resource_count"
PEOPLE = "nc_user_count"
API_KEYS = "nc_api_key_count"
AGENTS = "nc_agent_count"

NAMES: Mapping[str, str] = {
    PROJECTS: "projects",
    RESOURCES: "resources",
    PEOPLE: "people",
    API_KEYS: "API keys",
    AGENTS: "agents",
}
"""Every quota a customer has, and what it counts, for people."""
UNLIMITED = -1


class QuotaExceeded(Conflict):
    """The customer has as many of this kind as it may."""

    code = "quota_exceeded"

    def __init__(self, quota: Quota) -> None:
        super().__init__(
            f"The limit of {quota.limit} {NAMES[quota.name]} is reached; "
            "end one of them, or ask the operator for a higher limit.",
            extra={"quota": quota.name, "limit": quota.limit, "usage": quota.usage},
        )


@transaction.atomic
def open_for(customer_id: UUID, *, now: datetime) -> None:
    """Give a customer its quotas, unlimited and unused; those it has stay as they are."""
    with tenancy.elevated():
        Quota.objects.all().open_for(customer_id, NAMES, now=now)


@transaction.atomic
def claim(customer_id: UUID, name: str, *, now: datetime, amount: int = 1) -> None:
    """Count `amount` more of a kind for the customer; raises QuotaExceeded (409) where its limit forbids that.

    One conditional update, so of several racers for the last unit one gets it. The row stays locked until the
    caller's transaction ends: claim next to the write it is for, after all other locks.
    """
    with tenancy.elevated():
        rows = Quota.objects.filter(customer_id=customer_id, name=name)
        room = Q(limit=UNLIMITED) | Q(limit__gte=F("usage") + amount)
        if rows.filter(room).update(usage=F("usage") + amount, modified=now):
            return
        quota = rows.first()
        if quota is not None:
            raise QuotaExceeded(quota)
        open_for(customer_id, now=now)
        claim(customer_id, name, now=now, amount=amount)


@transaction.atomic
def release(customer_id: UUID, name: str, *, now: datetime, amount: int = 1) -> None:
    """Count `amount` fewer of a kind for the customer, because they ended."""
    with tenancy.elevated():
        rows = Quota.objects.filter(customer_id=customer_id, name=name)
        rows.update(usage=Greatest(F("usage") - amount, 0), modified=now)


@transaction.atomic
def set_limits(customer_id: UUID, limits: Mapping[str, int], *, now: datetime) -> None:
    """Set the named limits (-1: unlimited) and leave the others; one below the usage only stops growth."""
    with tenancy.elevated():
        for name in sorted(limits):
            rows = Quota.objects.filter(customer_id=customer_id, name=name)
            rows.update(limit=limits[name], modified=now)


@transaction.atomic
def correct(customer_id: UUID, name: str, *, usage: int, now: datetime) -> bool:
    """Write a counted usage over a wrong counter; returns whether it was wrong. Hold `locked` while counting."""
    rows = Quota.objects.filter(customer_id=customer_id, name=name).exclude(usage=usage)
    return bool(rows.update(usage=usage, modified=now))


def lock(customer_id: UUID) -> None:
    """Let nobody claim or release for this customer until the transaction ends, so that counting is exact."""
    list(Quota.objects.filter(customer_id=customer_id).order_by("name").select_for_update())


def recount(customer_id: UUID, *, now: datetime) -> int:
    """Count projects and people anew; returns how many counters were wrong (`access` counts all kinds)."""
    people = Membership.objects.filter(customer_id=customer_id).values("user_id").distinct().count()
    projects = Project.objects.filter(customer_id=customer_id, removed_at=None).count()
    counted = {PROJECTS: projects, PEOPLE: people}
    return sum(correct(customer_id, name, usage=usage, now=now) for name, usage in counted.items())
