"""States of an offering."""

from django.db.models import TextChoices


class OfferingState(TextChoices):
    """Who may see and order an offering."""

    DRAFT = "Draft"  # operators and its provider
    ACTIVE = "Active"  # everybody
    PAUSED = "Paused"  # who has a resource of it
    ARCHIVED = "Archived"  # operators and its provider
    UNAVAILABLE = "Unavailable"  # emergency stop: no orders, no calls


D, A, P, R, U = (
    OfferingState.DRAFT,
    OfferingState.ACTIVE,
    OfferingState.PAUSED,
    OfferingState.ARCHIVED,
    OfferingState.UNAVAILABLE,
)

TRANSITIONS: dict[OfferingState, frozenset[OfferingState]] = {
    D: frozenset({A, R}),
    A: frozenset({P, R, U, D}),
    P: frozenset({A, R, D}),
    R: frozenset({D}),
    U: frozenset({A, R}),
}
