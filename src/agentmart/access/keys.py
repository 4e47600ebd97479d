"""Making an API key: a signed token in the key's form (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import jwt

from agentmart.contracts.keys import format_key


@dataclass(frozen=True, slots=True, repr=False)
class Signing:
    """How keys are signed: with which key, whose name (`kid`) the token's header tells, and for whom."""

    secret: Any
    algorithm: str
    issuer: str
    audience: str
    kid: str = ""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a key says of itself."""

    key_id: UUID
    tenant_id: UUID
    project_id: UUID
    config_uuid: UUID
    scopes: tuple[str, ...]
    issued_at: datetime
    expires_at: datetime


def make_key(claims: Claims, *, kind: str, environment: str, signing: Signing) -> str:
    """Return the key's text, for its one showing."""
    payload = {
        "iss": signing.issuer,
        "aud": signing.audience,
        "sub": claims.config_uuid.hex,
        "tenant_id": claims.tenant_id.hex,
        "project_id": claims.project_id.hex,
        "config_uuid": claims.config_uuid.hex,
        "scopes": list(claims.scopes),
        "iat": int(claims.issued_at.timestamp()),
        "exp": int(claims.expires_at.timestamp()),
        "jti": claims.key_id.hex,
    }
    headers = {"kid": signing.kid} if signing.kid else None
    token = jwt.encode(payload, signing.secret, algorithm=signing.algorithm, headers=headers)
    return format_key(kind=kind, environment=environment, jwt=token)
