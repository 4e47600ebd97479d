"""States of invitations."""

from __future__ import annotations

from django.db import models


class InvitationState(models.TextChoices):
    """What became of an invitation."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"


P, A, C, E, R = InvitationState

TRANSITIONS: dict[InvitationState, frozenset[InvitationState]] = {
    P: frozenset({A, C, E, R}),
    E: frozenset({P, C}),  # sent once more
    A: frozenset(),
    C: frozenset(),
    R: frozenset(),
}


class Sending(models.TextChoices):
    """How far the mail of an invitation is."""

    SCHEDULED = "Scheduled"
    OK = "OK"
    ERRED = "Erred"
