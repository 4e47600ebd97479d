"""What happens to orders by the calendar: waiting ones go on, ends are ordered, stuck ones are found."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from agentmart.catalog.models import BASIC_TYPE
from agentmart.infra import jobs, tenancy
from agentmart.infra.actors import Actor
from agentmart.kit.errors import Conflict
from agentmart.ordering.models import Order
from agentmart.ordering.services.carry_out import JOB, load, lock_of
from agentmart.ordering.services.changes import order_termination
from agentmart.ordering.services.review import go_on
from agentmart.ordering.states import WAITING, OrderState
from agentmart.resources.models import Resource
from agentmart.resources.states import ResourceState

logger = logging.getLogger("agentmart.ordering")

PATIENCE = timedelta(minutes=10)
"""How long an executing order may be without a job before somebody is told."""


def release_waiting(name: str, *, now: datetime) -> int:
    """Let orders go on whose day has come; returns how many did. Each in a transaction of its own."""
    with tenancy.as_system(name):
        waiting = list(
            Order.objects.filter(state__in=WAITING).order_by("created").values_list("id", flat=True)
        )
    return sum(_release(order_id, name, now=now) for order_id in waiting)


def _release(order_id: UUID, name: str, *, now: datetime) -> bool:
    """Let one order go on; returns whether it did. A blocked customer's order waits."""
    try:
        with tenancy.as_system(name) as actor:
            order = load(str(order_id))
            before = order.state
            if before in WAITING:
                go_on(order, "order.released", actor=actor, now=now)
            return order.state != before
    except Conflict as refusal:
        logger.info("order waits on", extra={"order_id": str(order_id), "reason": refusal.code})
        return False


def order_ends_that_are_due(name: str, *, now: datetime) -> int:
    """Order the end of resources whose last day, or whose project's, has passed; returns how many.

    One with an open order is tried again next time.
    """
    with tenancy.as_system(name):
        due = list(_due(now))
    return sum(_end(resource_id, name, now=now) for resource_id in due)


def _due(now: datetime) -> list[UUID]:
    """Return the resources whose last day has passed."""
    over = Q(end_date__lt=now.date()) | Q(project__end_date__lt=now.date())
    live = Resource.objects.filter(over, state__in=(ResourceState.OK, ResourceState.ERRED))
    return list(live.order_by("created").values_list("id", flat=True))


def _end(resource_id: UUID, name: str, *, now: datetime) -> bool:
    """Order the end of one resource; returns whether that was possible."""
    try:
        with tenancy.as_system(name) as actor:
            resource = Resource.objects.select_related("plan", "offering").get(pk=resource_id)
            order_termination(resource, actor=actor, now=now, comment="The end date has passed.")
            return True
    except Conflict as refusal:
        logger.warning("resource not ended", extra={"resource_id": str(resource_id), "reason": refusal.code})
        return False


@transaction.atomic
def find_stuck(*, actor: Actor, now: datetime) -> list[Order]:
    """Return executing orders that no job carries out, each with a new job; somebody is told by the log.

    What people fulfil outside takes as long as it takes.
    """
    rows = Order.objects.filter(state=OrderState.EXECUTING, executing_since__lt=now - PATIENCE)
    stuck = []
    for order in rows.exclude(offering__type=BASIC_TYPE).order_by("executing_since"):
        if jobs.is_alive(JOB, order_id=str(order.id)):
            continue
        logger.error(
            "order without a job",
            extra={"order_id": str(order.id), "order_type": order.type, "since": str(order.executing_since)},
        )
        jobs.enqueue(JOB, lock=lock_of(order), order_id=str(order.id))
        stuck.append(order)
    return stuck
