"""A database of an older version, with a whole sale in it, is brought to today's: everything is there, to the cent.

The dump is of the version that delivered the first sale (two resources, 31 calls, an invoice of 70.93 USD); see
`scripts/dump_old_sale.py`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connections, transaction
from psycopg import sql
from pytest_django import DjangoDbBlocker
from tests.support.django_database import connected_to
from tests.support.market import ok
from tests.support.postgres import Cluster, migrate
from tests.support.world import Api

from agentmart.config import postgres_place
from agentmart.config.database import DatabaseUrls, embedded_urls, prepare_database
from agentmart.identity import services as identity
from agentmart.identity.models import User
from agentmart.infra import clock, tenancy

DUMP = Path(__file__).with_name("issue-2.sql")
DATABASE = "upgraded"
LATER = datetime(2027, 1, 5, 12, tzinfo=UTC)
PROGRAM = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}


@pytest.fixture(scope="module")
def upgraded(postgres: Cluster, worker_id: str) -> Iterator[DatabaseUrls]:
    """The addresses of a database that was loaded from the dump and migrated."""
    dbname = f"{DATABASE}_{worker_id}"
    urls = embedded_urls(postgres.server, dbname)
    prepare_database(urls)
    psql = postgres_place.packaged_install() / "bin" / "psql"
    superuser = postgres.server.url(dbname=dbname)
    options = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction", f"--file={DUMP}")
    subprocess.run([str(psql), *options, superuser], check=True, env=PROGRAM, stdout=subprocess.DEVNULL)
    migrate(urls.owner, postgres.server.data_dir)
    yield urls
    postgres.drop(dbname)


@pytest.fixture(scope="module")
def people(upgraded: DatabaseUrls, django_db_blocker: DjangoDbBlocker) -> Iterator[dict[str, Api]]:
    """The REST clients of the people in the dump, on the upgraded database."""
    with django_db_blocker.unblock():
        connections.close_all()
        with connected_to(upgraded.app):
            yield {user: Api(new_token(user)) for user in ("admin", "provider", "buyer", "neighbour")}
            connections.close_all()


def new_token(username: str) -> str:
    """A token: the dump holds none that anybody knows."""
    with tenancy.as_system("test") as actor:
        return identity.refresh_token(User.objects.get(username=username), actor=actor, now=LATER)


@pytest.fixture(autouse=True)
def after_the_sale(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sale was in December 2026."""
    monkeypatch.setattr(clock, "now", lambda: LATER)


def named(rows: list[Any], name: str) -> Any:
    (row,) = [row for row in rows if row["name"] == name]
    return row


def test_orders_and_resources(people: dict[str, Api]) -> None:
    orders = ok(people["admin"].get("/api/marketplace-orders/"))
    assert sorted((row["offering_name"], row["state"], row["type"]) for row in orders) == [
        ("Echo", "done", "Create"),
        ("Memory Chatbot", "done", "Create"),
    ]
    resources = ok(people["admin"].get("/api/marketplace-resources/"))
    assert sorted(
        (row["name"], row["state"], row["customer_name"], row["plan_name"]) for row in resources
    ) == [
        ("Echo", "OK", "Next Door Ltd", "Free"),
        ("Support chat", "OK", "Acme Corp", "Professional"),
    ]
    (own,) = ok(people["buyer"].get("/api/marketplace-resources/"))
    assert own["name"] == "Support chat"
    order = ok(people["buyer"].get("/api/marketplace-orders/"))[0]
    assert order["marketplace_resource_uuid"] == own["uuid"]


def test_the_catalogue(people: dict[str, Api]) -> None:
    offerings = ok(people["neighbour"].get("/api/marketplace-public-offerings/"))
    assert sorted((row["name"], row["state"]) for row in offerings) == [
        ("Echo", "Active"),
        ("Memory Chatbot", "Active"),
    ]
    (plan,) = named(offerings, "Memory Chatbot")["plans"]
    assert (plan["name"], Decimal(plan["unit_price"])) == ("Professional", Decimal(99))
    assert plan["limits"]["requests_per_minute"] == 120


def config_of(people: dict[str, Api]) -> str:
    (own,) = ok(people["buyer"].get("/api/marketplace-resources/"))
    return f"/api/site-agent/customer-agent-configs/{own['agent_config']}"


def test_keys(people: dict[str, Api]) -> None:
    keys = ok(people["buyer"].get(f"{config_of(people)}/api-keys/"))
    assert {key["name"]: key["state"] for key in keys} == {"Demo": "active", "To be revoked": "revoked"}
    assert ok(people["neighbour"].get("/api/marketplace-resources/"))[0]["name"] == "Echo"
    assert people["neighbour"].get(f"{config_of(people)}/api-keys/").status_code == 404


def test_usage(people: dict[str, Api]) -> None:
    used = {"requests": 27, "input_tokens": 29282, "output_tokens": 1595}
    month = {"start": "2026-12-01", "end": "2026-12-31"}
    assert ok(people["buyer"].get(f"{config_of(people)}/usage/", **month))["totals"].items() >= used.items()
    calls = ok(people["buyer"].get(f"{config_of(people)}/calls/", page_size=300, **month))
    assert {name: sum(call[name] for call in calls) for name in used} == used
    # What older versions did not have is made of what they had: the monthly rows of metered components.
    months = ok(people["buyer"].get("/api/marketplace-component-usages/"))
    assert {row["type"]: Decimal(row["usage"]) for row in months} == {
        name: Decimal(amount) for name, amount in used.items()
    }


def invoice_of(people: dict[str, Api]) -> Any:
    (invoice,) = ok(people["buyer"].get("/api/invoices/"))
    return invoice


def test_the_invoice_to_the_cent(people: dict[str, Api]) -> None:
    invoice = invoice_of(people)
    assert (invoice["number"], invoice["state"], invoice["currency"]) == (1, "created", "USD")
    assert (invoice["year"], invoice["month"], invoice["price"]) == (2026, 12, "70.93")
    assert (invoice["tax"], invoice["total"], invoice["amount_paid"]) == ("0.00", "70.93", "0.00")
    lines = {row["component_type"]: (row["quantity"], row["total"]) for row in invoice["items"]}
    assert lines == {
        "base": ("1", "69.06"),
        "requests": ("27", "0.27"),
        "output_tokens": ("1595", "1.60"),
    }
    assert sum(Decimal(total) for _, total in lines.values()) == Decimal(invoice["total"])


def test_every_line_is_still_explained(people: dict[str, Api]) -> None:
    invoice = invoice_of(people)
    for line in invoice["items"]:
        path = f"/api/invoices/{invoice['uuid']}/items/{line['uuid']}/explain/"
        told = ok(people["buyer"].get(path))
        steps = sum(Decimal(step["amount"]) for step in told["steps"])
        assert steps == Decimal(str(line["price"])), line["name"]


def test_a_final_invoice_stays_as_it_is(people: dict[str, Api]) -> None:
    before = invoice_of(people)
    body = {"customer": before["customer"], "year": 2026, "month": 12}
    again = ok(people["admin"].post("/api/invoices/", body))
    assert (again["uuid"], again["total"], again["items"]) == (
        before["uuid"],
        before["total"],
        before["items"],
    )


def test_reports_read_the_old_rows(people: dict[str, Api]) -> None:
    query = {"start": "2026-12-01", "end": "2026-12-31", "customer": invoice_of(people)["customer_uuid"]}
    (dollars,) = ok(people["admin"].get("/api/marketplace-stats/revenue/", **query))["currencies"]
    assert (dollars["currency"], dollars["total"]) == ("USD", "70.93")
    used = ok(people["admin"].get("/api/marketplace-stats/usage/", **query))["totals"]
    assert used == {"requests": 27, "input_tokens": 29282, "output_tokens": 1595}


def test_tenants_are_kept_apart(people: dict[str, Api]) -> None:
    assert people["neighbour"].get(f"/api/invoices/{invoice_of(people)['uuid']}/").status_code == 404
    assert people["provider"].get(f"{config_of(people)}/api-keys/").status_code == 404


def test_the_old_sale_goes_on(people: dict[str, Api], signing_key: None) -> None:
    with transaction.atomic():
        made = ok(people["buyer"].post(f"{config_of(people)}/api-keys/", {"name": "Afterwards"}), 201)
        assert made["key"].startswith("ar_sk_live_")
        path = f"/api/invoices/{invoice_of(people)['uuid']}/paid/"
        paid = ok(people["admin"].post(path, {"date": "2027-01-05"}))
        assert (paid["state"], paid["amount_paid"]) == ("paid", "70.93")
        transaction.set_rollback(True)  # the other tests read the same database


SHAPE = {
    "columns": """
        SELECT table_name, column_name, data_type, is_nullable, character_maximum_length, numeric_precision
        FROM information_schema.columns WHERE table_schema = 'public'""",
    "indexes": "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "constraints": """
        SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace""",
    "policies": "SELECT tablename, policyname, cmd, roles::text, qual, with_check FROM pg_policies",
    "row security": "SELECT relname, relforcerowsecurity::text FROM pg_class WHERE relrowsecurity",
    "triggers": """
        SELECT tgrelid::regclass::text, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal""",
    "functions": "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
    "rights": """
        SELECT table_name, grantee, privilege_type FROM information_schema.role_table_grants
        WHERE table_schema = 'public' AND grantee LIKE 'agentmart_%'""",
}
"""What a database is made of; the partitions differ, as they are made for the months around now."""


SPELLING = re.compile(r"::(character varying|text)|\\[nt]|[()\[\] ]")


def shape(url: str, query: str) -> set[str]:
    """Rows as text, without what a dump spells in another way: blanks, casts of text, brackets."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(sql.SQL(query)).fetchall()  # type: ignore[arg-type]
    return {SPELLING.sub("", str(row)) for row in rows if "usage_event_2" not in str(row)}


@pytest.mark.parametrize("part", SHAPE)
def test_it_is_made_like_a_new_one(upgraded: DatabaseUrls, fresh_database: DatabaseUrls, part: str) -> None:
    old, new = shape(upgraded.owner, SHAPE[part]), shape(fresh_database.owner, SHAPE[part])
    assert new
    assert sorted(old - new) == []
    assert sorted(new - old) == []


def test_no_model_lacks_a_migration() -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "agentmart.config.settings",
        "AGENTMART_SECRET_KEY": "x",
        "AGENTMART_APP_DATABASE_URL": "postgresql://a:b@localhost/x",
    }
    command = [sys.executable, "-W", "ignore", "-m", "django", "makemigrations", "--check", "--dry-run"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "No changes detected")
