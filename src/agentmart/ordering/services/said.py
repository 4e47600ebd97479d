"""What a provider says of a resource outside of any order: that it runs, that it fails, that it is smaller."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from agentmart.access.services import publish_grants
from agentmart.identity.permissions import permitted, require
from agentmart.infra import tenancy
from agentmart.infra.actors import Actor
from agentmart.kit.errors import Invalid
from agentmart.ordering.services import checks
from agentmart.ordering.services.carry_out import CarriedOutHere
from agentmart.resources import services as resources
from agentmart.resources.models import Resource
from agentmart.resources.states import ResourceState


def require_word(resource: Resource, *, actor: Actor, states: tuple[str, ...]) -> None:
    """Raise what forbids a provider to say something of a resource: role, an open order, its state."""
    require(actor, "order.review_as_provider", provider_id=resource.provider_customer_id)
    checks.require_no_open_order(resource)
    if resource.state not in states:
        raise checks.wrong_state(resource.state, *states)


@transaction.atomic
def call_ok(resource: Resource, *, actor: Actor, now: datetime) -> Resource:
    """Note, on the provider's word, that an erred resource runs again; charges go on from now.

    Raises Forbidden, Conflict (409: not Erred, never ran, an open order, a blocked customer), CarriedOutHere for
    what the installation runs itself, of which only staff says so.
    """
    require_word(resource, actor=actor, states=(ResourceState.ERRED,))
    if resource.runtime and not permitted(actor, "resource.pause"):
        raise CarriedOutHere(f"{resource.name} is deployed by this installation; restore it instead.")
    checks.hold_unblocked(resource.customer_id)
    with tenancy.elevated():  # the buyer's settings are born with its resource
        resources.revive_resource(resource, actor=actor, now=now)
        publish_grants(Resource.objects.filter(pk=resource.pk))
    return resource


@transaction.atomic
def call_erred(resource: Resource, message: str, *, actor: Actor, now: datetime) -> Resource:
    """Note, on the provider's word, that a running resource fails; no calls until it is OK or restored.

    Raises Forbidden, Conflict (409: not OK, an open order).
    """
    require_word(resource, actor=actor, states=(ResourceState.OK,))
    said = message or "The provider reports a failure."
    with tenancy.elevated():
        resources.fail_resource(resource, said, actor=actor, now=now)
        publish_grants(Resource.objects.filter(pk=resource.pk))
    return resource


@transaction.atomic
def lower_limits(resource: Resource, limits: Mapping[str, Any], *, actor: Actor, now: datetime) -> Resource:
    """Give a running resource the limits that the provider's system has; only staff may raise one.

    Raises Forbidden, Conflict (409: not OK, an open order), Invalid (limits.TYPE) for one that is not ordered by
    limit, out of its bounds, or higher than what the buyer ordered.
    """
    require_word(resource, actor=actor, states=(ResourceState.OK,))
    checked = checks.checked_limits(resource.offering, limits, complete=False)
    for kind, quantity in checked.items():
        if quantity > resource.limits.get(kind, 0) and not permitted(actor, "resource.pause"):
            raise Invalid("A higher limit is ordered by the buyer.", field=f"limits.{kind}")
    with tenancy.elevated():
        resources.change_limits(resource, {**resource.limits, **checked}, actor=actor, now=now)
        publish_grants(Resource.objects.filter(pk=resource.pk))
    return resource
