"""Moving an order from one state to another, and telling the address that its buyer left."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agentmart.infra import transitions
from agentmart.infra.actors import Actor
from agentmart.ordering.models import Order
from agentmart.ordering.services import callbacks
from agentmart.ordering.states import TRANSITIONS, OrderState


def move(order: Order, to: OrderState, action: str, *, actor: Actor, now: datetime, **changes: Any) -> None:
    """Move the order, audited; raises IllegalTransition (409) for the loser of a race."""
    transitions.move(order, to, transitions=TRANSITIONS, actor=actor, now=now, action=action, **changes)
    callbacks.tell(order, now=now)
