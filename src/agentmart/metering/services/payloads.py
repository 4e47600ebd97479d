"""Writes: whether the content of an agent's calls is kept, reading it (which is noted), erasing it, its end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Least

from agentmart.access import services as access
from agentmart.contracts.payloads import DEFAULT_DAYS, LONGEST_DAYS, PURPOSE, rules_from_json
from agentmart.identity.permissions import require
from agentmart.infra import audit, tenancy
from agentmart.infra.actors import Actor
from agentmart.kit.errors import Conflict, Invalid, NotFound
from agentmart.kit.redaction import BUILT_IN, check_rules
from agentmart.kit.sealing import Unreadable, unseal
from agentmart.metering.models import CallPayload, PayloadSetting
from agentmart.resources.models import AgentConfig, Resource

DEFAULT: dict[str, Any] = {"enabled": False, "retention_days": DEFAULT_DAYS, "redact": list(BUILT_IN)}
BATCH = 5000


class PayloadLost(Conflict):
    """The content is kept but cannot be decrypted any more: the installation's key was replaced."""

    code = "payload_unreadable"


@dataclass(frozen=True, slots=True)
class Content:
    """What was kept of a call."""

    payload: CallPayload
    said: Mapping[str, Any]


def setting_of(config: AgentConfig) -> dict[str, Any]:
    """Return whether and how an agent's content is kept, as the settings show it."""
    row: PayloadSetting | None = getattr(config, "payload_setting", None)
    if row is None:
        return dict(DEFAULT)
    return {"enabled": row.enabled, "retention_days": row.retention_days, "redact": row.redact}


@transaction.atomic
def update_config(
    config: AgentConfig, changes: Mapping[str, Any], *, actor: Actor, now: datetime
) -> AgentConfig:
    """Change an agent's settings, `payload_logging` among them, in force at the gateway with the commit.

    Raises Forbidden, what `access.services.update_config` raises, Invalid (payload_logging.…).
    """
    values = dict(changes)
    wanted = values.pop("payload_logging", None)
    config = (
        access.update_config(config, values, actor=actor, now=now) if values or wanted is None else config
    )
    if wanted is not None:
        _set_logging(config, wanted, actor=actor, now=now)
    return config


def _set_logging(config: AgentConfig, wanted: Mapping[str, Any], *, actor: Actor, now: datetime) -> None:
    """Say whether and how the content of calls is kept; what is kept already ends no later than it would now."""
    before = setting_of(config)
    after = {**before, **wanted}
    if after == before:
        return
    require(actor, "payload.write", customer_id=config.customer_id, project_id=config.resource.project_id)
    if not 1 <= after["retention_days"] <= LONGEST_DAYS:
        raise Invalid(f"Give 1 to {LONGEST_DAYS} days.", field="payload_logging.retention_days")
    try:
        check_rules(rules_from_json(after["redact"]))
    except Invalid as refusal:
        raise Invalid(refusal.message, field="payload_logging.redact") from None
    row, _ = PayloadSetting.objects.update_or_create(
        config=config, defaults={**after, "customer_id": config.customer_id, "modified": now}
    )
    config.payload_setting = row
    ends = F("occurred_at") + timedelta(days=after["retention_days"])
    CallPayload.objects.filter(config_id=config.pk).update(expires_at=Least("expires_at", ends))
    access.publish_grants(Resource.objects.filter(pk=config.resource_id))
    audit.record("agent_config.payload_logging_set", config, actor=actor, now=now, before=before, after=after)


@transaction.atomic
def read_payload(config: AgentConfig, call_id: UUID, *, actor: Actor, now: datetime) -> Content:
    """Return the kept content of a call and note who read it; raises Forbidden, NotFound, PayloadLost (409)."""
    require(actor, "payload.see", customer_id=config.customer_id, project_id=config.resource.project_id)
    row = CallPayload.objects.filter(config_id=config.pk, call_id=call_id, expires_at__gt=now).first()
    if row is None:
        raise NotFound("Nothing is kept of this call's content.")
    try:
        content = unseal(bytes(row.sealed), row.call_id, secrets=settings.PAYLOAD_KEYS, purpose=PURPOSE)
    except Unreadable:
        raise PayloadLost("This content was encrypted with a key that is gone; it cannot be shown.") from None
    audit.record("call_payload.read", row, actor=actor, now=now, after={"config": config.uuid})
    return Content(row, json.loads(content))


@transaction.atomic
def erase_payloads(config: AgentConfig, call_id: UUID | None, *, actor: Actor, now: datetime) -> int:
    """Erase the kept content of one call, or of all calls of the agent; returns of how many. Raises Forbidden."""
    require(actor, "payload.write", customer_id=config.customer_id, project_id=config.resource.project_id)
    rows = CallPayload.objects.filter(config_id=config.pk)
    if call_id is not None:
        rows = rows.filter(call_id=call_id)
    erased, _ = rows.delete()
    after: dict[str, Any] = {"erased": erased}
    if call_id is not None:
        after["call"] = call_id.hex
    audit.record("agent_config.payloads_erased", config, actor=actor, now=now, after=after)
    return erased


def sweep_payloads(*, now: datetime) -> int:
    """Erase content whose retention is over, in batches of a transaction each; returns of how many calls."""
    erased = 0
    while True:
        with tenancy.as_system("metering.sweep_payloads"):
            over = (
                CallPayload.objects.filter(expires_at__lte=now)
                .order_by("expires_at")
                .values("call_id")[:BATCH]
            )
            count, _ = CallPayload.objects.filter(call_id__in=over).delete()
        erased += count
        if count < BATCH:
            return erased
