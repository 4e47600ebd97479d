"""States, types and priorities of an issue, and the steps between its states."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import TextChoices


class IssueState(TextChoices):
    """Where an issue stands, as the API's `status` names it."""

    OPEN = "Open", "Open"
    IN_PROGRESS = "In Progress", "In Progress"
    WAITING = "Waiting for customer", "Waiting for customer"
    RESOLVED = "Resolved", "Resolved"
    CLOSED = "Closed", "Closed"
    CANCELED = "Canceled", "Canceled"


class IssueType(TextChoices):
    """What the caller asks for."""

    INFORMATIONAL = "INFORMATIONAL", "Informational"
    SERVICE_REQUEST = "SERVICE_REQUEST", "Service request"
    CHANGE_REQUEST = "CHANGE_REQUEST", "Change request"
    INCIDENT = "INCIDENT", "Incident"


class Priority(TextChoices):
    """How soon an answer is promised, the slowest first."""

    LOW = "Low", "Low"
    MEDIUM = "Medium", "Medium"
    HIGH = "High", "High"
    CRITICAL = "Critical", "Critical"


OPEN = (IssueState.OPEN, IssueState.IN_PROGRESS, IssueState.WAITING)
"""Somebody still has something to do."""
ENDED = (IssueState.RESOLVED, IssueState.CLOSED, IssueState.CANCELED)
RUNNING = (IssueState.OPEN, IssueState.IN_PROGRESS)
"""The desk has something to do: the resolution clock runs."""

REOPENING_PERIOD = timedelta(days=7)
"""How long the customer's word reopens a resolved issue; after that it closes by itself."""

TRANSITIONS: dict[IssueState, frozenset[IssueState]] = {
    IssueState.OPEN: frozenset(set(IssueState) - {IssueState.OPEN}),
    IssueState.IN_PROGRESS: frozenset(set(IssueState) - {IssueState.IN_PROGRESS}),
    IssueState.WAITING: frozenset(set(IssueState) - {IssueState.WAITING}),
    IssueState.RESOLVED: frozenset({IssueState.OPEN, IssueState.IN_PROGRESS, IssueState.CLOSED}),
    IssueState.CLOSED: frozenset({IssueState.OPEN}),
    IssueState.CANCELED: frozenset({IssueState.OPEN}),
}

STATE_NAMES: dict[str, tuple[str, ...]] = {
    "open": tuple(state.value for state in OPEN),
    "closed": tuple(state.value for state in ENDED),
    "in-progress": (IssueState.IN_PROGRESS,),
    "waiting-for-customer": (IssueState.WAITING,),
    "waiting": (IssueState.WAITING,),
    "resolved": (IssueState.RESOLVED,),
    "canceled": (IssueState.CANCELED,),
    "cancelled": (IssueState.CANCELED,),
}
"""Folded names the filter `state` accepts: open and closed mean the two halves, the others one status."""

STATUS_NAMES: dict[str, tuple[str, ...]] = {
    **STATE_NAMES,
    "open": (IssueState.OPEN,),
    "closed": (IssueState.CLOSED,),
}
"""Folded names of one status."""
