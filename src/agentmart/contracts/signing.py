"""The keys that sign API keys: the issuer signs with one, the gateway accepts every one that is not retired.

The first, `settings`, is AGENT_KEYS_SECRET_KEY; tokens without a `kid` are its own too. Others stand in the file
AGENT_KEYS_FILE, which `agentmart signing-keys` writes and every process reads anew within a second of a change.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

logger = logging.getLogger("agentmart.signing")

SETTINGS_KID = "settings"
EDDSA = "EdDSA"
MIN_SECRET_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64, EDDSA: 32}
"""Accepted algorithms; for EdDSA the secret is an Ed25519 key in PEM form."""
LOOK_SECONDS = 0.5
"""So often at most the file is looked at."""


class BadRing(Exception):
    """The signing keys cannot be used; says which and why, never what they are."""


@dataclass(frozen=True, slots=True, repr=False)
class SigningKey:
    """One key. `signer` is None where only the public half is known."""

    kid: str
    algorithm: str
    verifier: str | Ed25519PublicKey
    signer: str | Ed25519PrivateKey | None
    signs_from: datetime

    def __repr__(self) -> str:
        return f"SigningKey({self.kid!r}, {self.algorithm})"


def make_signing_key(kid: str, algorithm: str, secret: str, signs_from: datetime) -> SigningKey:
    """Return a key of its secret: bytes for HS…, a private or public Ed25519 key in PEM form for EdDSA.

    Raises BadRing.
    """
    least = MIN_SECRET_BYTES.get(algorithm)
    if least is None:
        raise BadRing(f"signing key {kid}: algorithm {algorithm!r} is none of {', '.join(MIN_SECRET_BYTES)}")
    if len(secret.encode()) < least:
        raise BadRing(f"signing key {kid}: at least {least} bytes are needed for {algorithm}")
    if algorithm != EDDSA:
        return SigningKey(kid, algorithm, secret, secret, signs_from)
    key = _ed25519(secret)
    if isinstance(key, Ed25519PrivateKey):
        return SigningKey(kid, algorithm, key.public_key(), key, signs_from)
    if isinstance(key, Ed25519PublicKey):
        return SigningKey(kid, algorithm, key, None, signs_from)
    raise BadRing(f"signing key {kid}: not an Ed25519 key in PEM form")


def _ed25519(pem: str) -> Any:
    for load in (lambda text: load_pem_private_key(text, None), load_pem_public_key):
        try:
            return load(pem.encode())
        except (ValueError, TypeError, UnsupportedAlgorithm):
            continue
    return None


def read_ring(text: str) -> tuple[dict[str, SigningKey], bool]:
    """Return the keys of a ring file by kid, and whether the settings' own key is retired; raises BadRing."""
    try:
        content = json.loads(text)
        found = {}
        for row in content["keys"]:
            since = datetime.fromisoformat(row["signs_from"])
            kid = str(row["kid"])
            found[kid] = make_signing_key(
                kid, row["algorithm"], row["secret"], since if since.tzinfo else since.replace(tzinfo=UTC)
            )
        retired = bool(content.get("settings_key_retired", False))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadRing(f"the file of signing keys cannot be read ({type(error).__name__})") from None
    if len(found) != len(content["keys"]) or SETTINGS_KID in found:
        raise BadRing("the file of signing keys names one twice")
    return found, retired


class Ring:
    """The keys in force. Without a file it is the settings' own key alone."""

    def __init__(self, own: SigningKey, path: Path | None, *, clock: Callable[[], float] = monotonic) -> None:
        self._own = own
        self._path = path
        self._clock = clock
        self._seen: tuple[int, int, int] | None = None
        self._look_at = 0.0
        self._keys: Mapping[str, SigningKey] = {own.kid: own}
        self.version = 0
        """Changes with the keys: what was concluded from others is void."""
        if path is not None:
            self._look(strict=True)

    def refresh(self) -> None:
        """Read the file anew where it changed, looking at it twice a second at most."""
        if self._path is not None and self._clock() >= self._look_at:
            self._look(strict=False)

    def find(self, kid: str | None) -> SigningKey | None:
        """Return the key that a token names (none: the settings' own), None where there is no such key.

        The file is looked at once more before a name counts as unknown: it may be newer than the last look.
        """
        name = SETTINGS_KID if kid is None else kid
        if name not in self._keys and self._path is not None:
            self._look(strict=False)
        return self._keys.get(name)

    def signer(self, now: datetime) -> SigningKey:
        """Return the key to sign with: the latest one whose time has come; raises BadRing where none can sign."""
        self.refresh()
        able = [key for key in self._keys.values() if key.signer is not None and key.signs_from <= now]
        if not able:
            raise BadRing("no signing key can sign; run `agentmart signing-keys rotate`")
        return max(able, key=lambda key: (key.signs_from, key.kid))

    def _look(self, *, strict: bool) -> None:
        assert self._path is not None
        self._look_at = self._clock() + LOOK_SECONDS
        try:
            stat = self._path.stat()
            seen = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
            if seen == self._seen:
                return
            found, retired = read_ring(self._path.read_text())
        except FileNotFoundError:
            found, retired, seen = {}, False, (0, 0, 0)
            if seen == self._seen:
                return
        except (OSError, BadRing) as error:
            if strict:
                raise BadRing(f"{self._path}: {error}") from None
            logger.error("signing_keys_not_read", extra={"error": str(error)})
            return
        self._seen = seen
        self._keys = found if retired else {self._own.kid: self._own, **found}
        self.version += 1


def open_ring(secret: str, algorithm: str, path: str) -> Ring:
    """Return the ring of these settings (AGENT_KEYS_SECRET_KEY, _ALGORITHM, _FILE); raises BadRing."""
    own = make_signing_key(SETTINGS_KID, algorithm, secret, datetime.min.replace(tzinfo=UTC))
    return Ring(own, Path(path) if path else None)
