"""What each process of the product is told: the settings it reads and the one database role it uses, no more."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from agentmart.config import secrets, sockets
from agentmart.config.database import DatabaseUrls, database_urls
from agentmart.contracts.environment import SETTINGS, environment
from agentmart.kit.env import Environment

DJANGO_PROCESSES = frozenset({"web", "worker"})
DATABASE_SETTINGS = {
    "web": "AGENTMART_APP_DATABASE_URL",
    "worker": "AGENTMART_APP_DATABASE_URL",
    "gateway": "AGENTMART_GATEWAY_DATABASE_URL",
}
"""The address a process connects by; the owner's is for migrations alone."""

DEV_MODEL_KEY = "the development model asks for no key"
_DATABASE_NAMES = frozenset({"DATABASE_URL", *DATABASE_SETTINGS.values()})
_ORDINARY = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "PYTHONPATH", "PYTHONWARNINGS")
_OUTGOING = (
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "https_proxy",
    "http_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
)
_TRUST = ("SSL_CERT_FILE",)
# gateway and worker may call a Langflow server, web the Studios of providers
_OUTGOING_OF = {"runtime": _OUTGOING, "gateway": _TRUST, "worker": _TRUST, "web": _TRUST}


def with_options(
    data_dir: Path | None = None, web_port: int | None = None, gateway_port: int | None = None
) -> Environment:
    """Return the settings of this process's environment with command-line options laid over them."""
    values = dict(os.environ)
    if data_dir is not None:
        values["AGENTMART_DATA_DIR"] = str(data_dir)
    if web_port is not None:
        values["AGENTMART_WEB_PORT"] = str(web_port)
    if gateway_port is not None:
        values["AGENTMART_GATEWAY_PORT"] = str(gateway_port)
    return environment(values)


def data_dir_of(settings: Environment) -> Path:
    """Return the data folder, made where missing."""
    return secrets.data_folder(settings.path("AGENTMART_DATA_DIR"))


def runtime_socket(settings: Environment, data_dir: Path) -> Path:
    """Return the path of the runtime's socket: the setting, or one in the data folder that the kernel accepts."""
    if settings.text("AGENTMART_RUNTIME_SOCKET"):
        return settings.path("AGENTMART_RUNTIME_SOCKET")
    run = data_dir / "run"
    run.mkdir(mode=0o711, exist_ok=True)
    return sockets.folder_for(run, "runtime", "runtime.sock") / "runtime.sock"


def runtime_venv(settings: Environment, data_dir: Path) -> Path:
    """Return the virtual environment of the flow runtime."""
    return (
        settings.path("AGENTMART_RUNTIME_VENV")
        if settings.text("AGENTMART_RUNTIME_VENV")
        else data_dir / "runtime-venv"
    )


def signing_keys_file(settings: Environment, data_dir: Path) -> Path:
    """Return the path of the file of signing keys, which need not exist."""
    given = settings.text("AGENT_KEYS_FILE")
    return Path(given).expanduser().absolute() if given else data_dir / "signing-keys.json"


def public_host(settings: Environment) -> str:
    """Return a host name under which this machine reaches what binds AGENTMART_HOST."""
    host = settings.text("AGENTMART_HOST")
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(host, host)


def web_url(settings: Environment) -> str:
    """Return the public address of the portal and API."""
    return (
        settings.text("AGENTMART_WEB_URL")
        or f"http://{public_host(settings)}:{settings.text('AGENTMART_WEB_PORT')}"
    )


def gateway_url(settings: Environment) -> str:
    """Return the public address of the gateway."""
    given = settings.text("AGENTMART_GATEWAY_URL")
    return given or f"http://{public_host(settings)}:{settings.text('AGENTMART_GATEWAY_PORT')}"


def uses_dev_model(settings: Environment) -> bool:
    """Return whether neither a model key nor another endpoint is set, so that the development model stands in."""
    return not settings.text("OPENAI_API_KEY") and not settings.is_set("OPENAI_BASE_URL")


def for_process(
    name: str, settings: Environment, data_dir: Path, urls: DatabaseUrls | None
) -> dict[str, str]:
    """Return the whole environment of one process: `web`, `worker`, `gateway`, `runtime` or `dev-model`.

    `urls` may be None for a process that uses no database, or whose address stands in the settings.
    """
    values = _inherited(_ORDINARY + _OUTGOING_OF.get(name, ()))
    values |= {
        setting.name: settings.text(setting.name)
        for setting in SETTINGS
        if name in setting.readers and setting.name not in _DATABASE_NAMES and settings.is_set(setting.name)
    }
    values["AGENTMART_DATA_DIR"] = str(data_dir)
    values["PYTHONUNBUFFERED"] = "1"
    if name in DATABASE_SETTINGS:
        values[DATABASE_SETTINGS[name]] = _database_url(name, settings, urls)
        values["AGENT_KEYS_SECRET_KEY"] = secrets.keys_secret(settings, data_dir)
        values["AGENT_KEYS_FILE"] = str(signing_keys_file(settings, data_dir))
    if name == "gateway":
        values["AGENT_SESSIONS_SECRET_KEY"] = secrets.sessions_secret(settings, data_dir)
    if name in ("web", "gateway"):
        values["AGENTMART_PAYLOAD_KEY"] = secrets.payload_key(settings, data_dir)
    if name == "web":
        values["AGENTMART_STORED_SECRETS_KEY"] = secrets.stored_secrets_key(settings, data_dir)
    if name in DJANGO_PROCESSES:
        values |= {
            "DJANGO_SETTINGS_MODULE": "agentmart.config.settings",
            "AGENTMART_SECRET_KEY": secrets.django_secret(settings, data_dir),
            "AGENTMART_WEB_URL": web_url(settings),
            "AGENTMART_GATEWAY_URL": gateway_url(settings),
        }
    if name in ("web", "worker", "gateway", "runtime"):
        values["AGENTMART_RUNTIME_SOCKET"] = str(runtime_socket(settings, data_dir))
    if name == "runtime":
        values |= _model(settings)
        values["AGENTMART_RUNTIME_VENV"] = str(runtime_venv(settings, data_dir))
    return values


def for_migrations(settings: Environment, data_dir: Path, urls: DatabaseUrls) -> dict[str, str]:
    """Return the environment of the process that migrates, the only one that connects as the owner."""
    return for_process("worker", settings, data_dir, urls) | {
        "AGENTMART_DATABASE_ROLE": "owner",
        "DATABASE_URL": urls.owner,
    }


def for_commands(settings: Environment) -> dict[str, str]:
    """Return the environment of a command of ours that reads all settings itself (migrate, createstaff)."""
    values = _inherited(_ORDINARY)
    values |= {
        setting.name: settings.text(setting.name) for setting in SETTINGS if settings.is_set(setting.name)
    }
    return values


def check(settings: Environment, data_dir: Path) -> None:
    """Read every setting once, so that a bad one is told before anything is started; raises BadSetting."""
    for setting in SETTINGS:
        if setting.kind == "int":
            settings.integer(setting.name)
        elif setting.kind == "bool":
            settings.flag(setting.name)
        else:
            settings.text(setting.name)
    secrets.keys_secret(settings, data_dir)
    if settings.text("DATABASE_URL"):
        database_urls(settings, data_dir)


def replace(values: Mapping[str, str]) -> None:
    """Make `values` this process's whole environment, so that what it does not need is not there to leak."""
    os.environ.clear()
    os.environ.update(values)


def _database_url(name: str, settings: Environment, urls: DatabaseUrls | None) -> str:
    if urls is None:
        return settings.text(DATABASE_SETTINGS[name])
    return urls.gateway if name == "gateway" else urls.app


def needs_our_database(name: str, settings: Environment) -> bool:
    """Return whether the process's address must be made here, from DATABASE_URL or the embedded server."""
    return name in DATABASE_SETTINGS and not settings.text(DATABASE_SETTINGS[name])


def _model(settings: Environment) -> dict[str, str]:
    if not uses_dev_model(settings):
        return {}
    port = settings.integer("AGENTMART_DEV_MODEL_PORT")
    return {"OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1", "OPENAI_API_KEY": DEV_MODEL_KEY}


def _inherited(names: tuple[str, ...]) -> dict[str, str]:
    return {name: os.environ[name] for name in names if name in os.environ}
