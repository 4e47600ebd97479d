"""Writes: pictures of offerings."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from agentmart.catalog.models import Offering, OfferingPicture
from agentmart.identity.permissions import require
from agentmart.infra import audit
from agentmart.infra.actors import Actor
from agentmart.kit.errors import Invalid
from agentmart.kit.ids import new_id

MAX_BYTES = 1024 * 1024
STARTS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
"""What pictures begin with; vector graphics are not taken, they can carry scripts."""


def content_type_of(data: bytes, *, field: str) -> str:
    """Return what kind of picture the bytes are; raises Invalid for what is none or too large."""
    if len(data) > MAX_BYTES:
        raise Invalid(f"A picture has at most {MAX_BYTES} bytes.", field=field)
    for start, kind in STARTS.items():
        if data.startswith(start):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    raise Invalid("Give a picture as PNG, JPEG, GIF or WebP.", field=field)


@transaction.atomic
def store_picture(offering: Offering, kind: str, data: bytes, *, actor: Actor, now: datetime) -> Offering:
    """Give an offering its `image` or `thumbnail`; raises Forbidden, Invalid."""
    require(actor, "offering.edit", provider_id=offering.customer_id)
    content_type = content_type_of(data, field=kind)
    OfferingPicture.objects.filter(offering=offering, kind=kind).delete()
    picture = OfferingPicture.objects.create(
        id=new_id(), offering=offering, kind=kind, content_type=content_type, data=data, created=now
    )
    _point_to(offering, kind, picture, actor=actor, now=now)
    return offering


@transaction.atomic
def remove_picture(offering: Offering, kind: str, *, actor: Actor, now: datetime) -> Offering:
    """Take the `image` or `thumbnail` off an offering; raises Forbidden."""
    require(actor, "offering.edit", provider_id=offering.customer_id)
    OfferingPicture.objects.filter(offering=offering, kind=kind).delete()
    _point_to(offering, kind, None, actor=actor, now=now)
    return offering


def _point_to(
    offering: Offering, kind: str, picture: OfferingPicture | None, *, actor: Actor, now: datetime
) -> None:
    """Note the picture's id at the offering."""
    uuid = picture.id if picture else None
    Offering.objects.filter(pk=offering.pk).update(**{kind: uuid}, modified=now)
    setattr(offering, kind, uuid)
    audit.record(
        f"offering.{kind}_updated",
        offering,
        actor=actor,
        now=now,
        after={"picture": uuid.hex if uuid else None},
    )
