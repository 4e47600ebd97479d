"""The form of API keys and session tokens, known to the issuer (access) and the checker (gateway).

`ar_{sk|pk|st}_{live|test}_{jwt}`. Keys (`sk`, `pk`): claims `iss aud sub tenant_id project_id config_uuid scopes iat
exp jti`, the header names the signing key (`kid`). Of a secret key only the SHA-256 of the whole string is stored; a
publishable one stands in public pages. Session tokens (`st`) are made and read by the gateway alone.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

SECRET = "secret"  # noqa: S105
PUBLISHABLE = "publishable"
SESSION = "session"
KEY_KINDS = (SECRET, PUBLISHABLE)
"""What can be issued; a session's token is no key."""
KINDS = {"sk": SECRET, "pk": PUBLISHABLE, "st": SESSION}
PREFIXES = {SECRET: "sk", PUBLISHABLE: "pk", SESSION: "st"}
LIVE = "live"
TEST = "test"
ENVIRONMENTS = (LIVE, TEST)
SCOPES = ("agent:invoke", "agent:stream")
MAX_LENGTH = 4096

_FORM = re.compile(r"\Aar_(sk|pk|st)_(live|test)_([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)\Z")


@dataclass(slots=True, repr=False)  # not frozen: made for every call, and freezing trebles its price
class ParsedKey:
    """A key taken apart; nothing in it has been verified yet."""

    kind: str
    environment: str
    jwt: str

    def __repr__(self) -> str:
        return f"ParsedKey({self.kind}, {self.environment})"


def parse_key(text: str) -> ParsedKey | None:
    """Take a key or session token apart, or return None where the text is neither."""
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
