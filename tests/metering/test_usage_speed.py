"""Reporting usage costs the same whatever the month's invoice holds: it does not look at invoices at all."""

from __future__ import annotations

from copy import copy
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from tests.metering.test_component_usages import ACTIVATED, COMPONENTS, PLAN, TODAY
from tests.support.market import ok
from tests.support.sale import sell
from tests.support.world import World, make_world

from agentmart.billing import services as billing
from agentmart.billing.models import Invoice, InvoiceItem
from agentmart.infra import clock, tenancy
from agentmart.kit.ids import new_id

pytestmark = pytest.mark.django_db

USAGES = "/api/marketplace-component-usages/"
TOUCHED = """
SELECT coalesce(sum(seq_scan + coalesce(idx_scan, 0) + n_tup_ins + n_tup_upd), 0) FROM pg_stat_xact_user_tables
WHERE relname LIKE 'billing_%%'
"""


@pytest.fixture
def world(db: None, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(clock, "now", lambda: TODAY)
    return make_world()


def touched() -> int:
    """How often this transaction looked into billing's tables or wrote there, triggers included."""
    with connection.cursor() as cursor:
        cursor.execute(TOUCHED)
        return int(cursor.fetchone()[0])


def fill(invoice: Invoice, lines: int) -> None:
    """Let a draft have this many lines."""
    items = list(InvoiceItem.objects.filter(invoice=invoice).order_by("position"))
    copies = []
    for position in range(len(items), lines):
        line = copy(items[0])
        line.pk, line.position = new_id(), position + 1
        copies.append(line)
    InvoiceItem.objects.bulk_create(copies)
    assert InvoiceItem.objects.filter(invoice=invoice).count() == lines


def test_posting_usage_does_not_depend_on_the_invoice_s_length(world: World) -> None:
    sold = sell(world.provider, world.buyer, at=ACTIVATED, plan=PLAN, components=COMPONENTS)
    customer = world.buyer.customer
    assert customer is not None
    with tenancy.as_system("test") as actor:
        (invoice,) = billing.generate_invoice(customer, 2026, 3, actor=actor, now=TODAY).invoices

    def report(amount: int) -> Any:
        body = {"resource": sold.resource.uuid, "component": "storage", "usage": amount}
        return ok(world.provider.api.post(USAGES, body), 201)

    report(1)  # the month's row is born, the token's use is noted
    counts, visits = {}, {}
    for lines in (10, 2_000):
        with tenancy.as_system("test"):
            fill(invoice, lines)
        before = touched()
        with CaptureQueriesContext(connection) as queries:
            report(lines)
        visits[lines] = touched() - before
        counts[lines] = len(queries)
    assert visits == {10: 0, 2_000: 0}
    assert counts[10] == counts[2_000]
    with tenancy.as_system("test"):
        assert touched() > 0  # the measure measures: filling was seen
