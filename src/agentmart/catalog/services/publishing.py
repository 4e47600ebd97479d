"""Writes: offering an agent's versions, and the operator's review of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from agentmart.agents.models import Agent, FlowVersion
from agentmart.agents.states import TRANSITIONS, AgentState
from agentmart.catalog.models import AGENT_TYPE, Category, Offering, OfferingPrivate, Plan
from agentmart.catalog.services.lifecycle import change_state, may_activate
from agentmart.catalog.services.offerings import insert_offering
from agentmart.catalog.services.plans import insert_plan
from agentmart.catalog.states import OfferingState
from agentmart.identity.permissions import require
from agentmart.identity.services import require_not_blocked
from agentmart.infra import audit, transitions
from agentmart.infra.actors import Actor
from agentmart.kit.errors import Conflict, Invalid

PENDING, REJECTED = "pending", "rejected"


class CustomCodeNotAllowed(Conflict):
    """The version carries code that the operator does not allow this provider."""

    code = "permission_required"


class NothingToPublish(Conflict):
    """The agent has no imported version, or no plan to be sold by."""

    code = "not_publishable"


class NothingToReview(Conflict):
    """Nothing of the offering waits for an operator."""

    code = "wrong_state"


@transaction.atomic
def publish_agent(
    agent: Agent,
    *,
    actor: Actor,
    now: datetime,
    category: Category | None,
    plans: Sequence[Mapping[str, Any]],
    version: FlowVersion | None,
    **details: Any,
) -> Offering:
    """Offer an agent's version: creates the offering the first time, afterwards updates it and adds plans.

    Buyers keep the version they have. Under review it stays Draft until an operator activates it; of an offering
    that is live, version, plans and details wait as a revision until one approves them.
    Raises NothingToPublish (409) without version or plan, CustomCodeNotAllowed (409), CustomerBlocked (409),
    Invalid (category) the first time without one.
    """
    require(actor, "agent.write", provider_id=agent.customer_id)
    agent = Agent.objects.select_for_update().get(pk=agent.pk)
    require_not_blocked(agent.customer)
    version = version or agent.latest_version
    if version is None:
        raise NothingToPublish(f"Import a flow into {agent.name} first.")
    _require_trust(agent, version)
    offering = Offering.objects.select_for_update(no_key=True).filter(agent=agent).first()
    if offering is None:
        offering = _first_publication(agent, actor=actor, now=now, category=category, details=details)
        details = {}
    elif category is not None:
        details["category"] = category
    waits = offering.state != OfferingState.DRAFT and not may_activate(actor, offering.customer_id)
    for index, plan in enumerate(plans):
        insert_plan(offering, plan, actor=actor, now=now, path=f"plans[{index}].", pending=waits)
    if not offering.plans.filter(Q(archived=False) | Q(pending=True)).exists():
        raise NothingToPublish(f"Give {agent.name} at least one plan.")
    if waits:
        _hand_in(offering, version, details, with_plans=bool(plans), actor=actor, now=now)
    else:
        _go_live(offering, version, details, action="offering.published", actor=actor, now=now)
    _mark_published(agent, offering, actor=actor, now=now)
    if offering.state == OfferingState.DRAFT:
        if settings.PROVIDER_PUBLISH == "direct":
            change_state(offering, "activate", actor=actor, now=now)
        elif offering.review != PENDING:
            _set_review(offering, PENDING, now=now)
    return offering


def _require_trust(agent: Agent, version: FlowVersion) -> None:
    """Raise CustomCodeNotAllowed for a version that needs a permission its provider does not have (any more)."""
    if version.trust == "known" or agent.customer.custom_code_allowed:
        return
    nodes = [node["id"] for node in version.nodes if node["custom_code"] or node["capabilities"]]
    raise CustomCodeNotAllowed(
        f"Version {version.version} of {agent.name} needs permission for code of its own (nodes "
        f"{', '.join(nodes)}); an operator must allow it for {agent.customer.name}.",
        extra={"version": version.version, "nodes": nodes},
    )


def _first_publication(
    agent: Agent, *, actor: Actor, now: datetime, category: Category | None, details: Mapping[str, Any]
) -> Offering:
    """Create the agent's offering, in Draft and waiting for review where the installation asks for it."""
    if category is None:
        raise Invalid("Say in which category the agent is offered.", field="category")
    values = {"name": agent.name, "description": agent.description, **details}
    review = PENDING if settings.PROVIDER_PUBLISH == "review" else ""
    return insert_offering(
        Offering(
            customer=agent.customer, category=category, type=AGENT_TYPE, agent=agent, review=review, **values
        ),
        actor=actor,
        now=now,
    )


def _go_live(
    offering: Offering,
    version: FlowVersion,
    details: Mapping[str, Any],
    *,
    action: str,
    actor: Actor,
    now: datetime,
) -> None:
    """Sell this version under these details from now on."""
    values = {
        **details,
        "flow_version": version,
        "version": version.version,
        "custom_code": version.trust != "known",
        "modified": now,
    }
    Offering.objects.filter(pk=offering.pk).update(**values)
    offering.refresh_from_db()
    after = {"version": version.version, "custom_code": offering.custom_code}
    audit.record(action, offering, actor=actor, now=now, after=after)


def _hand_in(
    offering: Offering,
    version: FlowVersion,
    details: Mapping[str, Any],
    *,
    with_plans: bool,
    actor: Actor,
    now: datetime,
) -> None:
    """Let a revision of a live offering wait for an operator; one that changes nothing waits for nobody.

    What waits already is completed by it: the newest version and details, all plans handed in.
    """
    plain = {key: value.id.hex if isinstance(value, Category) else value for key, value in details.items()}
    if offering.flow_version_id == version.id and not plain and not with_plans and offering.review != PENDING:
        return
    private = OfferingPrivate.objects.select_for_update().get(pk=offering.pk)
    kept = private.revision.get("details", {}) if offering.review == PENDING else {}
    private.revision = {
        "version_id": version.id.hex,
        "version": version.version,
        "details": {**kept, **plain},
        "by": actor.label,
        "at": now.isoformat(),
    }
    private.review_comment = ""
    private.save(update_fields=["revision", "review_comment"])
    _set_review(offering, PENDING, now=now)
    after = {"version": version.version, "details": sorted(plain)}
    audit.record("offering.revision_handed_in", offering, actor=actor, now=now, after=after)


def _set_review(offering: Offering, review: str, *, now: datetime) -> None:
    """Note how the review of an offering stands."""
    Offering.objects.filter(pk=offering.pk).update(review=review, modified=now)
    offering.review = review


def _mark_published(agent: Agent, offering: Offering, *, actor: Actor, now: datetime) -> None:
    """Note that an agent is for sale; what its provider took off sale is sold again, unless it waits for review."""
    before = agent.state
    if before == AgentState.PUBLISHED:
        return
    transitions.move(
        agent,
        AgentState.PUBLISHED,
        transitions=TRANSITIONS,
        actor=actor,
        now=now,
        action="agent.published",
    )
    resting = before == AgentState.UNPUBLISHED and offering.state == OfferingState.PAUSED
    if resting and offering.review != PENDING:
        change_state(offering, "unpause", actor=actor, now=now, paused_reason="")


@transaction.atomic
def unpublish_agent(agent: Agent, *, actor: Actor, now: datetime) -> Agent:
    """Take an agent off sale: its offering pauses, buyers keep what they have.

    Raises Forbidden, IllegalTransition (409) unless the agent is published.
    """
    require(actor, "agent.write", provider_id=agent.customer_id)
    transitions.move(
        agent,
        AgentState.UNPUBLISHED,
        transitions=TRANSITIONS,
        actor=actor,
        now=now,
        action="agent.unpublished",
    )
    offering = Offering.objects.select_for_update(no_key=True).filter(agent=agent).first()
    if offering is not None and offering.state == OfferingState.ACTIVE:
        reason = "Taken off sale by its provider."
        change_state(offering, "pause", actor=actor, now=now, paused_reason=reason)
    return agent


def _waiting(offering: Offering, *, actor: Actor) -> tuple[Offering, OfferingPrivate]:
    """Return the locked offering and its private part; raises Forbidden, NothingToReview (409)."""
    if not may_activate(actor, offering.customer_id):
        require(actor, "offering.activate", provider_id=offering.customer_id)
    offering = Offering.objects.select_for_update(no_key=True, of=("self",)).get(pk=offering.pk)
    if offering.review != PENDING:
        raise NothingToReview(
            f"Nothing of {offering.name} waits for review.",
            extra={"state": str(offering.state), "review": offering.review},
        )
    return offering, OfferingPrivate.objects.get(pk=offering.pk)


@transaction.atomic
def approve_revision(offering: Offering, *, actor: Actor, now: datetime) -> Offering:
    """Let what waits for review go live; a Draft is activated. Holders keep the version they have.

    Raises Forbidden, NothingToReview (409), CustomCodeNotAllowed (409) where the permission is gone.
    """
    offering, private = _waiting(offering, actor=actor)
    if offering.state == OfferingState.DRAFT:
        return change_state(offering, "activate", actor=actor, now=now)
    details = dict(private.revision["details"])
    if "category" in details:
        details["category"] = Category.objects.get(pk=UUID(details["category"]))
    version = FlowVersion.objects.defer("flow").get(pk=UUID(private.revision["version_id"]))
    agent = Agent.objects.select_related("customer").get(pk=version.agent_id)
    _require_trust(agent, version)
    Plan.objects.filter(offering=offering, pending=True).update(archived=False, pending=False, modified=now)
    OfferingPrivate.objects.filter(pk=offering.pk).update(revision={})
    details["review"] = ""
    _go_live(offering, version, details, action="offering.revision_approved", actor=actor, now=now)
    return offering


@transaction.atomic
def reject_revision(offering: Offering, *, comment: str, actor: Actor, now: datetime) -> Offering:
    """Refuse what waits for review: its plans are removed, what is live stays; the provider reads `comment`.

    Raises Forbidden, NothingToReview (409).
    """
    offering, _ = _waiting(offering, actor=actor)
    for plan in Plan.objects.filter(offering=offering, pending=True):
        plan.delete()
    OfferingPrivate.objects.filter(pk=offering.pk).update(revision={}, review_comment=comment)
    _set_review(offering, REJECTED, now=now)
    after = {"comment": comment}
    audit.record("offering.revision_rejected", offering, actor=actor, now=now, after=after)
    return offering
