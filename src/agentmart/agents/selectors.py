"""Reads of agents and studios for lists."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Count, OuterRef, QuerySet, Subquery

from agentmart.agents.models import Agent, FlowVersion, Studio, StudioFlow


def with_versions(agents: Any) -> QuerySet[Agent]:
    """Return agents with `latest_number`, `latest_tweakable` and `versions_total`, without reading any flow."""
    versions = FlowVersion.objects.filter(agent=OuterRef("pk"))
    newest = versions.order_by("-version")
    total = versions.order_by().values("agent").annotate(total=Count("pk")).values("total")
    rows: QuerySet[Agent] = agents.annotate(
        latest_number=Subquery(newest.values("version")[:1]),
        latest_tweakable=Subquery(newest.values("tweakable")[:1]),
        versions_total=Subquery(total),
    )
    return rows


def agents_of_flows(studio: Studio) -> dict[UUID, StudioFlow]:
    """Return what the studio's imported flows became, by the studio's id of the flow."""
    rows = StudioFlow.objects.filter(studio=studio).select_related("agent")
    return {row.backend_id: row for row in rows}
