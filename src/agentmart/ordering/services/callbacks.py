"""Messages to the address that a buyer left with an order (`callback_url`): outbox, delivery log, signature.

A message is a row written with the state it tells of; a job sends it (`ordering.tasks.call_back`), outside of any
transaction, again and again until the address has taken it.
"""

from __future__ import annotations

import json
from datetime import datetime
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import transaction
from django.db.models import F

from agentmart.identity.permissions import require
from agentmart.infra import audit, jobs, tenancy
from agentmart.infra.actors import Actor
from agentmart.kit.errors import Conflict
from agentmart.ordering.models import Order, OrderCallback
from agentmart.ordering.states import CallbackState

JOB = "ordering.call_back"
KIND = "order.state_changed"


def tell(order: Order, *, now: datetime) -> None:
    """Write, in the open transaction, that the order's buyer is to be told where it stands now."""
    if not order.callback_url:
        return
    with tenancy.elevated():  # whoever moves the order, the message is the buyer's
        message = OrderCallback.objects.create(
            order_id=order.id,
            customer_id=order.customer_id,
            url=order.callback_url,
            order_state=order.state,
            body=_body(order, now),
            created=now,
            modified=now,
        )
    _enqueue(message)


def _body(order: Order, now: datetime) -> str:
    """Return what is sent: the order's ids and where it stands; the rest is read by the API."""
    data = {
        "order_uuid": order.uuid,
        "order_type": order.type,
        "state": str(order.state),
        "error_message": order.error_message,
        "rejection_comment": order.consumer_rejection_comment or order.provider_rejection_comment,
        "marketplace_resource_uuid": order.resource_id.hex,
        "resource_name": order.resource_name,
        "offering_uuid": order.offering_id.hex,
        "project_uuid": order.project_id.hex,
        "customer_uuid": order.customer_id.hex,
    }
    moment = now.isoformat().replace("+00:00", "Z")
    return json.dumps({"type": KIND, "timestamp": moment, "data": data}, separators=(",", ":"))


def _enqueue(message: OrderCallback) -> None:
    """Have a message sent; those of one order go one after the other."""
    jobs.enqueue(JOB, lock=f"callback:{message.order_id.hex}", callback_id=message.id.hex)


def secret_of(customer_id: UUID) -> bytes:
    """Return what messages to a customer's addresses are signed with, made from the installation's secret."""
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"agentmart callbacks" + customer_id.bytes)
    return derived.derive(settings.SECRET_KEY.encode())


def waiting_callback(callback_id: str) -> OrderCallback | None:
    """Return a message that is still to be sent, for its job."""
    return OrderCallback.objects.filter(pk=UUID(callback_id), state=CallbackState.WAITING).first()


@transaction.atomic
def note_attempt(
    callback_id: str, state: CallbackState, *, status: int | None, error: str, now: datetime
) -> None:
    """Note what an attempt to send a message came to; one that was delivered stays so."""
    rows = OrderCallback.objects.filter(pk=UUID(callback_id), state=CallbackState.WAITING)
    delivered_at = now if state == CallbackState.DELIVERED else None
    rows.update(
        state=state,
        attempts=F("attempts") + 1,
        last_status=status,
        last_error=error[:300],
        delivered_at=delivered_at,
        modified=now,
    )


@transaction.atomic
def give_up(callback_id: str, *, now: datetime) -> None:
    """Note that a message is not sent any more."""
    rows = OrderCallback.objects.filter(pk=UUID(callback_id), state=CallbackState.WAITING)
    rows.update(state=CallbackState.FAILED, modified=now)


def require_callbacks(order: Order, *, actor: Actor) -> None:
    """Raise Forbidden unless the actor may order for the buyer: the address and its messages are the buyer's."""
    require(actor, "order.place", customer_id=order.customer_id, project_id=order.project_id)


@transaction.atomic
def replay(message: OrderCallback, *, actor: Actor, now: datetime) -> OrderCallback:
    """Send a message again under its old id; raises Forbidden, Conflict (409) while it still waits."""
    require_callbacks(message.order, actor=actor)
    rows = OrderCallback.objects.filter(pk=message.pk).exclude(state=CallbackState.WAITING)
    if not rows.update(state=CallbackState.WAITING, modified=now):
        raise Conflict("The message has not been sent yet.", code="wrong_state", extra={"state": "waiting"})
    message.state, message.modified = CallbackState.WAITING, now
    audit.record("order.callback_replayed", message.order, actor=actor, now=now)
    _enqueue(message)
    return message
