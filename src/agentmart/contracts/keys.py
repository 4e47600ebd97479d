"""The form of an API key, known to the issuer (access) and the checker (gateway).

`ar_{sk|pk}_{live|test}_{jwt}`; claims `iss aud sub tenant_id project_id config_uuid scopes iat exp jti`.
Only the SHA-256 of the whole string is stored.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

SECRET = "secret"  # noqa: S105
PUBLISHABLE = "publishable"
KINDS = {"sk": SECRET, "pk": PUBLISHABLE}
PREFIXES = {SECRET: "sk", PUBLISHABLE: "pk"}
ENVIRONMENTS = ("live", "test")
SCOPES = ("agent:invoke", "agent:stream")
MAX_LENGTH = 4096

_FORM = re.compile(r"\Aar_(sk|pk)_(live|test)_([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)\Z")


@dataclass(frozen=True, slots=True)
class ParsedKey:
    """A key taken apart; nothing in it has been verified yet."""

    kind: str
    environment: str
    jwt: str


def parse_key(text: str) -> ParsedKey | None:
    """Take a key apart, or return None where the text is no key."""
    if len(text) > MAX_LENGTH:
        return None
    match = _FORM.match(text)
    if match is None:
        return None
    return ParsedKey(kind=KINDS[match[1]], environment=match[2], jwt=match[3])


def format_key(*, kind: str, environment: str, jwt: str) -> str:
    """Put a key together from its kind, environment and signed token."""
    return f"ar_{PREFIXES[kind]}_{environment}_{jwt}"


def hash_key(text: str) -> bytes:
    """Return the SHA-256 that is stored instead of the key."""
    return hashlib.sha256(text.encode()).digest()
