"""Keys of an agent: made, put in each other's place, ended."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from agentmart.access.keys import Claims, Signing, make_key
from agentmart.access.models import ApiKey, GrantRow
from agentmart.access.services.grants import facts_of, locked, notify, state_of
from agentmart.access.terms import Terms
from agentmart.catalog.selectors import plan_limits
from agentmart.contracts.grants import GrantState
from agentmart.contracts.keys import PREFIXES, PUBLISHABLE, TEST, hash_key
from agentmart.contracts.signing import Ring, open_ring
from agentmart.identity import quotas
from agentmart.identity import services as identity
from agentmart.identity.permissions import require
from agentmart.infra import audit
from agentmart.infra.actors import Actor
from agentmart.kit.errors import Conflict, Invalid
from agentmart.kit.ids import new_id
from agentmart.resources.models import AgentConfig
from agentmart.resources.states import ResourceState

LONGEST = timedelta(days=10 * 365)
MAX_TEST_KEYS = 5
"""Living test keys of one agent: their calls cost nothing."""


@lru_cache(maxsize=8)
def _ring(secret: str, algorithm: str, file: str) -> Ring:
    """Return this process's ring of signing keys."""
    return open_ring(secret, algorithm, file)


def signing(now: datetime) -> Signing:
    """Return how this installation signs keys now; raises BadRing where it cannot."""
    keys: dict[str, Any] = settings.AGENT_KEYS
    key = _ring(keys["SECRET_KEY"], keys["ALGORITHM"], keys["FILE"]).signer(now)
    return Signing(key.signer, key.algorithm, keys["ISSUER"], keys["AUDIENCE"], key.kid)


@transaction.atomic
def issue_key(
    config: AgentConfig, *, actor: Actor, now: datetime, expires_at: datetime | None = None, **terms: Any
) -> tuple[ApiKey, str]:
    """Make a key of one agent; returns its row and its text, for this one showing. `terms` are those of `Terms`.

    Raises Forbidden, CustomerBlocked (409), Conflict (resource not OK, too many test keys), QuotaExceeded, or
    Invalid that names the field (a time that is over, no origins, looser than the plan).
    """
    require(actor, "key.write", customer_id=config.customer_id, project_id=config.resource.project_id)
    config = locked(config)
    _require_usable(config)
    wanted = Terms(**terms)
    wanted.check(plan=plan_limits(config.resource.plan), origins=config.allowed_origins)
    expires = expires_at or now + timedelta(days=settings.KEY_EXPIRY_DAYS)
    if expires <= now:
        raise Invalid("The key would have expired already.", field="expires_at")
    if expires > now + LONGEST:
        raise Invalid(f"A key lasts {LONGEST.days} days at most.", field="expires_at")
    if wanted.environment == TEST:
        _require_room_for_tests(config, now)
    _claim_key(config.customer_id, now=now)
    key, text = _insert_key(config, wanted, actor=actor, now=now, expires=expires)
    audit.record("api_key.issued", key, actor=actor, now=now, after=_told(wanted, expires))
    return key, text


def _require_usable(config: AgentConfig) -> None:
    """Raise CustomerBlocked or Conflict (wrong_state) where no key can be made now."""
    resource = config.resource
    identity.require_not_blocked(resource.customer)
    if resource.state != ResourceState.OK:
        raise Conflict(
            f"{resource.name} is {resource.state}; a key needs it OK.",
            code="wrong_state",
            extra={"state": resource.state},
        )


def _require_room_for_tests(config: AgentConfig, now: datetime) -> None:
    """Raise Conflict (quota_exceeded) where the agent has as many test keys as it may have."""
    living = ApiKey.objects.filter(config_id=config.pk, environment=TEST).counted(now).count()
    if living >= MAX_TEST_KEYS:
        raise Conflict(
            f"An agent has {MAX_TEST_KEYS} test keys at most; revoke one.",
            code="quota_exceeded",
            extra={"quota": "test_keys", "limit": MAX_TEST_KEYS, "usage": living},
        )


def _told(wanted: Terms, expires: datetime) -> dict[str, Any]:
    """Return what the audit log says of a new key."""
    return {
        "name": wanted.name,
        "kind": wanted.kind,
        "environment": wanted.environment,
        "scopes": list(wanted.scopes),
        "allowed_origins": list(wanted.allowed_origins),
        "allowed_ips": list(wanted.allowed_ips),
        "limits": dict(wanted.limits),
        "expires_at": expires.isoformat(),
    }


def _claim_key(customer_id: UUID, *, now: datetime) -> None:
    """Count one more key of the customer; those that expired since the last count make room (QuotaExceeded else)."""
    quotas.lock(customer_id)
    living = ApiKey.objects.filter(customer_id=customer_id).counted(now).count()
    quotas.correct(customer_id, quotas.API_KEYS, usage=living, now=now)
    quotas.claim(customer_id, quotas.API_KEYS, now=now)


def _insert_key(
    config: AgentConfig, wanted: Terms, *, actor: Actor, now: datetime, expires: datetime
) -> tuple[ApiKey, str]:
    """Write a key and its Grant, and tell the gateway; returns the row and the key's text."""
    key_id = new_id()
    text = _sign(key_id, config, wanted, now=now, expires=expires)
    public = wanted.kind == PUBLISHABLE
    key = ApiKey.objects.create(
        id=key_id,
        customer_id=config.customer_id,
        project_id=config.resource.project_id,
        config_id=config.id,
        name=wanted.name,
        kind=wanted.kind,
        environment=wanted.environment,
        scopes=list(wanted.scopes),
        allowed_origins=list(wanted.allowed_origins),
        allowed_ips=list(wanted.allowed_ips),
        limits=dict(wanted.limits),
        prefix=f"ar_{PREFIXES[wanted.kind]}_{wanted.environment}_",
        last4=text[-4:],
        public_text=text if public else "",
        created_by=actor.label,
        expires_at=expires,
        created=now,
        modified=now,
    )
    GrantRow.objects.create(
        key_id=key_id,
        key_sha256=hash_key(text),
        kind=wanted.kind,
        environment=wanted.environment,
        state=state_of(config.resource),
        scopes=list(wanted.scopes),
        expires_at=expires,
        key_limits=wanted.caps(settings.TEST_KEY_CAPS) or None,
        allowed_origins=(key.allowed_origins or config.allowed_origins) if public else [],
        allowed_ips=key.allowed_ips,
        **facts_of(config),
    )
    notify(key_id.hex)
    return key, text


def _sign(key_id: UUID, config: AgentConfig, wanted: Terms, *, now: datetime, expires: datetime) -> str:
    """Return the key's text."""
    claims = Claims(
        key_id=key_id,
        tenant_id=config.customer_id,
        project_id=config.resource.project_id,
        config_uuid=config.id,
        scopes=tuple(wanted.scopes),
        issued_at=now,
        expires_at=expires,
    )
    return make_key(claims, kind=wanted.kind, environment=wanted.environment, signing=signing(now))


@transaction.atomic
def revoke_key(key: ApiKey, *, project_id: Any, actor: Actor, now: datetime) -> ApiKey:
    """End a key at once; revoking it again changes nothing."""
    require(actor, "key.revoke", customer_id=key.customer_id, project_id=project_id)
    this = ApiKey.objects.filter(pk=key.pk)
    this.select_for_update().get()
    if (
        GrantRow.objects.filter(key_id=key.pk)
        .exclude(state=GrantState.REVOKED)
        .update(state=GrantState.REVOKED)
    ):
        notify(key.id.hex)
        if this.counted(now).exists():  # neither expired nor rotated: those gave their place back already
            quotas.release(key.customer_id, quotas.API_KEYS, now=now)
        this.update(revoked_at=now, modified=now)
        audit.record("api_key.revoked", key, actor=actor, now=now)
        key.revoked_at = now
    return key


@transaction.atomic
def rotate_key(
    config: AgentConfig, key: ApiKey, *, overlap: timedelta, actor: Actor, now: datetime
) -> tuple[ApiKey, str]:
    """Put a new key of the same terms in the place of one that lives; the old one is accepted for `overlap` longer.

    The new one lasts as long as the old one was made to last. Returns its row and its text, for this one showing.
    Raises Forbidden, CustomerBlocked (409), Conflict (wrong_state) for a key that has ended or been rotated, or a
    resource that is not OK; Invalid where the key's terms have become impossible.
    """
    require(actor, "key.write", customer_id=config.customer_id, project_id=config.resource.project_id)
    config = locked(config)
    _require_usable(config)
    ends = now + overlap
    living = ApiKey.objects.filter(pk=key.pk, revoked_at=None).exclude(expires_at__lte=now)
    if not living.update(revoked_at=ends, modified=now):
        raise Conflict(f"{key.name} has ended; make a new key.", code="wrong_state")
    grants = GrantRow.objects.filter(key_id=key.pk)
    grants.update(accept_until=ends) if overlap else grants.update(state=GrantState.REVOKED)
    notify(key.id.hex)
    same = Terms(
        name=key.name,
        kind=key.kind,
        environment=key.environment,
        scopes=key.scopes,
        allowed_origins=key.allowed_origins,
        allowed_ips=key.allowed_ips,
        limits=_within_plan(key.limits, plan_limits(config.resource.plan)),
    )
    same.check(plan=plan_limits(config.resource.plan), origins=config.allowed_origins)
    lasts = key.expires_at - key.created if key.expires_at else timedelta(days=settings.KEY_EXPIRY_DAYS)
    new, text = _insert_key(config, same, actor=actor, now=now, expires=now + lasts)
    after = {"new_key": new.uuid, "accepted_until": ends.isoformat()}
    audit.record("api_key.rotated", key, actor=actor, now=now, after=after)
    return new, text


def _within_plan(limits: dict[str, int], plan: dict[str, Any]) -> dict[str, int]:
    """Return a key's limits where the plan may have become tighter than they were."""
    return {
        name: value if plan.get(name) is None else min(value, plan[name]) for name, value in limits.items()
    }
