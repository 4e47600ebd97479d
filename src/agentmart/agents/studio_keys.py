"""API keys of studios as they are stored: encrypted, each for its row."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings

from agentmart.kit.errors import Conflict
from agentmart.kit.sealing import Unreadable, seal, unseal

PURPOSE = b"agentmart studio key"


class KeyLost(Conflict):
    """The stored key cannot be decrypted any more."""

    code = "studio_key_lost"


def sealed(studio_id: UUID, key: str) -> bytes:
    """Return a key encrypted for the row under the newest secret."""
    secrets = settings.STORED_SECRETS_KEYS
    if not secrets:
        raise Conflict(
            "AGENTMART_STORED_SECRETS_KEY is not set: no secret can be stored.", code="no_secrets_key"
        )
    return seal(key.encode(), studio_id, secret=secrets[0], purpose=PURPOSE)


def opened(studio_id: UUID, stored: bytes) -> str:
    """Return the key of a row; raises KeyLost."""
    try:
        found = unseal(stored, studio_id, secrets=settings.STORED_SECRETS_KEYS, purpose=PURPOSE)
    except Unreadable:
        raise KeyLost("The stored API key cannot be read any more; give it again (PATCH api_key).") from None
    return found.decode()


def is_outdated(studio_id: UUID, stored: bytes) -> bool:
    """Return whether a key that opens was encrypted under an older secret than today's first."""
    try:
        unseal(stored, studio_id, secrets=settings.STORED_SECRETS_KEYS[:1], purpose=PURPOSE)
    except Unreadable:
        return True
    return False
