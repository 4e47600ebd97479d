"""One embedded PostgreSQL for a whole test run, with a migrated template that each test process clones."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg import sql

from agentmart.config.database import DatabaseUrls, embedded_urls, prepare_database
from agentmart.config.postgres import EmbeddedPostgres
from agentmart.contracts.tables import OWNER_ROLE

TEMPLATE = "agentmart_template"
UNSAFE_BUT_FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
}


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one process at a time into the block."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def make_data_dir() -> Path:
    """Return a new folder with a short path that the database's own user can reach (pytest's own cannot be)."""
    folder = Path(tempfile.mkdtemp(prefix="agentmart-test-", dir="/tmp"))
    if os.geteuid() == 0:
        folder.chmod(0o711)
    return folder


class Cluster:
    """A running server and the databases that tests make on it."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self.server = server

    def clone(self, dbname: str) -> DatabaseUrls:
        """Return the addresses of a new database with the template's tables and rights."""
        with psycopg.connect(self.server.url(), autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {} STRATEGY file_copy").format(
                    sql.Identifier(dbname), sql.Identifier(TEMPLATE), sql.Identifier(OWNER_ROLE)
                )
            )
        urls = embedded_urls(self.server, dbname)
        prepare_database(urls)  # rights on a database itself are not cloned
        return urls

    def drop(self, dbname: str) -> None:
        """Remove a database and whoever is still connected to it."""
        with psycopg.connect(self.server.url(), autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(dbname))
            )

    @contextmanager
    def fresh(self) -> Iterator[DatabaseUrls]:
        """Yield a new database, removed at the end."""
        dbname = f"fresh_{uuid4().hex}"
        urls = self.clone(dbname)
        try:
            yield urls
        finally:
            self.drop(dbname)


@contextmanager
def shared_cluster(meeting_place: Path) -> Iterator[Cluster]:
    """Yield the run's cluster: the first process starts and migrates it, the last one stops and removes it.

    `meeting_place` is a folder that all processes of one run know, and no other run does.
    """
    note, lock = meeting_place / "postgres-folder", meeting_place / "postgres-lock"
    with locked(lock):
        if not note.exists():
            note.write_text(str(make_data_dir()))
        folder = Path(note.read_text())
        server = EmbeddedPostgres(folder, UNSAFE_BUT_FAST)
        server.start()
    try:
        with locked(lock):
            _make_template(server)
        yield Cluster(server)
    finally:
        with locked(lock):
            server.stop()
            if server.pid() is None:
                shutil.rmtree(folder)
                note.unlink()


def _make_template(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [TEMPLATE]).fetchone():
            return
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(f"{TEMPLATE}_draft")))
        draft = embedded_urls(server, f"{TEMPLATE}_draft")
        prepare_database(draft)
        migrate(draft.owner, server.data_dir)
        connection.execute(
            sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
                sql.Identifier(f"{TEMPLATE}_draft"), sql.Identifier(TEMPLATE)
            )
        )


def migrate(owner_url: str, data_dir: Path) -> None:
    """Apply the migrations as `agentmart migrate` does: in a process of its own, as the owner."""
    environment = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "agentmart.config.settings",
        "AGENTMART_DATA_DIR": str(data_dir),
        "AGENTMART_DATABASE_ROLE": "owner",
        "DATABASE_URL": owner_url,
    }
    result = subprocess.run(
        [sys.executable, "-m", "django", "migrate", "--skip-checks", "--verbosity=0"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise RuntimeError(f"the migrations fail:\n{result.stderr[-6000:]}")
