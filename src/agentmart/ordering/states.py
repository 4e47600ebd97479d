"""States, types and kinds of change of an order."""

from django.db.models import TextChoices


class OrderType(TextChoices):
    """What an order asks for."""

    CREATE = "Create"
    UPDATE = "Update"
    TERMINATE = "Terminate"
    RESTORE = "Restore"


class Change(TextChoices):
    """What an order of type Update changes (`order_subtype`)."""

    NONE = ""
    PLAN = "switch_plan"
    LIMITS = "update_limits"
    OPTIONS = "update_options"


class OrderState(TextChoices):
    """Where an order stands, by Waldur's names."""

    PENDING_CONSUMER = "pending-consumer"
    PENDING_PROJECT = "pending-project"  # the project has not started yet
    PENDING_START_DATE = "pending-start-date"
    PENDING_PROVIDER = "pending-provider"
    EXECUTING = "executing"
    DONE = "done"
    ERRED = "erred"
    CANCELED = "canceled"
    REJECTED = "rejected"


class Side(TextChoices):
    """A side of a sale."""

    CONSUMER = "consumer"
    PROVIDER = "provider"


class CallbackState(TextChoices):
    """What became of a message to a buyer's address."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


PC, PJ, PS, PP, EX, DO, ER, CA, RE = OrderState

PENDING = (PC, PJ, PS, PP)
OPEN = (*PENDING, EX)
WAITING = (PJ, PS)
"""States that end by themselves, when their day comes."""

TRANSITIONS: dict[OrderState, frozenset[OrderState]] = {
    PC: frozenset({PJ, PS, PP, EX, RE, CA}),
    PJ: frozenset({PC, PS, PP, EX, RE, CA}),  # back to PC: edited by somebody who may not approve
    PS: frozenset({PC, PJ, PP, EX, RE, CA}),
    PP: frozenset({PC, PJ, PS, EX, RE, CA}),
    EX: frozenset({DO, ER, CA}),
    ER: frozenset({EX}),
    DO: frozenset(),
    CA: frozenset(),
    RE: frozenset(),
}

STATE_NAMES: dict[str, tuple[str, ...]] = {
    **{state.value: (state.value,) for state in OrderState},
    "pending-approval": PENDING,
    "failed": (OrderState.ERRED,),
    "cancelled": (OrderState.CANCELED,),
    "draft": (),
}
"""Folded names a filter accepts, with the states they stand for (operator-api §3)."""
