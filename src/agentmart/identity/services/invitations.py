"""Writes: invitations by e-mail."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction

from agentmart.identity.invitation_tokens import read_token
from agentmart.identity.models import Customer, Invitation, Project, User
from agentmart.identity.permissions import permitted
from agentmart.identity.services.customers import lock_customer, require_not_blocked
from agentmart.identity.services.members import check_place, give_role, require_member_write
from agentmart.identity.states import TRANSITIONS, InvitationState, Sending
from agentmart.infra import audit, jobs, tenancy, throttle, transitions
from agentmart.infra.actors import Actor
from agentmart.kit.errors import Forbidden, NotFound

LIFETIME = timedelta(days=7)
SEND_JOB = "identity.send_invitation"
MAILS_TO_ONE = 5
"""Invitation mails a day from one customer to one address."""


@transaction.atomic
def invite(
    *,
    actor: Actor,
    now: datetime,
    email: str,
    role: str,
    customer: Customer,
    project: Project | None = None,
    **details: str,
) -> Invitation:
    """Offer a role to whoever reads that e-mail; the mail is sent by a job.

    Raises Forbidden, CustomerBlocked (409), Invalid (role of another kind of place), TooOften (429).
    """
    require_member_write(
        actor, role=role, customer_id=customer.id, project_id=project.id if project else None
    )
    require_not_blocked(lock_customer(customer.id))
    check_place(role, project)
    _count_mail(customer.id, email, actor=actor, now=now)
    invitation = Invitation.objects.create(
        customer=customer,
        project=project,
        role=role,
        email=email,
        expires_at=now + LIFETIME,
        created_by_id=actor.user_id,
        created=now,
        modified=now,
        **details,
    )
    jobs.enqueue(SEND_JOB, invitation_id=str(invitation.id))
    audit.record("invitation.created", invitation, actor=actor, now=now, after={"email": email, "role": role})
    return invitation


def _count_mail(customer_id: UUID, email: str, *, actor: Actor, now: datetime) -> None:
    """Count a mail that is about to be sent; raises TooOften (429) where the customer has sent enough today.

    Staff sends as many as it likes, but not to one address.
    """
    limits: list[tuple[tuple[str, ...], int, str]] = [
        (("invitation", customer_id.hex, email.casefold()), MAILS_TO_ONE, f"to {email}")
    ]
    if not permitted(actor, "user.write"):
        limits.append((("invitations", customer_id.hex), settings.INVITATIONS_PER_DAY, "of one customer"))
    for who, most, whose in limits:
        wait = throttle.attempt(*who, most=most, now=now, each=throttle.DAY)
        if wait:
            raise throttle.TooOften(
                f"At most {most} invitation mails {whose} are sent in a day (UTC); go on tomorrow.",
                wait=wait,
                code="too_many_invitations",
            )


@transaction.atomic
def resend_invitation(invitation: Invitation, *, actor: Actor, now: datetime) -> Invitation:
    """Send a pending or expired invitation once more; the earlier mail's token no longer counts.

    Raises Forbidden, CustomerBlocked (409), Conflict where it is over, TooOften (429).
    """
    _require_write(invitation, actor)
    require_not_blocked(lock_customer(invitation.customer_id))
    invitation = Invitation.objects.select_for_update().get(pk=invitation.pk)
    if invitation.state != InvitationState.PENDING:
        transitions.move(
            invitation,
            InvitationState.PENDING,
            transitions=TRANSITIONS,
            actor=actor,
            now=now,
            action="invitation.renewed",
        )
    _count_mail(invitation.customer_id, invitation.email, actor=actor, now=now)
    invitation.serial += 1
    invitation.expires_at = now + LIFETIME
    invitation.sending, invitation.error_message, invitation.modified = Sending.SCHEDULED, "", now
    invitation.save(update_fields=["serial", "expires_at", "sending", "error_message", "modified"])
    jobs.enqueue(SEND_JOB, invitation_id=str(invitation.id))
    audit.record("invitation.sent_again", invitation, actor=actor, now=now, after={"email": invitation.email})
    return invitation


@transaction.atomic
def cancel_invitation(invitation: Invitation, *, actor: Actor, now: datetime) -> Invitation:
    """Take an invitation back; raises Forbidden, Conflict (409) where it is over."""
    _require_write(invitation, actor)
    transitions.move(
        invitation,
        InvitationState.CANCELED,
        transitions=TRANSITIONS,
        actor=actor,
        now=now,
        action="invitation.canceled",
    )
    return invitation


def _require_write(invitation: Invitation, actor: Actor) -> None:
    """Raise Forbidden unless the actor may give the invitation's role."""
    require_member_write(
        actor,
        role=invitation.role,
        customer_id=invitation.customer_id,
        project_id=invitation.project_id,
    )


def find_invited(token: str, *, invitation_id: UUID | None = None) -> Invitation:
    """Return the invitation that a mail's token belongs to; raises NotFound for any other text.

    Opens all tenants for the look-up: the invited person has no role there yet.
    """
    named = read_token(token)
    if named is None or invitation_id not in (None, named[0]):
        raise NotFound("There is no such invitation; use the link of the newest mail.")
    with tenancy.elevated():
        rows = Invitation.objects.select_related("customer", "project")
        found = rows.filter(pk=named[0], serial=named[1]).first()
    if found is None:
        raise NotFound("There is no such invitation; use the link of the newest mail.")
    return found


@transaction.atomic
def accept_invitation(invitation: Invitation, *, actor: Actor, now: datetime) -> Invitation:
    """Give the invited person the role; the invitation comes from `find_invited`.

    Raises Forbidden (another e-mail), Conflict (over or expired), CustomerBlocked or QuotaExceeded (409).
    """
    user = _invited(invitation, actor)
    with tenancy.elevated():
        _answer(invitation, InvitationState.ACCEPTED, actor=actor, now=now, accepted_by_id=user.id)
        give_role(
            actor=actor,
            now=now,
            user=user,
            role=invitation.role,
            customer=invitation.customer,
            project=invitation.project,
        )
    return invitation


@transaction.atomic
def reject_invitation(invitation: Invitation, *, actor: Actor, now: datetime) -> Invitation:
    """Decline the role; raises Forbidden (another e-mail), Conflict (over or expired)."""
    _invited(invitation, actor)
    with tenancy.elevated():
        _answer(invitation, InvitationState.REJECTED, actor=actor, now=now)
    return invitation


def _invited(invitation: Invitation, actor: Actor) -> User:
    """Return the actor's row; raises Forbidden where the invitation is for another e-mail."""
    user: User | None = User.objects.filter(pk=actor.user_id).first()
    if user is None or user.email.casefold() != invitation.email.casefold():
        raise Forbidden("This invitation is for another e-mail address.", code="email_mismatch")
    return user


def _answer(
    invitation: Invitation, state: InvitationState, *, actor: Actor, now: datetime, **changes: UUID
) -> None:
    """Move a pending invitation that has not expired; raises Conflict (409) else."""
    if invitation.state == InvitationState.PENDING and invitation.expires_at <= now:
        invitation.state = InvitationState.EXPIRED
    transitions.move(
        invitation,
        state,
        transitions=TRANSITIONS,
        actor=actor,
        now=now,
        action=f"invitation.{state}",
        **changes,
    )


@transaction.atomic
def note_sending(invitation_id: UUID, *, error: str = "", now: datetime) -> None:
    """Note that the mail has gone out, or why it could not."""
    sending = Sending.ERRED if error else Sending.OK
    rows = Invitation.objects.filter(pk=invitation_id)
    rows.update(sending=sending, error_message=error[:500], modified=now)


@transaction.atomic
def expire_invitations(*, actor: Actor, now: datetime) -> int:
    """Close the pending invitations whose time has passed; returns how many."""
    late = Invitation.objects.filter(state=InvitationState.PENDING, expires_at__lte=now)
    expired = 0
    for invitation in late.select_for_update(skip_locked=True).order_by("pk")[:500]:
        transitions.move(
            invitation,
            InvitationState.EXPIRED,
            transitions=TRANSITIONS,
            actor=actor,
            now=now,
            action="invitation.expired",
        )
        expired += 1
    return expired
