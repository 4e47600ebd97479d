"""Writing the audit log, in the transaction of what it tells."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import models

from agentmart.infra.actors import Actor
from agentmart.infra.models import AuditEntry
from agentmart.kit.logs import request_id_var


def record(
    action: str,
    row: models.Model,
    *,
    actor: Actor,
    now: datetime,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    customer_id: UUID | None = None,
) -> None:
    """Add one audit entry; `action` is past tense with its noun (`order.approved`)."""
    AuditEntry.objects.create(
        at=now,
        actor_id=actor.user_id,
        actor_name=actor.label,
        impersonator_id=actor.impersonator_id,
        action=action,
        object_type=row._meta.label_lower,
        object_id=row.pk,
        customer_id=customer_id or getattr(row, "customer_id", None),
        before=dict(before or {}),
        after=dict(after or {}),
        request_id=request_id_var.get() or "",
    )
