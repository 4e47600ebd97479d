"""Writes a small dump of a data folder's database for the upgrade test; run by a maintainer, never by the product.

    dump_old_sale.py DATA_DIR OUT

DATA_DIR is what `agentmart demo --data-dir DATA_DIR` of an older commit left (in a work tree of that commit, with
its `src` as PYTHONPATH). The database is copied on its own server, what is secret is overwritten there, and the copy
is dumped as plain SQL and dropped; the original stays as it is.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from agentmart.config import postgres_place
from agentmart.config.database import DATABASE
from agentmart.config.postgres import EmbeddedPostgres

COPY = "agentmart_dump"
MOST_BYTES = 200 * 1024

# Hashes become those of the row's id: still unique, and of nothing that anybody holds.
SCRUB = """
SET session_replication_role = replica;
UPDATE identity_user SET password = '!';
UPDATE identity_api_token SET token_sha256 = sha256(id::text::bytea);
UPDATE access_grant SET key_sha256 = sha256(key_id::text::bytea);
UPDATE agents_flow_version SET flow = '{}';
DELETE FROM django_session;
DELETE FROM procrastinate_events;
DELETE FROM procrastinate_workers;
"""
EMPTY_PARTITIONS = """
SELECT c.oid::regclass::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'metering_usage_event'::regclass AND c.relname ~ '[0-9]$'
"""
HEADLINE = re.compile(r"^--(| (Name|Data for Name|PostgreSQL|Dumped).*)$", re.MULTILINE)
KEY = re.compile(r"ar_sk_(live|test)_[\w-]+\.[\w-]+\.")  # the first characters are kept, and are no secret


@contextmanager
def scrubbed(server: EmbeddedPostgres) -> Iterator[None]:
    """Make the copy without secrets, and drop it."""
    names = {"copy": sql.Identifier(COPY), "original": sql.Identifier(DATABASE)}
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {copy} TEMPLATE {original}").format(**names))
        try:
            with psycopg.connect(server.url(dbname=COPY), autocommit=True) as inside:
                inside.execute(SCRUB)
                _drop_empty_partitions(inside)
            yield
        finally:
            connection.execute(sql.SQL("DROP DATABASE {copy}").format(**names))


def _drop_empty_partitions(connection: psycopg.Connection) -> None:
    """Leave only the months that hold usage: their like is made again by the product."""
    for (name,) in connection.execute(EMPTY_PARTITIONS).fetchall():
        if connection.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchone() is None:
            connection.execute(f"DROP TABLE {name}")


def dump(server: EmbeddedPostgres) -> str:
    """Return the copy as SQL; roles, the database itself and the extension are the product's to make."""
    program = postgres_place.packaged_install() / "bin" / "pg_dump"
    options = ("--no-comments", "--exclude-extension=*", "--restrict-key=upgrade")
    done = subprocess.run(
        [str(program), *options, f"--dbname={server.url(dbname=COPY)}"],
        check=True,
        capture_output=True,
        text=True,
    )
    return re.sub(r"\n{2,}", "\n", HEADLINE.sub("", done.stdout))


def main() -> None:
    """Read the arguments, write the dump; refuse one that is too large or holds a secret."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("out", type=Path)
    asked = parser.parse_args()
    secrets = json.loads((asked.data_dir / "secrets.json").read_text()).values()
    with EmbeddedPostgres(asked.data_dir) as server, scrubbed(server):
        text = dump(server)
    if KEY.search(text) or any(secret in text for secret in secrets):
        raise SystemExit("the dump holds a secret: scrub more")
    if len(text.encode()) > MOST_BYTES:
        raise SystemExit(f"the dump has {len(text.encode())} bytes, more than {MOST_BYTES}")
    asked.out.write_text(text)


if __name__ == "__main__":
    main()
