"""API tokens of people: made once, kept as a hash (pure)."""

from __future__ import annotations

import hashlib
import secrets


def new_token() -> str:
    """Return a fresh token: 40 hex digits, 160 random bits."""
    return secrets.token_hex(20)


def hash_token(token: str) -> bytes:
    """Return the SHA-256 that is stored instead of the token."""
    return hashlib.sha256(token.encode()).digest()


def prefix_of(token: str) -> str:
    """Return the first digits of a token, by which its owner tells it from others."""
    return token[:4]
