"""Writes: keys, and the Grants published from everything that decides what a key may do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, QuerySet

from agentmart.access.keys import Claims, Signing, make_key
from agentmart.access.models import ApiKey, GrantRow, IdempotentCall
from agentmart.catalog.selectors import plan_limits
from agentmart.catalog.states import OfferingState
from agentmart.contracts.grants import GrantState
from agentmart.contracts.keys import SCOPES, SECRET, hash_key
from agentmart.contracts.tables import GRANT_CHANNEL
from agentmart.identity import quotas
from agentmart.identity import services as identity
from agentmart.identity.models import Customer
from agentmart.identity.permissions import require
from agentmart.infra import audit, tenancy
from agentmart.infra.actors import Actor
from agentmart.kit.errors import Conflict, Invalid
from agentmart.kit.ids import new_id
from agentmart.resources import services as resource_services
from agentmart.resources.models import AgentConfig, Resource
from agentmart.resources.states import ResourceState


def signing() -> Signing:
    """Return how this installation signs keys."""
    keys: dict[str, Any] = settings.AGENT_KEYS
    return Signing(keys["SECRET_KEY"], keys["ALGORITHM"], keys["ISSUER"], keys["AUDIENCE"])


@transaction.atomic
def issue_key(
    config: AgentConfig,
    *,
    actor: Actor,
    now: datetime,
    name: str,
    scopes: Sequence[str] = SCOPES,
    environment: str = "live",
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """Make a secret key of one agent; returns its row and its text, for this one showing.

    Raises Forbidden, CustomerBlocked (409), Conflict (resource not OK), Invalid (expires_at in the past).
    """
    require(actor, "key.write", customer_id=config.customer_id, project_id=config.resource.project_id)
    config = _locked(config)
    resource = config.resource
    identity.require_not_blocked(resource.customer)
    if resource.state != ResourceState.OK:
        raise Conflict(f"{resource.name} is {resource.state}; a key needs it OK.", code="wrong_state")
    expires = expires_at or now + timedelta(days=settings.KEY_EXPIRY_DAYS)
    if expires <= now:
        raise Invalid("The key would have expired already.", field="expires_at")
    _claim_key(config.customer_id, now=now)
    key, text = _insert_key(
        config, actor=actor, now=now, name=name, scopes=scopes, environment=environment, expires=expires
    )
    audit.record("api_key.issued", key, actor=actor, now=now, after={"name": name, "scopes": list(scopes)})
    return key, text


def _claim_key(customer_id: UUID, *, now: datetime) -> None:
    """Count one more key of the customer; those that expired since the last count make room (QuotaExceeded else)."""
    quotas.lock(customer_id)
    living = ApiKey.objects.filter(customer_id=customer_id).counted(now).count()
    quotas.correct(customer_id, quotas.API_KEYS, usage=living, now=now)
    quotas.claim(customer_id, quotas.API_KEYS, now=now)


def _insert_key(
    config: AgentConfig,
    *,
    actor: Actor,
    now: datetime,
    name: str,
    scopes: Sequence[str],
    environment: str,
    expires: datetime,
) -> tuple[ApiKey, str]:
    """Write a secret key and its Grant, and tell the gateway; returns the row and the key's text."""
    key_id = new_id()
    text = _sign(
        key_id, config, kind=SECRET, environment=environment, scopes=scopes, now=now, expires=expires
    )
    key = ApiKey.objects.create(
        id=key_id,
        customer_id=config.customer_id,
        project_id=config.resource.project_id,
        config_id=config.id,
        name=name,
        kind=SECRET,
        environment=environment,
        scopes=list(scopes),
        prefix=f"ar_sk_{environment}_",
        last4=text[-4:],
        created_by=actor.label,
        expires_at=expires,
        created=now,
        modified=now,
    )
    GrantRow.objects.create(
        key_id=key_id,
        key_sha256=hash_key(text),
        kind=SECRET,
        environment=environment,
        state=GrantState.ACTIVE,
        scopes=list(scopes),
        expires_at=expires,
        **_facts(config),
    )
    _notify(key_id.hex)
    return key, text


def _locked(config: AgentConfig) -> AgentConfig:
    """Return the settings as they stand once nobody else can end the resource or block its customer.

    Locks are taken resource first, then customer, by everybody who writes Grants.
    """
    Resource.objects.select_for_update(no_key=True).get(pk=config.resource_id)
    Customer.objects.select_for_update(no_key=True).get(pk=config.customer_id)
    return AgentConfig.objects.select_related("resource__customer", "resource__plan").get(pk=config.pk)


def _sign(
    key_id: UUID,
    config: AgentConfig,
    *,
    kind: str,
    environment: str,
    scopes: Sequence[str],
    now: datetime,
    expires: datetime,
) -> str:
    """Return the key's text."""
    claims = Claims(
        key_id=key_id,
        tenant_id=config.customer_id,
        project_id=config.resource.project_id,
        config_uuid=config.id,
        scopes=tuple(scopes),
        issued_at=now,
        expires_at=expires,
    )
    return make_key(claims, kind=kind, environment=environment, signing=signing())


def _facts(config: AgentConfig) -> dict[str, Any]:
    """Return what every Grant of an agent says: whose it is, what runs, limits and tweaks."""
    resource = config.resource
    return {
        "customer_id": config.customer_id,
        "provider_customer_id": resource.provider_customer_id,
        "project_id": resource.project_id,
        "resource_id": resource.id,
        "config_id": config.id,
        "offering_id": resource.offering_id,
        "plan_id": resource.plan_id,
        "flow_version_id": resource.flow_version_id,
        "runtime": resource.runtime,
        "deployment_id": resource.deployment_id,
        "model": resource.offering.slug,
        "limits": plan_limits(resource.plan),
        "tweakable": config.tweakable,
        "tweaks": config.tweaks,
        "on_disconnect": resource.offering.on_disconnect,
        "budget": _budget(config),
    }


def _budget(config: AgentConfig) -> dict[str, str] | None:
    """Return the buyer's monthly budget as contracts.grants.Budget, None where none is set."""
    wanted = config.budget
    if wanted.get("monthly") is None:
        return None
    currency = wanted.get("currency", settings.CURRENCY)
    return {"amount": wanted["monthly"], "currency": currency, "action": wanted.get("action", "notify")}


def _notify(payload: str) -> None:
    """Tell every gateway, at commit, that a Grant changed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [GRANT_CHANNEL, payload])


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
        _notify(key.id.hex)
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
    """Put a new key in the place of one that lives; the old one is accepted for `overlap` longer.

    Returns the new row and its text, for this one showing. Raises Forbidden, CustomerBlocked (409), Conflict
    (wrong_state) for a key that has ended or been rotated, or a resource that is not OK.
    """
    require(actor, "key.write", customer_id=config.customer_id, project_id=config.resource.project_id)
    config = _locked(config)
    identity.require_not_blocked(config.resource.customer)
    if config.resource.state != ResourceState.OK:
        raise Conflict(
            f"{config.resource.name} is {config.resource.state}; a key needs it OK.", code="wrong_state"
        )
    ends = now + overlap
    living = ApiKey.objects.filter(pk=key.pk, revoked_at=None).exclude(expires_at__lte=now)
    if not living.update(revoked_at=ends, modified=now):
        raise Conflict(f"{key.name} has ended; make a new key.", code="wrong_state")
    grants = GrantRow.objects.filter(key_id=key.pk)
    grants.update(accept_until=ends) if overlap else grants.update(state=GrantState.REVOKED)
    _notify(key.id.hex)
    new, text = _insert_key(
        config,
        actor=actor,
        now=now,
        name=key.name,
        scopes=key.scopes,
        environment=key.environment,
        expires=now + timedelta(days=settings.KEY_EXPIRY_DAYS),
    )
    after = {"new_key": new.uuid, "accepted_until": ends.isoformat()}
    audit.record("api_key.rotated", key, actor=actor, now=now, after=after)
    return new, text


def state_of(resource: Resource) -> GrantState:
    """Return what a live key of this resource may do now, the strongest reason first."""
    if resource.state not in (ResourceState.OK, ResourceState.UPDATING):
        return GrantState.TERMINATED  # also Erred: its end was ordered, charges have stopped
    if resource.customer.blocked:
        return GrantState.CUSTOMER_BLOCKED
    if resource.offering.state == OfferingState.UNAVAILABLE:
        return GrantState.UNAVAILABLE
    if resource.paused:
        return GrantState.RESOURCE_PAUSED
    return GrantState.ACTIVE


@transaction.atomic
def publish_grants(resources: QuerySet[Resource]) -> int:
    """Bring the Grants of these resources in step with plan, settings and states; returns how many changed.

    Runs with all tenants visible: what a key may do also depends on rows of the provider. The rows that decide
    are locked first, or a Grant computed from older ones could be written over a newer one.
    """
    changed = 0
    with tenancy.elevated():
        locked = list(
            resources.order_by("pk").select_for_update(no_key=True).values_list("pk", "customer_id")
        )
        customers = {customer_id for _, customer_id in locked}
        list(Customer.objects.filter(pk__in=customers).order_by("pk").select_for_update(no_key=True))
        rows = Resource.objects.filter(pk__in=[pk for pk, _ in locked], config__isnull=False)
        for resource in rows.select_related("customer", "offering", "plan", "config"):
            live = GrantRow.objects.filter(resource_id=resource.id).exclude(state=GrantState.REVOKED)
            ids = list(live.values_list("key_id", flat=True))
            changed += live.update(state=state_of(resource), **_facts(resource.config))
            for key_id in ids:
                _notify(key_id.hex)
    return changed


@transaction.atomic
def set_blocked(
    customer: Customer, blocked: bool, *, reason: str = "", actor: Actor, now: datetime
) -> Customer:
    """Block or unblock a customer, keys included; doing it twice changes nothing."""
    require(actor, "customer.block", customer_id=customer.id)
    held = Resource.objects.filter(customer=customer)
    list(
        held.order_by("pk").select_for_update(no_key=True).values_list("pk")
    )  # resources first, as everybody
    if identity.set_blocked(customer, blocked, reason=reason, actor=actor, now=now):
        publish_grants(held)
    return customer


@transaction.atomic
def set_paused(resource: Resource, paused: bool, *, actor: Actor, now: datetime) -> Resource:
    """Pause a resource, keys included, or let calls in again; doing it twice changes nothing."""
    if resource_services.set_paused(resource, paused, actor=actor, now=now):
        publish_grants(Resource.objects.filter(pk=resource.pk))
    return resource


@transaction.atomic
def update_config(
    config: AgentConfig, changes: Mapping[str, Any], *, actor: Actor, now: datetime
) -> AgentConfig:
    """Change the buyer's settings of an agent, in force at the gateway with the commit.

    Raises what `resources.services.update_config` raises.
    """
    config = resource_services.update_config(config, changes, actor=actor, now=now)
    publish_grants(Resource.objects.filter(pk=config.resource_id))
    return config


@transaction.atomic
def switch_version(config_id: str, version_id: str, *, actor: Actor, now: datetime) -> AgentConfig:
    """Note that a deployed version is the one that answers, and tell the gateway."""
    config, version = resource_services.wanted_version(config_id, version_id)
    Resource.objects.select_for_update(no_key=True).get(pk=config.resource_id)
    config = resource_services.use_version(config, version, actor=actor, now=now)
    publish_grants(Resource.objects.filter(pk=config.resource_id))
    return config


@transaction.atomic
def follow_latest(*, actor: Actor, now: datetime) -> int:
    """Ask for the offering's version for agents that follow it and run another; returns how many."""
    behind = AgentConfig.objects.filter(
        follows_latest=True,
        resource__state=ResourceState.OK,
        resource__error_message="",  # the last deployment failed: the buyer asks again, not every minute
        resource__offering__flow_version__isnull=False,
    ).exclude(resource__flow_version=F("resource__offering__flow_version"))
    return sum(
        resource_services.ask_for_version(config, config.resource.offering.flow_version_id)
        for config in behind.select_related("resource__offering")
    )


def sweep_idempotent_calls(*, now: datetime) -> int:
    """Delete calls whose idempotency key may be used again; returns how many. Calls under way are not among them."""
    with tenancy.as_system("access.sweep_idempotent_calls"):
        deleted, _ = IdempotentCall.objects.filter(expires_at__lte=now).delete()
    return deleted
