"""The product on a PostgreSQL of the test's own, its gateway behind a proxy; and the ways to break it."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import psycopg
from psycopg import sql
from tests.chaos.proxy import Proxy
from tests.support.running import flow_processes
from tests.support.waiting import until

from agentmart.config.postgres import EmbeddedPostgres
from agentmart.config.product import Product, running_product
from agentmart.contracts.tables import GATEWAY_ROLE
from agentmart.kit.clock import OffsetClock

OWNER = "chaos_owner"
DATABASE = "chaos"
PASSWORD = "nobody-else-is-here"
DEADLINE = 180.0
AWAY_SECONDS = 6.0
"""Longer than the gateway waits for a commit, so that usage goes to the spool."""


class Place:
    """A running product and what holds it."""

    def __init__(self, data_dir: Path, postgres: EmbeddedPostgres, proxy: Proxy) -> None:
        self.data_dir = data_dir
        self._postgres = [postgres]
        self.proxy = proxy
        self.clock = OffsetClock(data_dir / "dev-clock.json")
        self._product: Product | None = None

    @property
    def product(self) -> Product:
        """The running product."""
        assert self._product is not None
        return self._product

    @contextlib.contextmanager
    def running(self, overrides: dict[str, str]) -> Iterator[Product]:
        """Start the product and stop it at the end."""
        with running_product(self.data_dir, overrides=overrides) as self._product:
            yield self._product

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Return rows as a superuser, who sees all tenants."""
        with psycopg.connect(self._postgres[-1].url(dbname=DATABASE)) as connection:
            return connection.execute(statement).fetchall()  # type: ignore[arg-type]

    # -- what may happen

    def kill(self, name: str) -> None:
        """kill -9 a process of the product, which its supervisor starts again."""
        before = self.product.restarts(name)
        pid = self.product.pid(name)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        until(lambda: self.product.restarts(name) > before and self.product.pid(name), DEADLINE)

    def kill_flow_processes(self) -> None:
        """kill -9 every child of the runtime that runs flows."""
        for pid in flow_processes(self.product.pid("runtime") or 0):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill_postgres(self) -> None:
        """kill -9 PostgreSQL, and start it again after some seconds."""
        pid = self._postgres[-1].pid()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        time.sleep(1.0)
        again = EmbeddedPostgres(self._postgres[0].data_dir)
        again.start()
        self._postgres.append(again)

    def cut_network(self) -> None:
        """Cut the gateway off from PostgreSQL for longer than it waits."""
        self.proxy.cut()
        time.sleep(AWAY_SECONDS)
        self.proxy.mend()

    def cut_network_and_kill_gateway(self) -> None:
        """The same, with a kill -9 while usage is in the spool; the next gateway finds the network still cut."""
        self.proxy.cut()
        time.sleep(AWAY_SECONDS)
        self.kill("gateway")
        time.sleep(2.0)
        self.proxy.mend()

    def cut_network_with_a_full_disk(self) -> None:
        """The same, with a disk that takes a few bytes more: the kernel refuses the gateway's writes beyond."""
        pid = self.product.pid("gateway")
        assert pid is not None
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (16, hard))
        self.proxy.cut()
        time.sleep(AWAY_SECONDS)
        self.proxy.mend()
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))

    def jump_clock(self, seconds: float) -> None:
        """Move time for every process."""
        self.clock.set_offset(self.clock.offset() + timedelta(seconds=seconds))

    def set_clock(self, moment: datetime) -> None:
        """Make it that moment for every process."""
        self.clock.set_offset(moment - datetime.now(UTC))

    def stop_postgres(self) -> None:
        """Let go of PostgreSQL."""
        for server in self._postgres:
            server.stop()


@contextlib.contextmanager
def place_at(data_dir: Path, postgres_dir: Path) -> Iterator[tuple[Place, dict[str, str]]]:
    """Yield a place and the settings its product must be started with."""
    postgres = EmbeddedPostgres(postgres_dir)
    postgres.start()
    sockets = Path(parse_qs(urlsplit(postgres.url()).query)["host"][0])
    proxy = Proxy(sockets / ".s.PGSQL.5432")
    place = Place(data_dir, postgres, proxy)
    try:
        with psycopg.connect(postgres.url(), autocommit=True) as connection:
            for role, rights in ((OWNER, "CREATEROLE"), (GATEWAY_ROLE, "NOCREATEROLE")):
                statement = sql.SQL("CREATE ROLE {} LOGIN {} PASSWORD {}")
                connection.execute(
                    statement.format(sql.Identifier(role), sql.SQL(rights), sql.Literal(PASSWORD))
                )
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), sql.Identifier(OWNER))
            )
        with psycopg.connect(postgres.url(dbname=DATABASE), autocommit=True) as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        yield (
            place,
            {
                "DATABASE_URL": f"postgresql://{OWNER}:{PASSWORD}@/{DATABASE}?host={quote(str(sockets), safe='')}",
                "AGENTMART_GATEWAY_DATABASE_URL": f"postgresql://{GATEWAY_ROLE}:{PASSWORD}@127.0.0.1:{proxy.port}/{DATABASE}",
            },
        )
    finally:
        proxy.close()
        place.stop_postgres()


Happening = tuple[str, Callable[[], None], int]
"""What is said of it, what does it, and of how many calls in flight it may cost the answer, per caller."""


def happenings(place: Place) -> list[Happening]:
    """Return everything that may happen, in the order in which it does."""
    return [
        ("kill -9 of the gateway", lambda: place.kill("gateway"), 1),
        ("kill -9 of the flow processes", place.kill_flow_processes, 0),
        ("the clock jumps an hour ahead", lambda: place.jump_clock(3600), 0),
        ("kill -9 of the worker", lambda: place.kill("worker"), 0),
        ("network between gateway and PostgreSQL cut", place.cut_network, 0),
        ("kill -9 of PostgreSQL", place.kill_postgres, 0),
        ("the clock jumps back a minute", lambda: place.jump_clock(-60), 0),
        ("network cut, spooling, kill -9 of the gateway", place.cut_network_and_kill_gateway, 1),
        ("kill -9 of the runtime", lambda: place.kill("runtime"), 0),
        ("network cut and the disk full", place.cut_network_with_a_full_disk, 1),
    ]
