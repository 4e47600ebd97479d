"""Who may do what: the one permission matrix (operator-api §4), and the checks that read it."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from agentmart.identity.models import Role
from agentmart.infra.actors import Actor
from agentmart.kit.errors import Forbidden

ROLE_LETTERS = {
    "St": "staff",
    "Su": "support",
    "Fi": "finance",
    "Ca": "catalog",
    "CO": Role.CUSTOMER_OWNER,
    "CM": Role.CUSTOMER_MANAGER,
    "CS": Role.CUSTOMER_SUPPORT,
    "PA": Role.PROJECT_ADMIN,
    "PM": Role.PROJECT_MANAGER,
    "Pm": Role.PROJECT_MEMBER,
    "PO": Role.CUSTOMER_OWNER,  # owner of the provider's customer
    "OM": Role.OFFERING_MANAGER,
}

MATRIX: dict[str, str] = {
    "category.write": "St Ca",
    "offering.create": "St Ca PO",
    "offering.edit": "St Ca PO OM",
    "offering.activate": "St Ca",
    "offering.activate_own": "PO",
    "offering.pause": "St Ca PO OM",
    "offering.secrets": "St PO OM",
    "provider.edit": "St PO",
    "plan.write": "St Ca PO",
    "plan.edit": "St Ca PO OM",
    "plan.price": "St Ca PO OM",
    "order.place": "St CO CM PA PM Pm",
    "resource.edit": "St CO CM PA PM",
    "resource.terminate": "St CO CM PA PM PO OM",
    "order.review_as_consumer": "St CO CM",
    "order.review_as_consumer_private": "St CO CM PA PM",
    "order.review_as_provider": "St PO OM",
    "order.comment": "St Su CO CM CS PA PM Pm PO OM",
    "approval_rule.write_as_consumer": "St CO",
    "approval_rule.write_as_provider": "St PO",
    "resource.pause": "St",
    "usage.report": "St Fi PO OM",
    "usage.correct": "St Fi",
    "customer.create": "St",
    "customer.block": "St",
    "customer.edit": "St Fi CO",
    "customer.edit_staff_fields": "St",
    "customer.edit_plain_fields": "St CO",
    "customer.edit_tax": "St Fi",
    "customer.delete": "St",
    "project.create": "St CO CM",
    "project.edit": "St CO CM PM",
    "project.delete": "St CO",
    "member.see": "St Su CO CM CS",
    "member.see_in_project": "St Su CO CM CS PA PM Pm",
    "member.write": "St CO",
    "member.write_in_project": "St CO PM",
    "issue.open": "St Su Ca CO CM CS PA PM Pm PO OM",
    "issue.see": "St Su Fi CO CM CS",
    "issue.comment": "St Su CO CM CS",
    "issue.handle": "St Su",
    "issue.moderate": "St",
    "issue.delete": "St",
    "sla.write": "St",
    "user.see": "St Su",
    "user.write": "St",
    "user.impersonate": "St",
    "agent.write": "St PO OM",
    "agent.see": "St Ca PO OM",
    "studio.use": "St PO OM",
    "config.see": "St Su Fi CO CM CS PA PM Pm",
    "config.edit": "CO CM PA PM",
    "key.see": "St CO CM PA PM",
    "key.write": "CO CM PA PM",
    "key.revoke": "St CO CM PA PM",
    "widget.embed": "CO CM PA PM",
    "usage.see": "St Su Fi CO CM CS PA PM Pm PO OM",
    "payload.see": "CO CM",
    "payload.write": "CO CM",
    "invoice.see": "St Su Fi CO CM",
    "invoice.write": "St Fi",
    "audit.see": "St Su Fi CO",
    "stats.revenue": "St Su Fi",
    "stats.usage": "St Su Fi Ca",
    "stats.own_revenue": "St Su Fi PO",
}
"""Operation → the roles that may do it: operators everywhere, the others in their own customer or project."""

IN_PERSON = frozenset({"key.write", "payload.see"})
"""What staff does not do while acting as somebody: its result would outlive the acting, or is not for their eyes."""

OPERATOR_LETTERS = frozenset({"St", "Su", "Fi", "Ca"})


PROVIDER_LETTERS = frozenset({"PO", "OM"})


def permitted(
    actor: Actor,
    operation: str,
    *,
    customer_id: UUID | None = None,
    project_id: UUID | None = None,
    provider_id: UUID | None = None,
) -> bool:
    """Return whether the actor may do `operation` on something of that customer (and project), or provider.

    The buyer's roles count in `customer_id`, the provider's (PO, OM) in `provider_id`: a thing that both sides
    share names both.
    """
    if actor.system:
        return True
    if actor.impersonator_id is not None and operation in IN_PERSON:
        return False
    letters = frozenset(MATRIX[operation].split())
    if actor.operator_roles & _roles(letters & OPERATOR_LETTERS):
        return True
    if provider_id is not None and provider_id in actor.customers_as(_roles(letters & PROVIDER_LETTERS)):
        return True
    buyers = _roles(letters - OPERATOR_LETTERS - PROVIDER_LETTERS)
    return customer_id is not None and any(
        grant.customer_id == customer_id and grant.role in buyers and grant.project_id in (None, project_id)
        for grant in actor.grants
    )


def _roles(letters: frozenset[str]) -> frozenset[str]:
    """Return the roles behind the letters."""
    return frozenset(str(ROLE_LETTERS[letter]) for letter in letters)


def require(
    actor: Actor,
    operation: str,
    *,
    customer_id: UUID | None = None,
    project_id: UUID | None = None,
    provider_id: UUID | None = None,
) -> None:
    """Raise Forbidden (403) unless the actor may do `operation` there."""
    if not permitted(
        actor, operation, customer_id=customer_id, project_id=project_id, provider_id=provider_id
    ):
        raise Forbidden("You do not have permission to perform this action.", extra={"operation": operation})


def require_in_person(actor: Actor) -> None:
    """Raise Forbidden for staff that acts as somebody: logins, tokens and passwords are the person's own."""
    if actor.impersonator_id is not None:
        raise Forbidden("Nobody does this for somebody else.", extra={"acting_as": actor.username})


def viewer(actor: Actor, operation: str) -> Actor:
    """Return the actor as far as seeing goes: operator roles that may not see these rows do not count."""
    if not actor.operator_roles or permitted(actor, operation):
        return actor
    return replace(actor, operator_roles=frozenset())
