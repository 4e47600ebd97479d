"""Opening an issue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Q

from agentmart.catalog.selectors import plan_limits
from agentmart.identity.models import Customer, Membership, Project, User
from agentmart.infra import audit
from agentmart.infra.actors import Actor
from agentmart.kit.errors import Invalid
from agentmart.resources.models import Resource
from agentmart.support.models import Issue
from agentmart.support.services import clocks, rights, talking
from agentmart.support.states import IssueType, Priority

KEY_PREFIX = "AM"


@dataclass(frozen=True, slots=True)
class Place:
    """What an issue is about; the parts agree."""

    customer: Customer | None = None
    project: Project | None = None
    resource: Resource | None = None
    order: Any = None  # ordering's row: a sibling of this module, known here by its columns alone


def place_of(
    actor: Actor,
    *,
    customer: Customer | None = None,
    project: Project | None = None,
    resource: Resource | None = None,
    order: Any = None,
) -> Place:
    """Return what an issue is about, what is left out taken from what is named.

    A resource stands for its buyer, or for its provider where the actor is on that side. Raises Invalid (by
    field) where the parts do not agree, and Forbidden where the actor may not open an issue there.
    """
    if order is not None:
        if resource is not None and order.resource_id != resource.id:
            raise Invalid("The order is not one of this resource.", field="order")
        resource = order.resource
    if customer is None and project is not None:
        customer = project.customer
    if customer is None and resource is not None:
        customer = _side_of(actor, resource)
    if customer is not None and project is not None and project.customer_id != customer.id:
        raise Invalid(f"Project {project.name} is not one of {customer.name}.", field="project")
    if resource is not None:
        project = _project_of(resource, customer, project)
    rights.require_open(actor, customer, project)
    return Place(customer, project, resource, order)


def _side_of(actor: Actor, resource: Resource) -> Customer:
    """Return the buyer of a resource, or its provider where the actor belongs to that side alone."""
    sides = (resource.customer_id, resource.provider_customer_id)
    buyer, provider = sides
    chosen = provider if not actor.is_operator and buyer not in actor.customer_ids else buyer
    return Customer.objects.get(pk=chosen)


def _project_of(resource: Resource, customer: Customer | None, project: Project | None) -> Project | None:
    """Return the project of an issue about a resource; raises Invalid where customer and project do not fit."""
    if customer is None or customer.id not in (resource.customer_id, resource.provider_customer_id):
        raise Invalid(f"Resource {resource.name} is not one of this customer.", field="resource")
    if customer.id != resource.customer_id:
        return project
    if project is not None and project.id != resource.project_id:
        raise Invalid(f"Resource {resource.name} is not in project {project.name}.", field="resource")
    return resource.project


@transaction.atomic
def open_issue(
    *,
    actor: Actor,
    now: datetime,
    place: Place,
    summary: str,
    description: str = "",
    type: str = IssueType.SERVICE_REQUEST,
    priority: str | None = None,
    caller: User | None = None,
    assignee: User | None = None,
    first_comment: str = "",
) -> Issue:
    """Open an issue, for oneself or (the desk) for somebody else; its clocks start now.

    Raises Forbidden, Invalid for a caller who does not belong to the customer or an assignee who is not of the
    desk. A blocked customer may open issues too.
    """
    rights.require_open(actor, place.customer, place.project)
    rights.require_for_others(actor, caller=caller, assignee=assignee)
    reporter = User.objects.get(pk=rights.person(actor))
    caller = caller or reporter
    require_caller(caller, place.customer, now=now)
    require_desk(assignee)
    number = _next_number()
    issue = Issue(
        number=number,
        key=f"{KEY_PREFIX}-{number}",
        created=now,
        modified=now,
        type=type,
        summary=summary,
        description=description,
        priority=priority or _usual_priority(place.resource),
        caller=caller,
        reporter=reporter,
        assignee=assignee,
        customer=place.customer,
        project=place.project,
        resource=place.resource,
        order=place.order,
    )
    clocks.set_targets(issue)
    issue.save(force_insert=True)
    _tell(issue, actor=actor, now=now)
    if first_comment:
        talking.comment(issue, first_comment, actor=actor, now=now)
        issue.refresh_from_db()
    return issue


def _tell(issue: Issue, *, actor: Actor, now: datetime) -> None:
    """Write that the issue was opened."""
    facts = {
        "key": issue.key,
        "type": issue.type,
        "priority": issue.priority,
        "caller": issue.caller.username,
        "assignee": issue.assignee.username if issue.assignee else None,
    }
    audit.record("issue.opened", issue, actor=actor, now=now, after=facts)


def require_caller(caller: User, customer: Customer | None, *, now: datetime) -> None:
    """Raise Invalid (field caller) for somebody who neither belongs to the customer nor is an operator.

    They could never see the issue.
    """
    if customer is None or caller.operator_roles:
        return
    in_force = Q(expires_at=None) | Q(expires_at__gt=now)
    if not Membership.objects.filter(in_force, user=caller, customer=customer).exists():
        raise Invalid(f"{caller.username} does not belong to {customer.name}.", field="caller")


def require_desk(assignee: User | None) -> None:
    """Raise Invalid (field assignee) for somebody who does not work at the desk."""
    if assignee is not None and not (assignee.is_active and (assignee.is_staff or assignee.is_support)):
        raise Invalid("Only staff and support can be assigned.", field="assignee")


def _usual_priority(resource: Resource | None) -> Priority:
    """Return the priority of who names none: one step up where the resource's plan promises priority support."""
    promised = resource is not None and plan_limits(resource.plan).get("priority") is True
    return Priority.HIGH if promised else Priority.MEDIUM


def _next_number() -> int:
    """Return the number of the next issue; a number whose transaction fails is not used again."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('support_issue_number')")
        (number,) = cursor.fetchone()
    return int(number)
