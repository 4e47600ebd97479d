"""Writes: projects."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import ProtectedError

from agentmart.identity import quotas
from agentmart.identity.models import Customer, Membership, Project
from agentmart.identity.permissions import require
from agentmart.identity.services.customers import lock_customer, require_not_blocked
from agentmart.identity.services.members import end_memberships
from agentmart.infra import audit
from agentmart.infra.actors import Actor
from agentmart.infra.models import snapshot
from agentmart.kit.errors import Conflict, Invalid


@transaction.atomic
def create_project(
    *, actor: Actor, now: datetime, customer: Customer, name: str, description: str = "", **details: Any
) -> Project:
    """Add a project; raises Forbidden, CustomerBlocked or QuotaExceeded (409), Invalid (end_date)."""
    require(actor, "project.create", customer_id=customer.id)
    require_not_blocked(lock_customer(customer.id))
    _check_dates(details.get("start_date"), details.get("end_date"), today=now.date())
    quotas.claim(customer.id, quotas.PROJECTS, now=now)
    project = Project.objects.create(
        customer=customer, name=name, description=description, created=now, modified=now, **details
    )
    audit.record("project.created", project, actor=actor, now=now, after=snapshot(project, "name", *details))
    return project


def _check_dates(start: date | None, end: date | None, *, today: date | None) -> None:
    """Raise Invalid (end_date) for an end before the start, or before `today` where that is given."""
    if start is not None and end is not None and end < start:
        raise Invalid("The last day cannot lie before the first.", field="end_date")
    if end is not None and today is not None and end < today:
        raise Invalid("The last day cannot lie in the past.", field="end_date")


@transaction.atomic
def update_project(project: Project, changes: Mapping[str, Any], *, actor: Actor, now: datetime) -> Project:
    """Change a project's details; raises Forbidden, Invalid (customer: a project stays where it is; end_date)."""
    require(actor, "project.edit", customer_id=project.customer_id, project_id=project.id)
    values = dict(changes)
    if values.pop("customer", project.customer) != project.customer:
        raise Invalid("A project stays with its customer.", field="customer")
    changed = {name: value for name, value in values.items() if getattr(project, name) != value}
    start, end = (changed.get(name, getattr(project, name)) for name in ("start_date", "end_date"))
    _check_dates(start, end, today=now.date() if "end_date" in changed else None)
    if not changed:
        return project
    before = snapshot(project, *changed)
    for name, value in changed.items():
        setattr(project, name, value)
    project.modified = now
    project.save(update_fields=[*changed, "modified"])
    audit.record(
        "project.updated",
        project,
        actor=actor,
        now=now,
        before=before,
        after=snapshot(project, *changed),
    )
    return project


def lock_project(project_id: UUID) -> Project:
    """Return the project as it is until the transaction ends; raises Conflict (409) where it has been deleted."""
    found = Project.objects.select_for_update().filter(pk=project_id, removed_at=None).first()
    if found is None:
        raise Conflict("This project has been deleted.", code="project_deleted")
    return found


@transaction.atomic
def delete_project(project: Project, *, actor: Actor, now: datetime) -> None:
    """Remove a project with its roles; one that things once ran in is only hidden, for its invoices.

    Nothing may run in it any more: `access.services.delete_project` looks. Raises Forbidden, Conflict (409).
    """
    require(actor, "project.delete", customer_id=project.customer_id, project_id=project.id)
    lock_customer(project.customer_id)
    project = lock_project(project.id)
    end_memberships(Membership.objects.filter(project=project), action="member.removed", actor=actor, now=now)
    quotas.release(project.customer_id, quotas.PROJECTS, now=now)
    audit.record("project.deleted", project, actor=actor, now=now, before=snapshot(project, "name"))
    try:
        with transaction.atomic():
            Project(pk=project.pk).delete()
    except ProtectedError:
        Project.objects.filter(pk=project.pk).update(removed_at=now, modified=now)
