"""Files of an issue."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import transaction

from agentmart.infra import audit
from agentmart.infra.actors import Actor
from agentmart.kit.errors import Conflict, Invalid
from agentmart.support import media
from agentmart.support.models import Attachment, Issue
from agentmart.support.services import clocks, rights

MOST_FILES = 50


@transaction.atomic
def attach(issue: Issue, name: str, content: bytes, *, actor: Actor, now: datetime) -> Attachment:
    """Keep a file with an issue, for whoever may comment on it.

    Raises Forbidden, Invalid (field file) for a file that is too large or of a kind that is not accepted,
    Conflict (409) once the issue has 50 files.
    """
    rights.require_comment(actor, issue)
    try:
        accepted = media.accept(name, content, most_bytes=settings.SUPPORT_ATTACHMENT_MAX_BYTES)
    except media.NotAccepted as refusal:
        raise Invalid(str(refusal), field="file") from None
    issue = clocks.locked(issue.id)
    if issue.attachments.count() >= MOST_FILES:
        raise Conflict(
            f"{issue.key} has {MOST_FILES} files already; remove one first.",
            code="too_many_files",
            extra={"limit": MOST_FILES},
        )
    kept = Attachment.objects.create(
        issue=issue,
        uploader_id=rights.person(actor),
        file_name=accepted.name,
        mime_type=accepted.media_type,
        file_size=len(content),
        content=content,
        created=now,
        modified=now,
    )
    audit.record(
        "issue.file_attached",
        kept,
        actor=actor,
        now=now,
        customer_id=issue.customer_id,
        after={"issue": issue.key, "file_name": kept.file_name, "file_size": kept.file_size},
    )
    return kept


@transaction.atomic
def delete_attachment(kept: Attachment, *, actor: Actor, now: datetime) -> None:
    """Remove a file; whoever sent it and staff may."""
    rights.require_change(actor, kept)
    audit.record(
        "issue.file_deleted",
        kept,
        actor=actor,
        now=now,
        customer_id=kept.issue.customer_id,
        before={"issue": kept.issue.key, "file_name": kept.file_name, "file_size": kept.file_size},
    )
    kept.delete()
