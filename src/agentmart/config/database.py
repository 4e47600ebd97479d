"""Which database the product uses, as which roles, and what must be in place before the first migration."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

from agentmart.config import secrets
from agentmart.config.postgres import EmbeddedPostgres
from agentmart.contracts.tables import APP_ROLE, GATEWAY_ROLE, OWNER_ROLE
from agentmart.kit.env import BadSetting, Environment

DATABASE = "agentmart"
MINIMUM_VERSION = 15
_PREPARE_LOCK = 7_305_811_220  # any number that other users of the server are unlikely to choose


@dataclass(frozen=True, slots=True)
class DatabaseUrls:
    """Addresses of the product's database, one per role; a process gets only the one it needs.

    `admin` may make roles and databases. `made_roles` are those whose password is ours to set.
    """

    owner: str = field(repr=False)
    app: str = field(repr=False)
    gateway: str = field(repr=False)
    admin: str = field(repr=False)
    made_roles: frozenset[str] = frozenset()
    embedded: bool = False


def database_urls(environment: Environment, data_dir: Path) -> DatabaseUrls:
    """Return the addresses that settings choose: DATABASE_URL's, or those of the embedded server.

    Does not start or ask the embedded server. Raises BadSetting for an address of another role or form.
    """
    external = environment.text("DATABASE_URL")
    if external:
        return _external_urls(environment, data_dir, external)
    for name in ("AGENTMART_APP_DATABASE_URL", "AGENTMART_GATEWAY_DATABASE_URL"):
        if environment.text(name):
            raise BadSetting(
                f"{name} is set but DATABASE_URL is not: set all, or none for the embedded PostgreSQL"
            )
    return embedded_urls(EmbeddedPostgres(data_dir))


def embedded_urls(server: EmbeddedPostgres, dbname: str = DATABASE) -> DatabaseUrls:
    """Return the addresses of a database of the embedded server."""
    return DatabaseUrls(
        owner=server.url(OWNER_ROLE, dbname),
        app=server.url(APP_ROLE, dbname),
        gateway=server.url(GATEWAY_ROLE, dbname),
        admin=server.url(),
        made_roles=frozenset({OWNER_ROLE, APP_ROLE, GATEWAY_ROLE}),
        embedded=True,
    )


@contextmanager
def running(environment: Environment, data_dir: Path) -> Iterator[DatabaseUrls]:
    """Yield the addresses of a database that answers: starts or joins the embedded server where it is used."""
    if environment.text("DATABASE_URL"):
        yield database_urls(environment, data_dir)
        return
    with EmbeddedPostgres(data_dir):
        yield database_urls(environment, data_dir)


def prepare_database(urls: DatabaseUrls) -> None:
    """Make the roles, the database, its extension and the rights above table level; may run any number of times.

    Tables and rights on them are the migrations' work. Raises BadSetting when the server is too old, lacks
    pgvector, does not answer, or when the role may not do this.
    """
    try:
        with psycopg.connect(urls.admin, autocommit=True, connect_timeout=10) as connection:
            _check_version(connection)
            connection.execute("SELECT pg_advisory_lock(%s)", [_PREPARE_LOCK])
            _make_roles(connection, urls)
            if urls.embedded:
                _make_database(connection, database_of(urls.owner))
            _restrict_database(connection, urls)
        with psycopg.connect(_admin_in(urls), autocommit=True, connect_timeout=10) as connection:
            _make_schema(connection, urls)
    except psycopg.OperationalError as error:
        raise BadSetting(
            f"cannot connect to PostgreSQL at {without_password(urls.admin)}: {error}"
        ) from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise BadSetting(
            f"the role of DATABASE_URL may not prepare the database: {error.diag.message_primary}. Let it create "
            f"roles (ALTER ROLE … CREATEROLE), or create {APP_ROLE} and {GATEWAY_ROLE} yourself and set "
            "AGENTMART_APP_DATABASE_URL and AGENTMART_GATEWAY_DATABASE_URL"
        ) from error


def role_of(url: str) -> str:
    """Return the role name in an address."""
    return unquote(urlsplit(url).username or "")


def database_of(url: str) -> str:
    """Return the database name in an address."""
    return unquote(urlsplit(url).path.lstrip("/"))


def without_password(url: str) -> str:
    """Return the address as it may be shown."""
    parts = urlsplit(url)
    name, _, host = parts.netloc.rpartition("@")
    user = name.split(":", 1)[0]
    return urlunsplit(parts._replace(netloc=f"{user}@{host}" if user else host))


def with_role(url: str, role: str, password: str) -> str:
    """Return the address with another role and password."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(role, safe='')}:{quote(password, safe='')}@{host}"))


def with_database(url: str, dbname: str) -> str:
    """Return the address with another database name."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{quote(dbname, safe='')}"))


def _external_urls(environment: Environment, data_dir: Path, external: str) -> DatabaseUrls:
    if urlsplit(external).scheme not in ("postgresql", "postgres") or not database_of(external):
        raise BadSetting("DATABASE_URL must look like postgresql://USER:PASSWORD@HOST:5432/DATABASE")
    made = secrets.load(data_dir)
    urls: dict[str, str] = {}
    own: set[str] = set()
    for name, role, password in (
        ("AGENTMART_APP_DATABASE_URL", APP_ROLE, made.app_password),
        ("AGENTMART_GATEWAY_DATABASE_URL", GATEWAY_ROLE, made.gateway_password),
    ):
        given = environment.text(name)
        if given and role_of(given) != role:
            raise BadSetting(f"{name} must connect as the role {role}, not {role_of(given)!r}")
        if not given:
            own.add(role)
        urls[role] = given or with_role(external, role, password)
    return DatabaseUrls(
        owner=external,
        app=urls[APP_ROLE],
        gateway=urls[GATEWAY_ROLE],
        admin=external,
        made_roles=frozenset(own),
    )


def _admin_in(urls: DatabaseUrls) -> str:
    return with_database(urls.admin, database_of(urls.owner))


def _check_version(connection: psycopg.Connection) -> None:
    version = connection.info.server_version // 10_000
    if version < MINIMUM_VERSION:
        raise BadSetting(f"DATABASE_URL is PostgreSQL {version}; Agentmart needs {MINIMUM_VERSION} or newer")


def _make_roles(connection: psycopg.Connection, urls: DatabaseUrls) -> None:
    for url in (urls.owner, urls.app, urls.gateway):
        role = role_of(url)
        known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
        if role not in urls.made_roles:
            if known is None:
                raise BadSetting(
                    f"the database role {role} does not exist; create it, or let us by leaving its URL out"
                )
            continue
        # Hashed here, so that the password itself can appear in no server's log.
        password = unquote(urlsplit(url).password or "").encode()
        hashed = connection.pgconn.encrypt_password(password, role.encode(), b"scram-sha-256").decode()
        # Without SUPERUSER and BYPASSRLS an external administrator may lack the right to say their negation.
        limits = "LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE" if urls.embedded else "LOGIN"
        connection.execute(
            sql.SQL("{} ROLE {} WITH {} PASSWORD {}").format(
                sql.SQL("ALTER" if known else "CREATE"),
                sql.Identifier(role),
                sql.SQL(limits),
                sql.Literal(hashed),
            )
        )


def _make_database(connection: psycopg.Connection, dbname: str) -> None:
    if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [dbname]).fetchone() is None:
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8'").format(
                sql.Identifier(dbname), sql.Identifier(OWNER_ROLE)
            )
        )


def _restrict_database(connection: psycopg.Connection, urls: DatabaseUrls) -> None:
    names = {
        "database": sql.Identifier(database_of(urls.owner)),
        "app": sql.Identifier(APP_ROLE),
        "gateway": sql.Identifier(GATEWAY_ROLE),
    }
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {database} FROM PUBLIC").format(**names))
    connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {database} TO {app}, {gateway}").format(**names))


def _make_schema(connection: psycopg.Connection, urls: DatabaseUrls) -> None:
    _make_extension(connection, database_of(urls.owner))
    roles = {
        "owner": sql.Identifier(role_of(urls.owner)),
        "app": sql.Identifier(APP_ROLE),
        "gateway": sql.Identifier(GATEWAY_ROLE),
    }
    if urls.embedded:
        connection.execute(sql.SQL("ALTER SCHEMA public OWNER TO {owner}").format(**roles))
    connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    connection.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {app}, {gateway}").format(**roles))


def _make_extension(connection: psycopg.Connection, dbname: str) -> None:
    if connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'vector'").fetchone():
        return
    if connection.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'").fetchone() is None:
        raise BadSetting("the PostgreSQL server has no pgvector; install it (Debian: postgresql-NN-pgvector)")
    try:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
    except psycopg.errors.InsufficientPrivilege as error:
        raise BadSetting(
            f"only a superuser of this server may add pgvector: run CREATE EXTENSION vector in the database {dbname}"
        ) from error
