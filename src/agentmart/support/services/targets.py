"""What is promised: the table of targets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from agentmart.identity.permissions import require
from agentmart.infra import audit
from agentmart.infra.actors import Actor
from agentmart.infra.models import snapshot
from agentmart.kit.errors import Invalid
from agentmart.support.models import SlaTarget


@transaction.atomic
def set_sla_targets(targets: Mapping[str, tuple[int, int]], *, actor: Actor, now: datetime) -> None:
    """Set how many minutes are promised for the response and the resolution, by priority; for staff.

    Issues that are open keep what was promised to them, until their priority changes. Raises Forbidden, Invalid
    (field targets) for a resolution that is due before the response.
    """
    require(actor, "sla.write")
    for priority, (response, resolution) in targets.items():
        if resolution < response:
            raise Invalid(f"{priority}: the resolution is due before the first response.", field="targets")
    for row in SlaTarget.objects.select_for_update().filter(priority__in=targets).order_by("priority"):
        before = snapshot(row, "response_minutes", "resolution_minutes")
        row.response_minutes, row.resolution_minutes = targets[row.priority]
        row.modified = now
        row.save(update_fields=["response_minutes", "resolution_minutes", "modified"])
        after = {"priority": row.priority, **snapshot(row, "response_minutes", "resolution_minutes")}
        audit.record("sla_target.set", row, actor=actor, now=now, before=before, after=after)
