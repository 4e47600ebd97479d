"""Reports on one web worker: p50 of each over a month and over 36 months of sales.

1,000 customers, 10,000 orders, 50,000 plan periods, 20,000 invoices of 5 lines, 250,000 hourly sums of usage. With
`--plans` the plan of every statement is printed instead.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import django
import psycopg

from agentmart.config import database
from agentmart.config import process_environment as environments
from agentmart.config.ports import free
from benchmarks import rest_lists

ROUNDS = 5
CUSTOMERS, PERIODS_EACH, INVOICES_EACH, LINES_EACH, HOURS_EACH = 1_000, 5, 20, 5, 25

BUYER = "(SELECT id, row_number() OVER (ORDER BY name) - 1 AS n FROM identity_customer WHERE name LIKE 'Customer %')"
BOUGHT = """(SELECT id AS resource_id, plan_id, offering_id, project_id, provider_customer_id,
    row_number() OVER (ORDER BY id) AS n FROM resources_resource)"""
FILL = (
    """
INSERT INTO resources_plan_period (id, created, modified, resource_id, customer_id, provider_customer_id, plan_id,
    limits, start, "end")
SELECT gen_random_uuid(), now(), now(), b.resource_id, c.id, b.provider_customer_id, b.plan_id, '{{}}',
    timestamptz '2023-04-01 UTC' + (b.n % 180) * interval '1 day' + k * interval '180 days',
    CASE WHEN k < {periods} - 1 THEN timestamptz '2023-04-01 UTC' + (b.n % 180) * interval '1 day'
        + k * interval '180 days' + (150 + (b.n + k) % 31) * interval '1 day' END
FROM {bought} b JOIN {buyer} c ON c.n = b.n % {customers} CROSS JOIN generate_series(0, {periods} - 1) AS k
""",
    """
INSERT INTO billing_invoice (id, created, modified, customer_id, customer_details, issuer_id, issuer_details, year,
    month, currency, state, price, tax, total, amount_paid, reference_number, backend_id, payment_url)
SELECT gen_random_uuid(), now(), now(), c.id, '{{}}', (SELECT id FROM identity_customer WHERE is_operator), '{{}}',
    extract(year FROM m), extract(month FROM m), CASE c.n % 10 WHEN 0 THEN 'EUR' ELSE 'USD' END, 'pending',
    {lines} * 12.34, 0, {lines} * 12.34, 0, '', '', ''
FROM {buyer} c CROSS JOIN generate_series(0, {invoices} - 1) AS k
CROSS JOIN LATERAL (SELECT timestamp '2023-04-01' + ((c.n + k) % 36) * interval '1 month' AS m) AS months
""",
    """
INSERT INTO billing_invoice_item (id, created, modified, invoice_id, position, customer_id, provider_customer_id,
    project_id, project_name, resource_id, resource_name, offering_id, offering_name, plan_id, plan_name,
    component_type, name, billing_type, measured_unit, unit, quantity, currency, unit_price, price, tax, total,
    usage_month, start, "end", late, details)
SELECT gen_random_uuid(), now(), now(), v.id, k, v.customer_id, b.provider_customer_id, b.project_id, 'Project',
    b.resource_id, 'Resource', b.offering_id, 'Offering', b.plan_id, 'Plan', 'base', 'A line',
    CASE k WHEN 1 THEN 'fixed' ELSE 'usage' END, '', 'month', 1, v.currency, 12.34, 12.34, 0, 12.34,
    make_date(v.year, v.month, 1), make_timestamptz(v.year, v.month, 1, 0, 0, 0, 'UTC'),
    make_timestamptz(v.year, v.month, 28, 0, 0, 0, 'UTC'), false, '{{"price": {{}}, "steps": []}}'
FROM (SELECT *, row_number() OVER (ORDER BY id) AS n FROM billing_invoice) v
CROSS JOIN generate_series(1, {lines}) AS k JOIN {bought} b ON b.n = 1 + (v.n * {lines} + k) % 10000
""",
    "UPDATE billing_invoice SET state = 'pending_finalization'",
    """
UPDATE billing_invoice v SET state = 'created', number = n, invoice_date = '2026-04-01', due_date = '2026-05-01',
    finalized_at = now()
FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM billing_invoice) AS numbered WHERE numbered.id = v.id
""",
    """
INSERT INTO metering_usage_hour (resource_id, hour, plan_key, customer_id, provider_customer_id, project_id,
    offering_id, events, errors, requests, input_tokens, output_tokens)
SELECT b.resource_id, timestamptz '2023-04-01 UTC' + (b.n % 1000 + k * 1000) * interval '1 hour', b.plan_id, c.id,
    b.provider_customer_id, b.project_id, b.offering_id, 10, 0, 10, 1000, 500
FROM {bought} b JOIN {buyer} c ON c.n = b.n % {customers} CROSS JOIN generate_series(0, {hours} - 1) AS k
""",
    """
UPDATE ordering_order SET currency = 'USD', cost = 99,
    created = timestamptz '2023-04-01 UTC' + o.n * interval '2.6 hours'
FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM ordering_order) o WHERE o.id = ordering_order.id
""",
)

STATS = "/api/marketplace-stats/"
MONTH, YEARS = "start=2026-03-01&end=2026-03-31", "start=2023-04-01&end=2026-03-31"
REPORTS = (
    ("revenue", "group_by=month"),
    ("revenue", "group_by=customer"),
    ("usage", "group_by=month"),
    ("usage", "group_by=customer"),
    ("orders", ""),
    ("order_stats", ""),
    ("customers", ""),
    ("kpis", ""),
    ("component_usages_per_month", "page_size=50"),
)


def fill() -> str:
    """Write the rows; return the operator's token."""
    from django.db import connection

    from agentmart.identity.models import Customer
    from agentmart.infra import tenancy

    tokens = rest_lists.fill()
    first = datetime(2023, 4, 1, tzinfo=UTC)
    with tenancy.as_system("benchmark"):
        Customer.objects.bulk_create(
            [
                Customer(name=f"Customer {number}", created=first + timedelta(days=number), modified=first)
                for number in range(CUSTOMERS)
            ]
        )
    sizes = {
        "buyer": BUYER,
        "bought": BOUGHT,
        "customers": CUSTOMERS,
        "periods": PERIODS_EACH,
        "invoices": INVOICES_EACH,
        "lines": LINES_EACH,
        "hours": HOURS_EACH,
    }
    with tenancy.as_system("benchmark"), connection.cursor() as cursor:
        for statement in FILL:
            cursor.execute(statement.format(**sizes))
    return tokens["staff"]


def measure(port: int, token: str) -> None:
    """Print a row of figures per report: one month, and 36."""
    print("| report | p50, one month | p50, 36 months | size of 36 months |")
    print("|---|---|---|---|")
    for name, query in REPORTS:
        times, size = [], 0
        for days in (MONTH, YEARS):
            client, path = rest_lists.Client(port, token), f"{STATS}{name}/?{days}&{query}"
            size, rounds = client.get(path), []
            for _ in range(ROUNDS):
                begun = time.perf_counter()
                client.get(path)
                rounds.append(time.perf_counter() - begun)
            times.append(statistics.median(rounds) * 1000)
        title = f"{name}/?{query}" if query else f"{name}/"
        print(f"| {title} | {times[0]:.0f} ms | {times[1]:.0f} ms | {size / 1024:.0f} KB |", flush=True)


def explain() -> None:
    """Print how PostgreSQL runs the statements of each report over one month."""
    from django.db import connection

    from agentmart.infra import tenancy
    from agentmart.reports.ranges import Range
    from agentmart.reports.selectors.customers import customers
    from agentmart.reports.selectors.kpis import kpis
    from agentmart.reports.selectors.orders import orders
    from agentmart.reports.selectors.revenue import revenue
    from agentmart.reports.selectors.scope import Scope
    from agentmart.reports.selectors.usage import usage

    days, now = Range(date(2026, 3, 1), date(2026, 3, 31)), datetime(2026, 4, 1, tzinfo=UTC)

    def with_plan(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.lstrip().startswith(("WITH", "SELECT")):
            execute(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {sql}", params, many, context)
            print("\n".join(line for (line,) in context["cursor"].fetchall()), "\n")
        return execute(sql, params, many, context)

    with tenancy.as_system("benchmark"), connection.execute_wrapper(with_plan):
        for title, read in (
            ("revenue", lambda: revenue(days, Scope(), group_by="month")),
            ("usage", lambda: usage(days, Scope(), group_by="month")),
            ("orders", lambda: orders(days, Scope(), group_by="day")),
            ("customers", lambda: customers(days, now=now)),
            ("kpis", lambda: kpis(days, Scope(), now=now)),
        ):
            print(f"## {title}\n")
            read()


def main() -> None:
    """Make a database, fill it, start one web worker, measure."""
    folder = Path(tempfile.mkdtemp(prefix="agentmart-bench-", dir="/tmp"))
    folder.chmod(0o711)
    command = [str(Path(sys.executable).with_name("agentmart")), "migrate", "--data-dir", str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    settings = environments.with_options(folder)
    try:
        with database.running(settings, folder) as urls:
            environments.replace(environments.for_process("web", settings, folder, urls))
            django.setup()
            token = fill()
            analyze(urls.owner)
            if "--plans" in sys.argv:
                explain()
                return
            port = free()
            code = rest_lists.SERVER.format(port=port)
            with subprocess.Popen([sys.executable, "-c", code], env=dict(os.environ)) as server:
                try:
                    rest_lists.wait_for(port)
                    print(f"one web worker; load {os.getloadavg()[0]:.1f} before.\n")
                    measure(port, token)
                finally:
                    server.terminate()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def analyze(owner: str) -> None:
    """Let PostgreSQL count what was written, as it does by itself after a while."""
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


if __name__ == "__main__":
    main()
