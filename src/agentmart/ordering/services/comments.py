"""What both sides say about an order."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from agentmart.identity.permissions import require
from agentmart.infra import audit
from agentmart.infra.actors import Actor
from agentmart.ordering import selectors
from agentmart.ordering.models import Order, OrderComment
from agentmart.ordering.states import Side


@transaction.atomic
def comment_order(order: Order, text: str, *, actor: Actor, now: datetime) -> OrderComment:
    """Say something about an order, which both sides read; raises Forbidden."""
    require_comment(order, actor=actor)
    comment = OrderComment.objects.create(
        order=order,
        customer_id=order.customer_id,
        provider_customer_id=order.provider_customer_id,
        side=selectors.side_of(actor, order),
        author_id=actor.user_id,
        author_name=actor.label,
        text=text,
        created=now,
        modified=now,
    )
    audit.record("order.commented", order, actor=actor, now=now)
    return comment


def require_comment(order: Order, *, actor: Actor) -> None:
    """Raise Forbidden unless the actor may speak about the order."""
    require(
        actor,
        "order.comment",
        customer_id=order.customer_id,
        project_id=order.project_id,
        provider_id=order.provider_customer_id,
    )


@transaction.atomic
def set_message(order: Order, side: Side, values: Mapping[str, str], *, actor: Actor, now: datetime) -> Order:
    """Write what one side lets the other know while the order is carried out (it replaces the last word).

    Raises Forbidden for who does not speak for that side.
    """
    if side == Side.PROVIDER:
        require(actor, "order.review_as_provider", provider_id=order.provider_customer_id)
    else:
        require(actor, "order.place", customer_id=order.customer_id, project_id=order.project_id)
    before = {name: getattr(order, name) for name in values}
    Order.objects.filter(pk=order.pk).update(**values, modified=now)
    for name, value in values.items():
        setattr(order, name, value)
    order.modified = now
    audit.record(f"order.{side}_message_set", order, actor=actor, now=now, before=before, after=dict(values))
    return order
