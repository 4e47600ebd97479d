"""Secrets that an installation makes for itself on first use and keeps in its data folder."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets as random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from agentmart.kit.env import BadSetting, Environment

FILE_NAME = "secrets.json"
KEYS_SECRET_MIN_BYTES = 32
_GENERATED_BYTES = 48


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    """The generated values; none of them is ever printed (there is no repr of the fields)."""

    postgres_password: str
    owner_password: str
    app_password: str
    gateway_password: str
    django_secret_key: str
    agent_keys_secret: str
    payload_key: str
    sessions_secret: str
    stored_secrets_key: str

    def __repr__(self) -> str:
        return "Secrets(…)"


def data_folder(data_dir: Path) -> Path:
    """Return the data folder as an absolute path, made where missing; raises BadSetting where that fails.

    Nobody else may list it. As root its mode also lets other users pass through, because the database and
    the flow processes run as users of their own and reach their own folders in it; every secret file is 0600.
    """
    folder = data_dir.expanduser().absolute()
    mode = 0o711 if os.geteuid() == 0 else 0o700
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=mode)
        if folder.stat().st_uid == os.geteuid():
            folder.chmod(mode)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, f"it belongs to user id {folder.stat().st_uid}")
    except OSError as error:
        raise BadSetting(
            f"AGENTMART_DATA_DIR: cannot make or open {folder}: {error.strerror}; "
            "choose a folder you may write with --data-dir"
        ) from error
    return folder


def load(data_dir: Path) -> Secrets:
    """Return the installation's secrets, generated on first use (safe when two processes start at once).

    A secret that an older version did not know is added. Raises BadSetting where the file cannot be read.
    """
    folder = data_folder(data_dir)
    path = folder / FILE_NAME
    with _locked(folder / ".secrets.lock"):
        known = _read(path)
        names = [field.name for field in fields(Secrets)]
        missing = [name for name in names if not known.get(name)]
        if missing:
            known.update({name: random.token_urlsafe(_GENERATED_BYTES) for name in missing})
            _write(path, known)
    return Secrets(**{name: known[name] for name in names})


def keys_secret(environment: Environment, data_dir: Path) -> str:
    """Return the secret that signs API keys: the setting, or the generated one.

    Raises BadSetting when it is shorter than 32 bytes: HS256 keys could then be guessed.
    """
    given = environment.text("AGENT_KEYS_SECRET_KEY")
    if not given and environment.text("AGENT_KEYS_ALGORITHM") == "EdDSA":
        raise BadSetting(
            "AGENT_KEYS_ALGORITHM=EdDSA needs AGENT_KEYS_SECRET_KEY, an Ed25519 key in PEM form; or leave HS256 and "
            "run `agentmart signing-keys rotate --algorithm EdDSA`"
        )
    if given and len(given.encode()) < KEYS_SECRET_MIN_BYTES:
        raise BadSetting(
            f"AGENT_KEYS_SECRET_KEY has {len(given.encode())} bytes; it needs at least {KEYS_SECRET_MIN_BYTES}. "
            "Leave it empty to have one generated."
        )
    return given or load(data_dir).agent_keys_secret


def payload_key(environment: Environment, data_dir: Path) -> str:
    """Return the secrets that encrypt kept content: the setting, or the generated one."""
    return environment.text("AGENTMART_PAYLOAD_KEY") or load(data_dir).payload_key


def stored_secrets_key(environment: Environment, data_dir: Path) -> str:
    """Return the secrets that encrypt what providers store: the setting, or the generated one."""
    return environment.text("AGENTMART_STORED_SECRETS_KEY") or load(data_dir).stored_secrets_key


def sessions_secret(environment: Environment, data_dir: Path) -> str:
    """Return the secret that signs tokens of chat sessions: the setting, or the generated one."""
    return environment.text("AGENT_SESSIONS_SECRET_KEY") or load(data_dir).sessions_secret


def django_secret(environment: Environment, data_dir: Path) -> str:
    """Return Django's signing secret: the setting, or the generated one."""
    return environment.text("AGENTMART_SECRET_KEY") or load(data_dir).django_secret_key


def rewrite(data_dir: Path, changed: Secrets) -> None:
    """Store changed secrets (key rotation, tests)."""
    folder = data_folder(data_dir)
    with _locked(folder / ".secrets.lock"):
        _write(folder / FILE_NAME, asdict(changed))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _read(path: Path) -> dict[str, str]:
    try:
        text = path.read_text()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise BadSetting(
            f"cannot read {path}: {error.strerror}; run as its owner, or choose another --data-dir"
        ) from error
    try:
        values = json.loads(text)
    except ValueError as error:
        raise BadSetting(f"{path} is not JSON ({error}); restore it from a backup") from error
    if not isinstance(values, dict):
        raise BadSetting(f"{path} must hold a JSON object; restore it from a backup")
    return {str(name): str(value) for name, value in values.items()}


def _write(path: Path, values: dict[str, str]) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(values, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
