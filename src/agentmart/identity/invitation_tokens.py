"""Tokens of invitations: signed, so that none is kept; a later mail's serial ends the earlier ones."""

from __future__ import annotations

from uuid import UUID

from django.core.signing import BadSignature, Signer

_SALT = "agentmart.identity.invitation"


def make_token(invitation_id: UUID, serial: int) -> str:
    """Return the text that stands in the mail."""
    return Signer(salt=_SALT).sign(f"{invitation_id.hex}.{serial}")


def read_token(token: str) -> tuple[UUID, int] | None:
    """Return the invitation's id and the mail's serial, or None where the text was not made by us."""
    try:
        invitation_id, _, serial = Signer(salt=_SALT).unsign(token).partition(".")
    except BadSignature:
        return None
    return UUID(invitation_id), int(serial)
