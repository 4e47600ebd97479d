"""Writes: screenshots and files of offerings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from agentmart.catalog.models import FileKind, Offering, OfferingFile
from agentmart.catalog.services.pictures import content_type_of
from agentmart.identity.permissions import require
from agentmart.infra import audit
from agentmart.infra.actors import Actor
from agentmart.infra.models import snapshot
from agentmart.kit.errors import Conflict, Invalid

MAX_FILE_BYTES = 5 * 2**20
MOST = 20
"""How many screenshots, and how many files, an offering has."""
OCTETS = "application/octet-stream"
"""What files are sent as: a browser that took one for more might run it."""


class TooMany(Conflict):
    """The offering has as many as it may have."""

    code = "too_many_files"


def require_files(offering: Offering, *, actor: Actor) -> None:
    """Raise Forbidden unless the actor may change what the offering shows."""
    require(actor, "offering.edit", provider_id=offering.customer_id)


@transaction.atomic
def add_file(
    offering: Offering, kind: FileKind, data: bytes, *, actor: Actor, now: datetime, **details: str
) -> OfferingFile:
    """Give an offering one more screenshot or file; raises Forbidden, TooMany (409), Invalid (field image, file)."""
    require_files(offering, actor=actor)
    Offering.objects.select_for_update(no_key=True).get(pk=offering.pk)
    if offering.files.filter(kind=kind).count() >= MOST:
        raise TooMany(f"{offering.name} has {MOST} already; remove one first.", extra={"limit": MOST})
    row = OfferingFile(offering=offering, kind=kind, created=now, modified=now, **details)
    _fill(row, data)
    row.save(force_insert=True)
    after = {"kind": str(kind), "name": row.name, "bytes": len(data)}
    audit.record("offering.file_added", offering, actor=actor, now=now, after=after)
    return row


def _fill(row: OfferingFile, data: bytes) -> None:
    """Put the content into a row; raises Invalid for what is no picture, empty, or too large."""
    if row.kind == FileKind.SCREENSHOT:
        row.content_type = content_type_of(data, field="image")
    elif not 0 < len(data) <= MAX_FILE_BYTES:
        raise Invalid(f"A file has 1 to {MAX_FILE_BYTES} bytes.", field="file")
    else:
        row.content_type = OCTETS
    row.data = data


@transaction.atomic
def change_file(
    row: OfferingFile, changes: Mapping[str, Any], *, actor: Actor, now: datetime
) -> OfferingFile:
    """Change name, description or picture of a screenshot; raises Forbidden, Invalid (field image)."""
    require_files(row.offering, actor=actor)
    plain = {name: value for name, value in changes.items() if name != "data"}
    before = snapshot(row, *plain)
    for name, value in plain.items():
        setattr(row, name, value)
    columns = [*plain, "modified"]
    if "data" in changes:
        _fill(row, changes["data"])
        columns += ["data", "content_type"]
    row.modified = now
    row.save(update_fields=columns)
    after = snapshot(row, *plain)
    audit.record("offering.file_changed", row.offering, actor=actor, now=now, before=before, after=after)
    return row


@transaction.atomic
def remove_file(row: OfferingFile, *, actor: Actor, now: datetime) -> None:
    """Take a screenshot or file off its offering; raises Forbidden."""
    require_files(row.offering, actor=actor)
    before = {"kind": row.kind, "name": row.name}
    audit.record("offering.file_removed", row.offering, actor=actor, now=now, before=before)
    row.delete()
