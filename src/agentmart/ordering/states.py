"""States and types of an order."""

from django.db.models import TextChoices


class OrderType(TextChoices):
    """What an order asks for."""

    CREATE = "Create"
    UPDATE = "Update"
    TERMINATE = "Terminate"


class OrderState(TextChoices):
    """Where an order stands, by Waldur's names."""

    PENDING_CONSUMER = "pending-consumer"
    PENDING_PROVIDER = "pending-provider"
    EXECUTING = "executing"
    DONE = "done"
    ERRED = "erred"
    CANCELED = "canceled"
    REJECTED = "rejected"


PENDING = (OrderState.PENDING_CONSUMER, OrderState.PENDING_PROVIDER)
OPEN = (*PENDING, OrderState.EXECUTING)

TRANSITIONS: dict[OrderState, frozenset[OrderState]] = {
    OrderState.PENDING_CONSUMER: frozenset(
        {OrderState.PENDING_PROVIDER, OrderState.EXECUTING, OrderState.REJECTED, OrderState.CANCELED}
    ),
    OrderState.PENDING_PROVIDER: frozenset({OrderState.EXECUTING, OrderState.REJECTED, OrderState.CANCELED}),
    OrderState.EXECUTING: frozenset({OrderState.DONE, OrderState.ERRED}),
    OrderState.ERRED: frozenset({OrderState.EXECUTING}),
    OrderState.DONE: frozenset(),
    OrderState.CANCELED: frozenset(),
    OrderState.REJECTED: frozenset(),
}

STATE_NAMES: dict[str, tuple[str, ...]] = {
    **{state.value: (state.value,) for state in OrderState},
    "pending-approval": PENDING,
    "pending-project": (),
    "pending-start-date": (),
    "failed": (OrderState.ERRED,),
    "cancelled": (OrderState.CANCELED,),
    "draft": (),
}
"""Folded names a filter accepts, with the states they stand for (operator-api §3)."""
