"""Jobs: the mail of an invitation; ending what has expired."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.core.mail import send_mail

from agentmart.identity import selectors, services
from agentmart.identity.invitation_tokens import make_token
from agentmart.identity.models import Invitation
from agentmart.infra import clock, jobs, tenancy

TEXT = """{greeting}

{inviter} invites you to {place} as {role}.
{extra}
Accept, once you are logged in with this e-mail address ({email}):
{link}

The invitation ends on {end:%d %B %Y, %H:%M} UTC.
"""


def _give_up(*, error: Exception, invitation_id: str) -> None:
    """Note after the last try that the mail could not be sent."""
    with tenancy.as_system(services.SEND_JOB):
        message = f"The mail server refused: {error}"
        services.note_sending(UUID(invitation_id), error=message, now=clock.now())


@jobs.job(services.SEND_JOB, attempts=5, wait_seconds=10, give_up=_give_up)
def send_invitation(*, invitation_id: str) -> None:
    """Send the mail of a pending invitation; sent twice it holds the same link."""
    with tenancy.as_system(services.SEND_JOB):
        invitation = selectors.invitation_to_send(UUID(invitation_id))
    if invitation is None:
        return
    place = invitation.project.name if invitation.project else invitation.customer.name
    send_mail(
        f"Invitation to {' '.join(place.split())}",
        mail_text(invitation, place),
        None,
        [invitation.email],
    )
    with tenancy.as_system(services.SEND_JOB):
        services.note_sending(invitation.id, now=clock.now())


def mail_text(invitation: Invitation, place: str) -> str:
    """Return what the mail says."""
    token = make_token(invitation.id, invitation.serial)
    by = invitation.created_by
    extra = f"\n{invitation.extra_invitation_text}\n" if invitation.extra_invitation_text else ""
    return TEXT.format(
        greeting=f"Dear {invitation.full_name}," if invitation.full_name else "Good day,",
        inviter=(by.get_full_name() or by.username) if by else "The operator",
        place=place,
        role=invitation.get_role_display(),
        extra=extra,
        email=invitation.email,
        link=f"{settings.WEB_URL}/invitations/{invitation.uuid}/?token={token}",
        end=invitation.expires_at,
    )


@jobs.periodic("identity.end_what_expired", cron="* * * * *")
def end_what_expired() -> None:
    """End roles and invitations whose time has passed."""
    now = clock.now()
    with tenancy.as_system("identity.end_what_expired") as actor:
        services.end_expired_roles(actor=actor, now=now)
        services.expire_invitations(actor=actor, now=now)
