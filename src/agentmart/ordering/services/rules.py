"""Rules by which a side approves orders beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from agentmart.identity.models import Customer, User
from agentmart.identity.permissions import require
from agentmart.infra import audit
from agentmart.infra.actors import Actor
from agentmart.infra.models import snapshot
from agentmart.kit.errors import Invalid
from agentmart.ordering.models import ApprovalRule
from agentmart.ordering.states import Side

FACTS = ("side", "project_id", "offering_id", "category_id", "buyer_id", "role", "cost_limit", "enabled")


def require_rule(actor: Actor, side: str, customer: Customer) -> None:
    """Raise Forbidden unless the actor makes rules for that side of that customer."""
    if side == Side.CONSUMER:
        require(actor, "approval_rule.write_as_consumer", customer_id=customer.id)
    else:
        require(actor, "approval_rule.write_as_provider", provider_id=customer.id)


def _signed(actor: Actor, word: str) -> dict[str, Any]:
    """Return who did it, as columns that begin with `word`."""
    person = User.objects.filter(pk=actor.user_id).first() if actor.user_id else None
    return {
        f"{word}_by_id": actor.user_id,
        f"{word}_by_username": actor.label,
        f"{word}_by_full_name": person.get_full_name() if person else "",
    }


def _check(rule: ApprovalRule) -> None:
    """Raise Invalid for conditions that do not fit together, or that would approve everything for the buyer."""
    if rule.project is not None and rule.project.customer_id != rule.customer_id:
        raise Invalid("The project belongs to another customer.", field="project")
    if rule.side == Side.PROVIDER:
        if rule.offering is not None and rule.offering.customer_id != rule.customer_id:
            raise Invalid("The offering belongs to another provider.", field="offering")
        if rule.project is not None or rule.role:
            raise Invalid("Project and role are conditions of a buyer's rule.", field="side")
    elif rule.buyer_id is not None:
        raise Invalid("The customer it is for is a condition of a provider's rule.", field="for_customer")
    elif rule.cost_limit is None:
        raise Invalid("Say up to which cost orders are approved.", field="cost_limit")


@transaction.atomic
def create_rule(
    *, actor: Actor, now: datetime, side: str, customer: Customer, **conditions: Any
) -> ApprovalRule:
    """Add a rule; raises Forbidden, or Invalid for conditions that do not fit together."""
    require_rule(actor, side, customer)
    rule = ApprovalRule(side=side, customer=customer, created=now, modified=now, **conditions)
    _check(rule)
    for name, value in {**_signed(actor, "created"), **_signed(actor, "modified")}.items():
        setattr(rule, name, value)
    rule.save(force_insert=True)
    audit.record("approval_rule.created", rule, actor=actor, now=now, after=snapshot(rule, *FACTS))
    return rule


@transaction.atomic
def update_rule(
    rule: ApprovalRule, changes: Mapping[str, Any], *, actor: Actor, now: datetime
) -> ApprovalRule:
    """Change a rule's conditions, or switch it off; orders it has approved stay approved."""
    require_rule(actor, rule.side, rule.customer)
    before = snapshot(rule, *FACTS)
    for name, value in {**changes, **_signed(actor, "modified"), "modified": now}.items():
        setattr(rule, name, value)
    _check(rule)
    rule.save()
    after = snapshot(rule, *FACTS)
    audit.record("approval_rule.updated", rule, actor=actor, now=now, before=before, after=after)
    return rule


@transaction.atomic
def delete_rule(rule: ApprovalRule, *, actor: Actor, now: datetime) -> None:
    """Delete a rule; orders it has approved stay approved."""
    require_rule(actor, rule.side, rule.customer)
    audit.record("approval_rule.deleted", rule, actor=actor, now=now, before=snapshot(rule, *FACTS))
    ApprovalRule.objects.filter(pk=rule.pk).delete()
