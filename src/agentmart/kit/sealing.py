"""Content encrypted at rest: AES-256-GCM under a key of its own per row, made (HKDF) from a secret kept elsewhere."""

from __future__ import annotations

import os
from collections.abc import Sequence
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

NONCE = 12


class Unreadable(Exception):
    """None of the secrets opens it, or it was changed."""


def seal(content: bytes, row_id: UUID, *, secret: str, purpose: bytes) -> bytes:
    """Return the content encrypted for one row; `purpose` keeps the keys of different kinds of rows apart."""
    nonce = os.urandom(NONCE)
    return nonce + _cipher(secret, row_id, purpose).encrypt(nonce, content, row_id.bytes)


def unseal(sealed: bytes, row_id: UUID, *, secrets: Sequence[str], purpose: bytes) -> bytes:
    """Return what was sealed for the row under any of the secrets; raises Unreadable."""
    for secret in secrets:
        try:
            return _cipher(secret, row_id, purpose).decrypt(sealed[:NONCE], sealed[NONCE:], row_id.bytes)
        except InvalidTag:
            continue
    raise Unreadable


def _cipher(secret: str, row_id: UUID, purpose: bytes) -> AESGCM:
    return AESGCM(HKDF(SHA256(), 32, salt=row_id.bytes, info=purpose).derive(secret.encode()))
