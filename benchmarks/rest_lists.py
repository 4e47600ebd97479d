"""Lists of the REST API on one web worker: p50 and requests per second over a fresh database of a known size.

1,000 offerings of 3 components and 2 plans, 10,000 orders; one client, then four at once. The ratio to Waldur 7.0.7
compares with figures of another run (operator-api §7), not with one made beside this one.
"""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import django

from agentmart.config import database
from agentmart.config import process_environment as environments
from agentmart.config.ports import free

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
OFFERINGS, ORDERS, BUYERS = 1_000, 10_000, 20
ROUNDS, CLIENTS, SECONDS = 60, 4, 6.0
SERVER = """
from agentmart.config.processes.web import WebOptions, run
run(WebOptions(host="127.0.0.1", port={port}, workers=1))
"""


@dataclass(frozen=True)
class Page:
    """One list, and what Waldur 7.0.7 took for it in a run of its own (p50 in ms, as a range)."""

    name: str
    path: str
    person: str
    waldur: tuple[int, int] | None = None


PAGES = (
    Page(
        "provider-offerings, 50 rows",
        "/api/marketplace-provider-offerings/?page_size=50",
        "staff",
        (2455, 2597),
    ),
    Page("offerings, 50 rows", "/api/marketplace-offerings/?page_size=50", "staff"),
    Page("offerings, 50 rows, a buyer", "/api/marketplace-offerings/?page_size=50", "buyer"),
    Page("public-offerings, 50 rows", "/api/marketplace-public-offerings/?page_size=50", "", (1701, 1701)),
    Page(
        "provider-offerings, 10 rows",
        "/api/marketplace-provider-offerings/?page_size=10",
        "staff",
        (563, 563),
    ),
    Page(
        "provider-offerings, 50 rows, 3 fields",
        "/api/marketplace-provider-offerings/?page_size=50&field=uuid&field=name&field=state",
        "staff",
        (55, 55),
    ),
    Page("orders, 50 rows", "/api/marketplace-orders/?page_size=50", "staff", (592, 918)),
    Page("orders, 10 rows", "/api/marketplace-orders/?page_size=10", "staff", (144, 185)),
    Page("resources, 50 rows", "/api/marketplace-resources/?page_size=50", "staff", (439, 439)),
    Page("plans, 50 rows", "/api/marketplace-plans/?page_size=50", "staff"),
    Page("categories", "/api/marketplace-categories/", "staff", (59, 59)),
)


def fill() -> dict[str, str]:
    """Write the rows; return a token by person."""
    from agentmart.catalog import services as catalog
    from agentmart.catalog.models import Category, Offering, OfferingPrivate, ServiceProvider
    from agentmart.identity import services as identity
    from agentmart.identity.models import Role
    from agentmart.infra import tenancy

    with tenancy.as_system("benchmark") as actor:
        identity.install(now=NOW, operator_name="Operator Inc", currency="USD")
        staff = identity.create_user(actor=actor, now=NOW, username="staff", is_staff=True)
        buyer = identity.create_user(actor=actor, now=NOW, username="buyer")
        tokens = {
            "staff": identity.refresh_token(staff, actor=actor, now=NOW),
            "buyer": identity.refresh_token(buyer, actor=actor, now=NOW),
        }
        seller = identity.create_customer(actor=actor, now=NOW, name="Seller", currency="USD")
        provider: ServiceProvider = catalog.register_provider(seller, actor=actor, now=NOW)
        shelves = [
            catalog.create_category(actor=actor, now=NOW, title=f"Shelf {number}") for number in range(5)
        ]
        projects = []
        for number in range(BUYERS):
            customer = identity.create_customer(actor=actor, now=NOW, name=f"Buyer {number}", currency="USD")
            projects.append(identity.create_project(actor=actor, now=NOW, customer=customer, name="Project"))
        identity.add_member(
            actor=actor, now=NOW, user=buyer, role=Role.CUSTOMER_OWNER, customer=projects[0].customer
        )
        offerings = [
            Offering(
                customer=seller,
                service_provider=provider,
                category=Category.objects.get(pk=shelves[number % 5].pk),
                name=f"Offering {number}",
                slug=f"offering-{number}",
                description="What it does, in a sentence or two.",
                type="Marketplace.Basic",
                state="Active",
                **_made_at(number),
            )
            for number in range(OFFERINGS)
        ]
        Offering.objects.bulk_create(offerings)
        OfferingPrivate.objects.bulk_create(
            [OfferingPrivate(offering=offering, customer_id=seller.id) for offering in offerings]
        )
        _sell(offerings, _fill_plans(offerings), projects)
    return tokens


def _made_at(number: int) -> dict[str, datetime]:
    """Return the times of a row: each ten minutes older than the one before."""
    moment = NOW - timedelta(minutes=10 * number)
    return {"created": moment, "modified": moment}


def _fill_plans(offerings: list[Any]) -> list[Any]:
    """Write three components and two plans of each offering; return one plan of each."""
    from agentmart.catalog.models import OfferingComponent, Plan, PlanComponent, PlanPrice

    kinds = (("base", "fixed"), ("requests", "usage"), ("tokens", "usage"))
    times = {"created": NOW, "modified": NOW}
    components = [
        OfferingComponent(offering=offering, type=kind, name=kind.title(), billing_type=billing, **times)
        for offering in offerings
        for kind, billing in kinds
    ]
    OfferingComponent.objects.bulk_create(components)
    plans = [
        Plan(offering=offering, name=name, currency="USD", limits={"requests_per_minute": 60}, **times)
        for offering in offerings
        for name in ("Small", "Large")
    ]
    Plan.objects.bulk_create(plans)
    prices = (
        {"model": "fixed", "price": "99", "amount": "1"},
        {"model": "per_unit", "price": "0.01"},
        {"model": "per_unit", "price": "0.00002"},
    )
    rows = [
        PlanComponent(
            plan=plan, component=component, offering_id=plan.offering_id, amount=0, price=price, **times
        )
        for index, plan in enumerate(plans)
        for component, price in zip(components[index // 2 * 3 : index // 2 * 3 + 3], prices, strict=True)
    ]
    PlanComponent.objects.bulk_create(rows)
    first = datetime(1970, 1, 1, tzinfo=UTC).date()
    PlanPrice.objects.bulk_create(
        [
            PlanPrice(
                plan_component=row,
                offering_id=row.offering_id,
                valid_from=first,
                price=row.price,
                created=NOW,
            )
            for row in rows
        ]
    )
    return plans[::2]


def _sell(offerings: list[Any], plans: list[Any], projects: list[Any]) -> None:
    """Write the orders, each with the resource it made."""
    from agentmart.ordering.models import Order
    from agentmart.resources.models import Resource

    sales = [
        (number, offerings[number % OFFERINGS], plans[number % OFFERINGS], projects[number % BUYERS])
        for number in range(ORDERS)
    ]
    shared = [
        {
            "customer_id": project.customer_id,
            "customer_name": project.customer.name,
            "project": project,
            "project_name": project.name,
            "provider_customer_id": offering.customer_id,
            "offering": offering,
            "plan": plan,
            **_made_at(number),
        }
        for number, offering, plan, project in sales
    ]
    resources = [Resource(name=f"Resource {number}", state="OK", **row) for number, row in enumerate(shared)]
    Resource.objects.bulk_create(resources)
    Order.objects.bulk_create(
        [
            Order(type="Create", state="done", resource=resource, resource_name=resource.name, **row)
            for resource, row in zip(resources, shared, strict=True)
        ]
    )


class Client:
    """A connection that is kept."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"Authorization": f"Token {token}"} if token else {}

    def get(self, path: str) -> int:
        """Return the size of an answer that must be 200."""
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status} {body[:300]!r}")
        return len(body)


def one_client(port: int, token: str, path: str) -> tuple[float, int]:
    """Return the median time of an answer in ms, and its size."""
    client = Client(port, token)
    size = 0
    for _ in range(10):
        size = client.get(path)
    times = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        client.get(path)
        times.append(time.perf_counter() - begun)
    return statistics.median(times) * 1000, size


def many_clients(port: int, token: str, path: str) -> float:
    """Return answers per second to several clients at once."""
    until = time.perf_counter() + SECONDS
    counts = [0] * CLIENTS

    def run(place: int) -> None:
        client = Client(port, token)
        while time.perf_counter() < until:
            client.get(path)
            counts[place] += 1

    begun = time.perf_counter()
    threads = [threading.Thread(target=run, args=(place,)) for place in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - begun)


def wait_for(port: int) -> None:
    """Return once the server answers."""
    for _ in range(300):
        try:
            Client(port, "").get("/api/health/")
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise SystemExit("The web server did not start.")


def measure(port: int, tokens: dict[str, str]) -> None:
    """Print a row of figures per list."""
    print("| list | size | p50, one client | answers/s, four clients | Waldur 7.0.7, another run | ratio |")
    print("|---|---|---|---|---|---|")
    for page in PAGES:
        token = tokens.get(page.person, "")
        p50, size = one_client(port, token, page.path)
        rate = many_clients(port, token, page.path)
        theirs, ratio = "–", "–"
        if page.waldur:
            low, high = page.waldur
            theirs = f"{low} ms" if low == high else f"{low}–{high} ms"
            ratio = f"{low / p50:.0f}×"
        print(
            f"| {page.name} | {size // 1024} KB | {p50:.1f} ms | {rate:.0f} | {theirs} | {ratio} |",
            flush=True,
        )


def main() -> None:
    """Make a database, fill it, start one web worker, measure."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that server and database are stopped
    folder = Path(tempfile.mkdtemp(prefix="agentmart-bench-", dir="/tmp"))
    folder.chmod(0o711)
    command = [str(Path(sys.executable).with_name("agentmart")), "migrate", "--data-dir", str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    settings = environments.with_options(folder)
    try:
        with database.running(settings, folder) as urls:
            environments.replace(environments.for_process("web", settings, folder, urls))
            django.setup()
            tokens = fill()
            port = free()
            with subprocess.Popen(
                [sys.executable, "-c", SERVER.format(port=port)], env=dict(os.environ)
            ) as server:
                try:
                    wait_for(port)
                    load = os.getloadavg()[0]
                    print(
                        f"{OFFERINGS} offerings, {ORDERS} orders, one web worker; load {load:.1f} before.\n"
                    )
                    measure(port, tokens)
                finally:
                    server.terminate()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
