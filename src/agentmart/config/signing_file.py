"""The file of signing keys: written whole, under a lock, readable by its owner alone; secrets in it are never shown."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from agentmart.contracts.signing import EDDSA, SETTINGS_KID, BadRing, read_ring
from agentmart.kit.env import BadSetting

_BYTES = 64
Content = dict[str, Any]


def read(path: Path) -> Content:
    """Return what the file holds, nothing where it does not exist; raises BadSetting where it cannot be used."""
    try:
        text = path.read_text()
        read_ring(text)
    except FileNotFoundError:
        return {"keys": []}
    except (OSError, BadRing) as error:
        raise BadSetting(f"{path}: {error}; restore it from a backup") from None
    content: Content = json.loads(text)
    return content


def add(path: Path, algorithm: str, *, signs_from: datetime, now: datetime) -> str:
    """Make a key that signs from a moment on, and is accepted at once; returns its kid."""
    kid = f"{now:%Y%m%d}-{secrets.token_hex(4)}"
    row = {
        "kid": kid,
        "algorithm": algorithm,
        "secret": _new_secret(algorithm),
        "created": now.isoformat(),
        "signs_from": signs_from.isoformat(),
    }
    with _changing(path) as content:
        content["keys"].append(row)
    return kid


def retire(path: Path, kid: str, *, now: datetime) -> None:
    """Take a key away: what it has signed is refused from now on.

    Raises BadSetting where there is no such key, or no other one that signs now.
    """
    with _changing(path) as content:
        rows: list[dict[str, Any]] = content["keys"]
        if kid == SETTINGS_KID:
            content["settings_key_retired"] = True
        elif any(row["kid"] == kid for row in rows):
            content["keys"] = [row for row in rows if row["kid"] != kid]
        else:
            raise BadSetting(f"there is no signing key {kid}")
        signs = any(datetime.fromisoformat(row["signs_from"]) <= now for row in content["keys"])
        if content.get("settings_key_retired") and not signs:
            raise BadSetting("this is the only key that signs now; rotate first")


def public(path: Path) -> Content:
    """Return the file's content for machines that only check keys: of EdDSA keys the public half."""
    content = read(path)
    for row in content["keys"]:
        if row["algorithm"] == EDDSA and "PRIVATE" in row["secret"]:
            key = load_pem_private_key(row["secret"].encode(), None).public_key()
            row["secret"] = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return content


def _new_secret(algorithm: str) -> str:
    if algorithm != EDDSA:
        return secrets.token_urlsafe(_BYTES)
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@contextmanager
def _changing(path: Path) -> Iterator[Content]:
    """Yield the content under a lock, and store it unless the block fails."""
    lock = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        content = read(path)
        yield content
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(content, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        os.close(lock)
