"""What `agentmart doctor` looks at: each check says what it found, and how to fix what is wrong."""

from __future__ import annotations

import asyncio
import http.client
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import psycopg

from agentmart.adapters import runtimes
from agentmart.adapters.runtimes.embedded import install, sandbox
from agentmart.config import database, postgres_place, secrets
from agentmart.config import ports as port_numbers
from agentmart.config import process_environment as environments
from agentmart.config.database import DatabaseUrls
from agentmart.config.supervisor import socket_check
from agentmart.contracts.environment import SETTINGS
from agentmart.contracts.runtimes import kinds, new_runtime, runtime_parameters
from agentmart.contracts.tables import APP_ROLE, GATEWAY_ROLE
from agentmart.kit.clock import OffsetClock
from agentmart.kit.env import BadSetting, Environment

State = Literal["ok", "note", "broken"]

_SUPPORTED_PYTHON = ((3, 11), (3, 14))
_FREE_MB = 2048
_FREE_MB_WITH_RUNTIME = 3072
_MODEL_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; `fix` is empty where nothing is to be done."""

    check: str
    state: State
    found: str
    fix: str = ""


Findings = Iterator[Finding]


def all_findings(settings: Environment) -> Findings:
    """Yield the findings of every check; a check that cannot run yields why."""
    yield from settings_readable(settings)
    yield from python_version(sys.version_info[:2])
    try:
        folder = environments.data_dir_of(settings)
    except BadSetting as error:
        yield Finding("data folder", "broken", str(error), "choose another --data-dir")
        return
    for check in (
        data_folder,
        disk,
        secret_file,
        keys,
        runtime_venv,
        isolation,
        runtimes_elsewhere,
        model,
        ports,
        clock,
    ):
        yield from _guarded(check, settings, folder)
    yield from _guarded(database_findings, settings, folder)


def settings_readable(settings: Environment) -> Findings:
    """Check that every number, flag and secret file can be read."""
    bad = []
    for setting in SETTINGS:
        try:
            if setting.kind == "int":
                settings.integer(setting.name)
            elif setting.kind == "bool":
                settings.flag(setting.name)
            else:
                settings.text(setting.name)
        except BadSetting as error:
            bad.append(Finding("settings", "broken", str(error), f"correct or unset {setting.name}"))
    yield from bad or [Finding("settings", "ok", f"{len(SETTINGS)} can be read")]


def python_version(version: tuple[int, int]) -> Findings:
    """Check the interpreter."""
    low, high = _SUPPORTED_PYTHON
    text = f"Python {version[0]}.{version[1]}"
    if low <= version < high:
        yield Finding("python", "ok", text)
    else:
        yield Finding("python", "broken", text, "make the virtual environment with Python 3.11, 3.12 or 3.13")


def data_folder(settings: Environment, folder: Path) -> Findings:
    """Check that the data folder can be written."""
    probe = folder / ".doctor"
    try:
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        yield Finding("data folder", "broken", f"{folder}: {error.strerror}", "let this user write it")
        return
    yield Finding("data folder", "ok", str(folder))


def disk(settings: Environment, folder: Path) -> Findings:
    """Check the free space, more of it where the runtime is still to be installed."""
    free = shutil.disk_usage(folder).free // 2**20
    installed = environments.runtime_venv(settings, folder).exists()
    need = _FREE_MB if installed else _FREE_MB_WITH_RUNTIME
    state: State = "ok" if free >= need else "broken"
    yield Finding("disk", state, f"{free} MiB free", "" if state == "ok" else f"free at least {need} MiB")


def secret_file(settings: Environment, folder: Path) -> Findings:
    """Check that nobody else may read the generated secrets."""
    path = folder / secrets.FILE_NAME
    if not path.exists():
        yield Finding("secrets", "note", "not generated yet", "the first start makes them")
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        yield Finding("secrets", "broken", f"{path} has mode {mode:04o}", f"chmod 600 {path}")
    else:
        yield Finding("secrets", "ok", f"{path.name} has mode {mode:04o}")


def keys(settings: Environment, folder: Path) -> Findings:
    """Check the strength of secrets given by settings."""
    given = {name: settings.text(name) for name in ("AGENT_KEYS_SECRET_KEY", "AGENTMART_SECRET_KEY")}
    weak = [
        name
        for name, value in given.items()
        if value and (len(value.encode()) < secrets.KEYS_SECRET_MIN_BYTES or len(set(value)) < 10)
    ]
    for name in weak:
        yield Finding(
            "keys",
            "broken",
            f"{name} is weak: {len(given[name].encode())} bytes, {len(set(given[name]))} different characters",
            "use 32 random bytes or more (openssl rand -base64 48), or unset it to have one generated",
        )
    if not weak:
        yield Finding("keys", "ok", "given" if all(given.values()) else "generated")


def runtime_venv(settings: Environment, folder: Path) -> Findings:
    """Check the flow runtime's virtual environment."""
    venv = environments.runtime_venv(settings, folder)
    if install.installed(venv, sys.executable):
        yield Finding("runtime", "ok", f"installed in {venv}")
    elif install.foreign(venv):
        fix = "point AGENTMART_RUNTIME_VENV at another folder, or empty this one"
        yield Finding("runtime", "broken", f"{venv} is not empty and was not made by Agentmart", fix)
    elif venv.exists() and any(venv.iterdir()):
        yield Finding("runtime", "note", f"{venv} is out of date or unfinished", "the next start replaces it")
    else:
        yield Finding("runtime", "note", "not installed yet", "the first start installs it (about 650 MB)")


def isolation(settings: Environment, folder: Path) -> Findings:
    """Check that flows can be isolated on this system."""
    found = sandbox.probe(uid=settings.integer("AGENTMART_RUNTIME_UID"))
    if found.ok:
        yield Finding("isolation", "ok", found.message)
    else:
        fix = "run as root, or allow user namespaces (sysctl kernel.unprivileged_userns_clone=1)"
        yield Finding("isolation", "broken", found.message, fix)


def runtimes_elsewhere(settings: Environment, folder: Path) -> Findings:
    """Check the runtimes that we do not start, where they are set: that they answer and take what we send."""
    for name, parameters in runtime_parameters(settings).items():
        if kinds()[name].elsewhere:
            yield _runtime_elsewhere(name, parameters)
    chosen = new_runtime(settings)
    if chosen not in runtime_parameters(settings):
        fix = f"set {' and '.join(kinds()[chosen].needed)}, or unset AGENTMART_RUNTIME"
        yield Finding(chosen, "broken", f"AGENTMART_RUNTIME is {chosen}, but no server is set", fix)


def _runtime_elsewhere(name: str, parameters: dict[str, Any]) -> Finding:
    needed = ", ".join(kinds()[name].needed)
    try:
        health = asyncio.run(_health(runtimes.build(name, **parameters)))
    except ValueError as error:  # an address or key that cannot be used
        return Finding(name, "broken", str(error), f"correct {needed}")
    where = parameters.get("url", name)
    if health.ok:
        return Finding(name, "ok", f"{where} answers, {len(health.deployments)} agents deployed")
    fix = f"check {needed} and the server; see docs/runtimes.md"
    return Finding(name, "broken", f"{where}: {health.message}", fix)


def model(settings: Environment, folder: Path) -> Findings:
    """Check that the model endpoint answers and takes the key."""
    if environments.uses_dev_model(settings):
        yield Finding("model", "note", "the development model stands in", "set OPENAI_API_KEY for a real one")
        return
    url = settings.text("OPENAI_BASE_URL").rstrip("/")
    try:
        status = _get_status(f"{url}/models", settings.text("OPENAI_API_KEY"))
    except (OSError, ValueError, http.client.HTTPException) as error:
        yield Finding(
            "model", "broken", f"{url} cannot be reached: {error}", "check OPENAI_BASE_URL and the network"
        )
        return
    if status in (401, 403):
        yield Finding("model", "broken", f"{url} refuses the key ({status})", "check OPENAI_API_KEY")
    elif status >= 500:
        yield Finding("model", "broken", f"{url} answers {status}", "ask its operator")
    else:
        yield Finding("model", "ok", f"{url} answers")


def ports(settings: Environment, folder: Path) -> Findings:
    """Check that our ports are free, or held by the product that runs on this data folder."""
    ours = _is_running(folder)
    for name, label in (("AGENTMART_WEB_PORT", "web port"), ("AGENTMART_GATEWAY_PORT", "gateway port")):
        port, host = settings.integer(name), settings.text("AGENTMART_HOST")
        problem = port_numbers.problem(host, port)
        if not problem:
            yield Finding(label, "ok", f"{port} is free")
        elif ours:
            yield Finding(label, "ok", f"{port} {problem}, the product is running")
        else:
            yield Finding(label, "broken", f"{port} on {host} {problem}", f"stop its user, or set {name}")
    runtime = environments.runtime_socket(settings, folder)
    problem = socket_check(runtime)()
    if ours and problem:
        yield Finding("runtime socket", "broken", problem, f"see {folder}/logs/runtime.log")


def clock(settings: Environment, folder: Path) -> Findings:
    """Check whether time is moved, which must never be so in production."""
    offset = OffsetClock(folder / "dev-clock.json").offset()
    if not settings.flag("AGENTMART_DEV_CLOCK"):
        yield Finding("clock", "ok", "the machine's time")
    elif offset:
        yield Finding(
            "clock", "note", f"moved by {offset}", "agentmart dev-clock --reset; never in production"
        )
    else:
        yield Finding("clock", "note", "may be moved", "unset AGENTMART_DEV_CLOCK in production")


def database_findings(settings: Environment, folder: Path) -> Findings:
    """Start or join the database and check its version, extension, roles and migrations."""
    if not settings.text("DATABASE_URL"):
        place = postgres_place.find(folder)
        user = "this user" if place.uid is None else f"user id {place.uid}"
        yield Finding("postgres files", "ok", f"{place.install} runs as {user}, data in {place.data}")
    with database.running(settings, folder) as urls:
        try:
            with psycopg.connect(urls.admin, connect_timeout=10) as connection:
                version = connection.info.server_version // 10_000
                prepared = _is_prepared(connection, urls)
        except psycopg.OperationalError as error:
            yield _unreachable(urls, error)
            return
        good = version >= database.MINIMUM_VERSION
        yield Finding(
            "postgres",
            "ok" if good else "broken",
            f"PostgreSQL {version} answers" + (" (embedded)" if urls.embedded else ""),
            "" if good else f"use {database.MINIMUM_VERSION} or newer",
        )
        if not prepared:
            yield Finding(
                "database",
                "note",
                "roles and tables are not made yet",
                "run agentmart migrate; serve does it at every start",
            )
            return
        try:
            yield from _inside_database(urls)
        except psycopg.OperationalError as error:
            fix = (
                "agentmart migrate gives the role this data folder's password (another folder's product then loses "
                "its own); or set AGENTMART_APP_DATABASE_URL and AGENTMART_GATEWAY_DATABASE_URL"
            )
            yield Finding("database", "broken", _first_line(error), fix)
            return
        yield _migrations(settings, folder, urls)


def _is_prepared(connection: psycopg.Connection, urls: DatabaseUrls) -> bool:
    roles = [database.role_of(url) for url in (urls.owner, urls.app, urls.gateway)]
    row = connection.execute(
        "SELECT (SELECT count(*) FROM pg_roles WHERE rolname = ANY(%s)) = %s"
        " AND EXISTS (SELECT 1 FROM pg_database WHERE datname = %s)",
        [roles, len(set(roles)), database.database_of(urls.owner)],
    ).fetchone()
    return row == (True,)


def _unreachable(urls: DatabaseUrls, error: psycopg.OperationalError) -> Finding:
    where = "the embedded server" if urls.embedded else database.without_password(urls.admin)
    fix = "see logs/postgres.log" if urls.embedded else "start that server, or correct DATABASE_URL"
    return Finding("postgres", "broken", f"{where}: {_first_line(error)}", fix)


def _first_line(error: psycopg.Error) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _inside_database(urls: DatabaseUrls) -> Findings:
    with psycopg.connect(urls.owner, connect_timeout=10) as connection:
        vector = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
    if vector:
        yield Finding("pgvector", "ok", f"version {vector[0]}")
    else:
        yield Finding("pgvector", "broken", "the extension is not in the database", "run agentmart migrate")
    for role, url in ((APP_ROLE, urls.app), (GATEWAY_ROLE, urls.gateway)):
        yield _role_finding(role, url)


def _migrations(settings: Environment, folder: Path, urls: DatabaseUrls) -> Finding:
    # In a process of its own: only it connects as the owner and loads Django.
    result = subprocess.run(
        [sys.executable, "-m", "django", "migrate", "--check", "--skip-checks", "--verbosity=0"],
        env=environments.for_migrations(settings, folder, urls),
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode == 0:
        return Finding("migrations", "ok", "all applied")
    if result.stderr.strip():
        return Finding("migrations", "broken", result.stderr.strip().splitlines()[-1], "see the message")
    return Finding(
        "migrations", "note", "some are not applied", "run agentmart migrate; serve does it at every start"
    )


def _role_finding(role: str, url: str) -> Finding:
    with psycopg.connect(url, connect_timeout=10) as connection:
        row = connection.execute(
            "SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
    if row == (False, False):
        return Finding(f"role {role}", "ok", "logs in, row-level security holds for it")
    return Finding(
        f"role {role}",
        "broken",
        "row-level security does not hold for it: a tenant could see another",
        f"ALTER ROLE {role} NOSUPERUSER NOBYPASSRLS",
    )


def _guarded(check: Callable[[Environment, Path], Findings], settings: Environment, folder: Path) -> Findings:
    """Yield a check's findings; what stops the check is a finding too."""
    name = check.__name__.removesuffix("_findings").replace("_", " ")
    try:
        yield from check(settings, folder)
    except BadSetting as error:
        yield Finding(name, "broken", str(error), "see the message")
    except (OSError, psycopg.Error) as error:
        yield Finding(name, "broken", f"{type(error).__name__}: {error}", "see the message")


async def _health(runtime: runtimes.Runtime) -> runtimes.Health:
    try:
        return await runtime.health()
    finally:
        await runtime.close()


def _get_status(url: str, key: str) -> int:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_MODEL_SECONDS)
    try:
        connection.request("GET", parts.path, headers={"Authorization": f"Bearer {key}"} if key else {})
        return connection.getresponse().status
    finally:
        connection.close()


def _is_running(folder: Path) -> bool:
    note = folder / "run" / "serve.lock"
    if not note.exists() or not note.read_text().strip().isdigit():
        return False
    try:
        os.kill(int(note.read_text()), 0)
    except OSError:
        return False
    return True
