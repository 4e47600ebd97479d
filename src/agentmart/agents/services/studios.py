"""Studios of a provider: their addresses, and their keys, which are kept encrypted and never shown."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction

from agentmart.agents.models import Studio
from agentmart.agents.studio_keys import sealed
from agentmart.identity.models import Customer
from agentmart.identity.permissions import require
from agentmart.identity.services import require_not_blocked
from agentmart.infra import audit
from agentmart.infra.actors import Actor
from agentmart.infra.models import snapshot
from agentmart.kit.errors import Invalid
from agentmart.kit.hosts import may_be_public

SHOWN = ("name", "backend_url")


@transaction.atomic
def create_studio(
    *, actor: Actor, now: datetime, customer: Customer, name: str, backend_url: str, api_key: str
) -> Studio:
    """Store a studio with its key; raises Forbidden, CustomerBlocked (409), Invalid (backend_url)."""
    require(actor, "studio.use", provider_id=customer.id)
    require_not_blocked(customer)
    studio = Studio(
        customer=customer, name=name, backend_url=checked_address(backend_url), created=now, modified=now
    )
    studio.key_sealed = sealed(studio.id, api_key)
    studio.save(force_insert=True)
    audit.record("studio.created", studio, actor=actor, now=now, after=snapshot(studio, *SHOWN))
    return studio


@transaction.atomic
def update_studio(studio: Studio, changes: Mapping[str, Any], *, actor: Actor, now: datetime) -> Studio:
    """Change a studio's name, address or key; raises Forbidden, Invalid (backend_url, api_key).

    A key goes only to the address it was given for: another address needs its key in the same request.
    """
    require(actor, "studio.use", provider_id=studio.customer_id)
    studio = Studio.objects.select_for_update().get(pk=studio.pk)
    before = snapshot(studio, *SHOWN)
    key = changes.get("api_key")
    if "backend_url" in changes:
        url = checked_address(changes["backend_url"])
        if url != studio.backend_url and key is None:
            raise Invalid("Give the API key too: the stored one goes only to its address.", field="api_key")
        studio.backend_url = url
    if key is not None:
        studio.key_sealed = sealed(studio.id, key)
    studio.name = changes.get("name", studio.name)
    studio.modified = now
    studio.save(update_fields=["name", "backend_url", "key_sealed", "modified"])
    after = {**snapshot(studio, *SHOWN), "key_changed": key is not None}
    audit.record("studio.updated", studio, actor=actor, now=now, before=before, after=after)
    return studio


@transaction.atomic
def delete_studio(studio: Studio, *, actor: Actor, now: datetime) -> None:
    """Forget a studio and its key; the agents imported from it stay. Raises Forbidden."""
    require(actor, "studio.use", provider_id=studio.customer_id)
    audit.record("studio.deleted", studio, actor=actor, now=now, before=snapshot(studio, *SHOWN))
    studio.delete()


def checked_address(url: str) -> str:
    """Return a studio's address without a slash at its end; raises Invalid (backend_url).

    Where the name leads is looked at when it is called. In the public internet the key travels by https only.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = (parts.hostname or "").lower().rstrip("."), parts.port
    except ValueError:
        raise Invalid("Enter a valid URL.", field="backend_url") from None
    plain = url.strip().isascii() and not any(character <= " " for character in url.strip())
    if parts.scheme not in ("http", "https") or not host or not plain:
        raise Invalid("Give an address like https://studio.example.com.", field="backend_url")
    if parts.username is not None or parts.query or parts.fragment:
        raise Invalid("Give the plain address, without a user, query or fragment.", field="backend_url")
    inner = host in settings.STUDIO_HOSTS
    if not inner and not may_be_public(host):
        raise Invalid(
            "Give a public address; operators name others in AGENTMART_STUDIO_HOSTS.", field="backend_url"
        )
    if not inner and parts.scheme != "https":
        raise Invalid("Give an https address: the API key must not be read on its way.", field="backend_url")
    shown = f"[{host}]" if ":" in host else host
    place = shown if port is None else f"{shown}:{port}"
    return f"{parts.scheme}://{place}{parts.path.rstrip('/')}"
