"""Drafts, closing, finality, numbers, late usage and payments, on the database."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP
from decimal import Decimal as D
from typing import Any

import psycopg
import pytest
from django.db import connection, connections, transaction
from django.db.utils import Error as DatabaseError
from tests.support.sale import HYBRID, Sold, end, sell, use
from tests.support.world import World, make_world

from agentmart.billing import services, tasks
from agentmart.billing.invoicing import UnsupportedPlan
from agentmart.billing.models import BilledMonth, Invoice, InvoiceItem, Payment
from agentmart.catalog import services as catalog
from agentmart.catalog.services import plans
from agentmart.config.database import DatabaseUrls
from agentmart.infra import clock, tenancy
from agentmart.infra.actors import Actor, RoleGrant
from agentmart.infra.models import AuditEntry
from agentmart.kit.errors import Forbidden, Invalid
from agentmart.kit.states import IllegalTransition
from agentmart.resources.models import PlanPeriod

ACTIVATED = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
MID_MARCH = datetime(2026, 3, 20, 8, 30, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, tzinfo=UTC)
IN_GRACE = APRIL + timedelta(minutes=59, seconds=59)
AFTER_GRACE = APRIL + timedelta(hours=1)
MAY_CLOSED = datetime(2026, 5, 1, 1, 0, tzinfo=UTC)
JUNE_CLOSED = datetime(2026, 6, 1, 1, 0, tzinfo=UTC)
FULL = 31 * 86400


@pytest.fixture
def sold(world: World) -> Sold:
    return sell(world.provider, world.buyer, at=ACTIVATED)


def bill(world: World, year: int, month: int, now: datetime) -> services.Billing:
    with tenancy.as_system("test") as actor:
        assert world.buyer.customer is not None
        return services.generate_invoice(world.buyer.customer, year, month, actor=actor, now=now)


def lines(invoice: Invoice) -> dict[str, D]:
    """Return the amounts by component; late ones under `late TYPE`."""
    rows = InvoiceItem.objects.filter(invoice=invoice).order_by("position")
    return {("late " if row.late else "") + row.component_type: row.price for row in rows}


def cents(amount: D) -> D:
    return amount.quantize(D("0.01"), rounding=ROUND_HALF_UP)


def test_the_base_is_prorated_to_the_second_and_usage_is_rated_by_tiers(world: World, sold: Sold) -> None:
    for output in (700, 3000, 2100):
        use(sold, MID_MARCH, output=output)
    billing = bill(world, 2026, 3, AFTER_GRACE)
    (invoice,) = billing.invoices
    # 99 × 1,857,600 s ÷ 2,678,400 s = 68.6612…; 1,000 free, 4,000 × 0.002, 800 × 0.00125; 3 × 0.01
    assert lines(invoice) == {"base": D("68.66"), "output_tokens": D("9.00"), "requests": D("0.03")}
    assert (invoice.price, invoice.tax, invoice.total) == (D("77.69"), D(0), D("77.69"))
    assert billing.created
    base, output, _ = InvoiceItem.objects.filter(invoice=invoice).order_by("position")
    assert base.details["proration"] == {"used_seconds": 1857600, "full_seconds": FULL}
    assert (base.start, base.end, base.quantity, base.unit_price) == (ACTIVATED, APRIL, 1, 99)
    assert [(step["quantity"], step["amount"]) for step in output.details["tiers"]] == [
        ("1000", "0"),
        ("4000", "8"),
        ("800", "1"),
    ]
    assert output.details["price"]["tiers"][2] == {"up_to": None, "unit_price": "0.00125", "flat_price": "0"}
    assert (output.quantity, output.unit, output.plan_name) == (5800, "quantity", "Professional")


def test_the_invoice_is_the_raw_events_to_the_cent(world: World, sold: Sold) -> None:
    for number in range(40):
        use(sold, ACTIVATED + timedelta(hours=7 * number, seconds=number), output=(number * 37) % 400)
    use(sold, APRIL - timedelta(milliseconds=1), output=11)  # the month's last instant
    use(sold, APRIL, output=100000)  # the next month's first
    (invoice,) = bill(world, 2026, 3, AFTER_GRACE).invoices
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(requests), sum(output_tokens) FROM metering_usage_event "
            "WHERE resource_id = %s AND occurred_at < %s",
            [sold.resource.id, APRIL],
        )
        requests, output = cursor.fetchone()
    assert (requests, output) == (41, sum((number * 37) % 400 for number in range(40)) + 11)
    paid_tokens = max(D(0), min(output, D(5000)) - 1000) * D("0.002") + max(D(0), output - 5000) * D(
        "0.00125"
    )
    expected = cents(D(99) * 1857600 / FULL) + cents(requests * D("0.01")) + cents(paid_tokens)
    assert invoice.total == expected
    assert invoice.total > 70


def test_a_plan_change_in_the_month_gives_a_base_line_each(world: World, sold: Sold) -> None:
    changed = datetime(2026, 3, 20, tzinfo=UTC)
    with tenancy.as_system("test") as actor:
        larger = catalog.create_plan(
            sold.resource.offering,
            {**HYBRID, "name": "Large", "unit_price": "310.00"},
            actor=actor,
            now=ACTIVATED,
        )
        PlanPeriod.objects.filter(resource=sold.resource).update(end=changed)
        PlanPeriod.objects.create(
            resource=sold.resource,
            customer_id=sold.resource.customer_id,
            provider_customer_id=sold.resource.provider_customer_id,
            plan=larger,
            start=changed,
            created=changed,
            modified=changed,
        )
    use(sold, changed - timedelta(minutes=1), output=1500)
    use(sold, changed, output=1500, plan=larger)
    (invoice,) = bill(world, 2026, 3, AFTER_GRACE).invoices
    rows = InvoiceItem.objects.filter(invoice=invoice).order_by("position")
    assert [(row.plan_name, row.component_type, row.price) for row in rows] == [
        ("Professional", "base", D("30.34")),  # 99 × 9.5 ÷ 31
        ("Professional", "output_tokens", D("1.00")),
        ("Professional", "requests", D("0.01")),
        ("Large", "base", D("120.00")),  # 310 × 12 ÷ 31
        ("Large", "output_tokens", D("1.00")),
        ("Large", "requests", D("0.01")),
    ]


def test_a_draft_lives_waits_for_its_grace_and_becomes_final(world: World, sold: Sold) -> None:
    first = bill(world, 2026, 3, MID_MARCH)
    (draft,) = first.invoices
    assert (first.created, draft.state, draft.number, draft.total) == (True, "pending", None, D("68.66"))
    use(sold, MID_MARCH)
    again = bill(world, 2026, 3, APRIL - timedelta(microseconds=1))
    assert (again.created, again.invoices[0].id, again.invoices[0].total) == (False, draft.id, D("68.67"))
    use(sold, MID_MARCH)
    (waiting,) = bill(world, 2026, 3, APRIL).invoices
    assert (waiting.state, waiting.number, waiting.total) == ("pending_finalization", None, D("68.68"))
    use(sold, MID_MARCH)  # arrives within the grace
    (waiting,) = bill(world, 2026, 3, IN_GRACE).invoices
    assert (waiting.state, waiting.total) == ("pending_finalization", D("68.69"))
    (final,) = bill(world, 2026, 3, AFTER_GRACE).invoices
    assert (final.id, final.state, final.number, final.total) == (draft.id, "created", 1, D("68.69"))
    assert (final.invoice_date, final.due_date) == (date(2026, 4, 1), date(2026, 4, 15))
    later = bill(world, 2026, 3, MAY_CLOSED)
    assert (later.created, later.invoices[0].id, later.invoices[0].modified) == (False, draft.id, AFTER_GRACE)
    actions = AuditEntry.objects.filter(object_id=draft.id).order_by("at").values_list("action", flat=True)
    assert list(actions) == ["invoice.drafted", "invoice.month_ended", "invoice.finalized"]


def test_what_cannot_be_billed_is_refused(world: World, sold: Sold) -> None:
    with pytest.raises(Invalid, match="has not begun"):
        bill(world, 2026, 4, APRIL - timedelta(microseconds=1))
    with pytest.raises(Invalid, match="month from 1 to 12"):
        bill(world, 2026, 13, APRIL)
    with pytest.raises(Invalid, match="year from 2000"):
        bill(world, 1999, 1, APRIL)
    with pytest.raises(services.NothingToInvoice, match="no charges in 2026-02"):
        bill(world, 2026, 2, APRIL)
    assert world.buyer.customer is not None
    owner = Actor(grants=(RoleGrant(world.buyer.customer.id, "CUSTOMER.OWNER"),))
    with pytest.raises(Forbidden):
        services.generate_invoice(world.buyer.customer, 2026, 3, actor=owner, now=APRIL)
    assert not Invoice.objects.exists()


def test_two_currencies_are_two_invoices(world: World, sold: Sold) -> None:
    sell(
        world.provider,
        world.buyer,
        at=ACTIVATED,
        plan={"name": "Yen", "unit_price": "1000", "currency": "JPY"},
        name="Tokyo",
    )
    billing = bill(world, 2026, 3, AFTER_GRACE)
    assert [(row.currency, row.total, row.number) for row in billing.invoices] == [
        ("USD", D("68.66"), 1),
        ("JPY", D("694"), 2),
    ]


def test_an_unsupported_plan_stops_its_customer_only(
    world: World, sold: Sold, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        plans, "require_chargeable_period", lambda *_, **__: None
    )  # a plan from before the check
    sell(
        world.provider,
        world.stranger,
        at=ACTIVATED,
        plan={"name": "Hourly", "unit": "hour", "unit_price": "1"},
        name="Clock",
    )
    done = services.close_periods(now=AFTER_GRACE)
    assert (done.prepared, done.finalized) == (0, 1)
    assert world.stranger.customer is not None
    ((customer_id, first_day, why),) = done.failures
    assert (customer_id, first_day) == (world.stranger.customer.id, date(2026, 3, 1))
    assert why.startswith("Only monthly plans") and "plan Hourly" in why and "1 × hour" in why
    with tenancy.as_system("test") as actor, pytest.raises(UnsupportedPlan):
        services.generate_invoice(world.stranger.customer, 2026, 3, actor=actor, now=AFTER_GRACE)


def test_closing_runs_through_every_month_and_repeats_nothing(world: World, sold: Sold) -> None:
    use(sold, MID_MARCH, output=1500)
    end(sold, at=datetime(2026, 4, 16, tzinfo=UTC))
    assert services.close_periods(now=APRIL - timedelta(seconds=1)) == services.Closing()
    assert services.close_periods(now=APRIL) == services.Closing(prepared=1)
    assert services.close_periods(now=IN_GRACE) == services.Closing()
    assert services.close_periods(now=AFTER_GRACE) == services.Closing(finalized=1)
    assert services.close_periods(now=AFTER_GRACE) == services.Closing()
    assert services.close_periods(now=MAY_CLOSED) == services.Closing(finalized=1)
    found = Invoice.objects.order_by("number").values_list("number", "month", "state", "total")
    assert list(found) == [(1, 3, "created", D("69.67")), (2, 4, "created", D("49.50"))]
    # May and June follow a month with charges: looked at once for late usage, then nothing is left to look at.
    assert services.close_periods(now=JUNE_CLOSED) == services.Closing(finalized=1)
    assert services.close_periods(now=datetime(2026, 12, 1, 2, tzinfo=UTC)) == services.Closing(finalized=1)
    assert services.close_periods(now=datetime(2026, 12, 1, 3, tzinfo=UTC)) == services.Closing()
    assert Invoice.objects.count() == 2


def test_the_job_closes_by_the_installed_clock(
    world: World, sold: Sold, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now", lambda: AFTER_GRACE)
    tasks.close_periods()
    assert list(Invoice.objects.values_list("number", "total")) == [(1, D("68.66"))]


def test_months_that_waited_for_the_worker_are_closed_in_order(world: World, sold: Sold) -> None:
    assert services.close_periods(now=JUNE_CLOSED) == services.Closing(finalized=3)
    found = Invoice.objects.order_by("number").values_list("month", "total")
    assert list(found) == [(3, D("68.66")), (4, D("99.00")), (5, D("99.00"))]


def test_late_usage_costs_what_it_would_have_cost_in_time(world: World, sold: Sold) -> None:
    use(sold, MID_MARCH, output=4000)
    services.close_periods(now=AFTER_GRACE)
    use(sold, MID_MARCH, output=3000)  # of March, arrives after March was closed
    services.close_periods(now=MAY_CLOSED)
    march, april = Invoice.objects.order_by("number")
    assert lines(march) == {"base": D("68.66"), "output_tokens": D("6.00"), "requests": D("0.01")}
    # All of March: 4,000 × 0.002 + 2,000 × 0.00125 = 10.50, of which 6.00 are billed.
    assert lines(april) == {
        "base": D("99.00"),
        "late output_tokens": D("4.50"),
        "late requests": D("0.01"),
    }
    late = InvoiceItem.objects.get(invoice=april, late=True, component_type="output_tokens")
    assert (late.quantity, late.usage_month, late.name) == (
        3000,
        date(2026, 3, 1),
        "Helper 1 (Professional): Output tokens, late for 2026-03",
    )
    assert sum(D(step["amount"]) for step in late.details["steps"]) == late.price
    services.close_periods(now=JUNE_CLOSED)
    assert lines(Invoice.objects.get(month=5)) == {"base": D("99.00")}


def test_late_usage_after_the_end_of_the_resource_is_billed_once(world: World, sold: Sold) -> None:
    end(sold, at=APRIL)
    services.close_periods(now=AFTER_GRACE)
    use(sold, MID_MARCH, requests=7)
    services.close_periods(now=MAY_CLOSED)
    services.close_periods(now=JUNE_CLOSED)
    found = Invoice.objects.order_by("number").values_list("month", "total")
    assert list(found) == [(3, D("68.66")), (4, D("0.07"))]


def test_usage_in_a_month_without_plan_period_is_billed_under_its_plan(world: World, sold: Sold) -> None:
    end(sold, at=datetime(2026, 3, 31, tzinfo=UTC))
    use(sold, APRIL + timedelta(seconds=1), requests=3)
    (invoice,) = bill(world, 2026, 4, MAY_CLOSED).invoices
    assert lines(invoice) == {"requests": D("0.03")}


def test_a_correction_before_closing_counts_after_closing_is_credited(world: World, sold: Sold) -> None:
    use(sold, MID_MARCH, requests=10)
    use(sold, MID_MARCH, requests=-4)
    (march,) = bill(world, 2026, 3, AFTER_GRACE).invoices
    assert lines(march)["requests"] == D("0.06")
    use(sold, MID_MARCH, requests=-6)
    (april,) = bill(world, 2026, 4, MAY_CLOSED).invoices
    assert lines(april) == {"base": D("99.00"), "late requests": D("-0.06")}


FINAL_CHANGES = [
    "UPDATE billing_invoice SET total = 1, price = 1",
    "UPDATE billing_invoice SET number = 7",
    "UPDATE billing_invoice SET state = 'pending', number = NULL, invoice_date = NULL, due_date = NULL, "
    "finalized_at = NULL",
    "UPDATE billing_invoice SET customer_details = '{}'",
    "UPDATE billing_invoice_item SET price = 0, total = 0",
    "UPDATE billing_invoice_item SET details = '{}'",
    "DELETE FROM billing_invoice_item",
    "INSERT INTO billing_invoice_item SELECT (jsonb_populate_record(i, jsonb_build_object("
    "'id', gen_random_uuid(), 'position', 99))).* FROM billing_invoice_item i LIMIT 1",
]


@pytest.mark.parametrize("statement", FINAL_CHANGES)
def test_the_application_cannot_change_what_is_final(world: World, sold: Sold, statement: str) -> None:
    bill(world, 2026, 3, AFTER_GRACE)
    with tenancy.as_system("test"):
        with pytest.raises(DatabaseError, match="final"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
        for allowed in (
            "UPDATE billing_invoice SET amount_paid = 1, reference_number = 'R', backend_id = 'B'",
            "UPDATE billing_invoice SET state = 'paid', payment_date = '2026-04-02'",
        ):
            with connection.cursor() as cursor:
                cursor.execute(allowed)
                assert cursor.rowcount == 1


def test_a_line_cannot_wander_out_of_a_final_invoice_nor_a_draft_be_final_with_a_wrong_sum(
    world: World, sold: Sold
) -> None:
    (final,) = bill(world, 2026, 3, AFTER_GRACE).invoices
    (draft,) = bill(world, 2026, 4, AFTER_GRACE).invoices
    move = "UPDATE billing_invoice_item SET invoice_id = %s, position = 50 WHERE invoice_id = %s"
    with tenancy.as_system("test"):
        for to, of in ((draft, final), (final, draft)):
            with pytest.raises(DatabaseError, match="final"), transaction.atomic():
                connection.cursor().execute(move, [to.id, of.id])
        connection.cursor().execute(
            "UPDATE billing_invoice SET price = 5, total = 5 WHERE id = %s", [draft.id]
        )
        with pytest.raises(DatabaseError, match="its lines add up to 99"), transaction.atomic():
            connection.cursor().execute(
                "UPDATE billing_invoice SET state = 'created', number = 2, invoice_date = '2026-05-01', "
                "due_date = '2026-05-01', finalized_at = now() WHERE id = %s",
                [draft.id],
            )


def test_payments_add_up_to_paid(world: World, sold: Sold) -> None:
    (invoice,) = bill(world, 2026, 3, AFTER_GRACE).invoices
    pay: dict[str, Any] = {"now": MAY_CLOSED}
    with tenancy.as_system("test") as actor:
        pay["actor"] = actor
        services.mark_paid(invoice, amount=D("60"), paid_on=date(2026, 4, 2), reference="T1", **pay)
        assert (invoice.state, invoice.amount_paid, invoice.payment_date) == ("created", D("60"), None)
        for amount, message in (
            (D("8.67"), "Only 8.66 USD is open"),
            (D(0), "above zero"),
            (D("0.001"), "minor"),
        ):
            with pytest.raises(Invalid, match=message):
                services.mark_paid(invoice, amount=amount, **pay)
        with pytest.raises(Invalid, match="in the future"):
            services.mark_paid(invoice, paid_on=date(2026, 5, 2), **pay)
        with pytest.raises(Invalid, match="before the invoiced month"):
            services.mark_paid(invoice, paid_on=date(2026, 2, 28), **pay)
        services.mark_paid(invoice, **pay)
        assert (invoice.state, invoice.amount_paid) == ("paid", D("68.66"))
        assert invoice.payment_date == date(2026, 5, 1)
        with pytest.raises(IllegalTransition, match="Valid states for operation: created"):
            services.mark_paid(invoice, **pay)
        assert list(Payment.objects.order_by("paid_on").values_list("amount", "reference")) == [
            (D("60"), "T1"),
            (D("8.66"), ""),
        ]
        with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
            connection.cursor().execute("UPDATE billing_payment SET amount = 1")


def test_each_side_of_the_sale_sees_its_part(world: World, sold: Sold) -> None:
    (invoice,) = bill(world, 2026, 3, AFTER_GRACE).invoices
    with tenancy.as_system("test") as actor:
        services.mark_paid(invoice, actor=actor, now=AFTER_GRACE)
    seen = {}
    for name in ("buyer", "provider", "stranger"):
        customer = getattr(world, name).customer
        tenancy.enter(Actor(grants=(RoleGrant(customer.id, "CUSTOMER.OWNER"),)))
        models = (Invoice, InvoiceItem, Payment, BilledMonth)
        seen[name] = tuple(model.objects.count() for model in models)
        with connection.cursor() as cursor:  # neither side may write, its own rows or others
            for table in ("billing_invoice", "billing_invoice_item", "billing_month"):
                cursor.execute(f"UPDATE {table} SET modified = now()")
                assert cursor.rowcount == 0
    assert seen == {"buyer": (1, 1, 1, 1), "provider": (0, 1, 0, 0), "stranger": (0, 0, 0, 0)}


# -- commits of its own: several connections


def in_threads(work: Any, count: int) -> list[Any]:
    """Run `work` in several threads at once, each with its own connection; returns results, raises what they raise."""
    results: list[Any] = []
    start = threading.Barrier(count)

    def run(number: int) -> None:
        try:
            start.wait(timeout=30)
            results.append(work(number))
        except Exception as error:
            results.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    for result in results:
        if isinstance(result, Exception):
            raise result
    assert len(results) == count
    return results


@pytest.fixture
def committed_world(django_on_fresh_database: DatabaseUrls) -> World:
    with transaction.atomic():
        return make_world()


def test_concurrent_closing_makes_each_invoice_once_and_numbers_without_gaps(committed_world: World) -> None:
    world = committed_world
    buyers = [world.buyer, world.stranger]
    for number, buyer in enumerate(buyers):
        sold = sell(world.provider, buyer, at=ACTIVATED, name=f"Helper {number}")
        use(sold, MID_MARCH, output=2000)
    in_threads(lambda number: services.close_periods(now=JUNE_CLOSED), 4)
    with tenancy.as_system("test"):
        found = list(Invoice.objects.order_by("number").values_list("number", flat=True))
        assert found == [1, 2, 3, 4, 5, 6]
        assert InvoiceItem.objects.count() == 2 * (3 + 1 + 1)
        totals = sorted(Invoice.objects.values_list("total", flat=True))
        assert totals == [D("70.67"), D("70.67"), D("99"), D("99"), D("99"), D("99")]


def test_a_finalization_that_rolls_back_leaves_no_gap(committed_world: World) -> None:
    world = committed_world
    for number, buyer in enumerate((world.buyer, world.stranger)):
        sell(world.provider, buyer, at=ACTIVATED, name=f"Helper {number}")

    class Broken(Exception):
        pass

    with pytest.raises(Broken), transaction.atomic():
        assert bill(world, 2026, 3, AFTER_GRACE).invoices[0].number == 1
        raise Broken
    services.close_periods(now=AFTER_GRACE)
    with tenancy.as_system("test"):
        assert sorted(Invoice.objects.values_list("number", flat=True)) == [1, 2]


def test_concurrent_requests_for_one_month_make_one_invoice(committed_world: World) -> None:
    world = committed_world
    sell(world.provider, world.buyer, at=ACTIVATED)
    results = in_threads(lambda number: bill(world, 2026, 3, AFTER_GRACE), 4)
    assert sorted(result.created for result in results) == [False, False, False, True]
    assert len({result.invoices[0].id for result in results}) == 1


def test_a_payment_is_counted_once_however_many_report_it(committed_world: World) -> None:
    world = committed_world
    sell(world.provider, world.buyer, at=ACTIVATED)
    (invoice,) = bill(world, 2026, 3, AFTER_GRACE).invoices

    def pay(number: int) -> str:
        with tenancy.as_system("test") as actor:
            try:
                services.mark_paid(Invoice.objects.get(pk=invoice.pk), actor=actor, now=AFTER_GRACE)
            except IllegalTransition:
                return "refused"
        return "paid"

    assert sorted(in_threads(pay, 4)) == ["paid", "refused", "refused", "refused"]


def test_not_even_the_owner_of_the_tables_changes_what_is_final(
    committed_world: World, django_on_fresh_database: DatabaseUrls
) -> None:
    world = committed_world
    sell(world.provider, world.buyer, at=ACTIVATED)
    bill(world, 2026, 3, AFTER_GRACE)
    statements = [
        *FINAL_CHANGES,
        "DELETE FROM billing_invoice",
        "TRUNCATE billing_invoice_item",
        "TRUNCATE billing_invoice CASCADE",
    ]
    with psycopg.connect(django_on_fresh_database.owner, autocommit=True) as owner:
        owner.execute("SELECT set_config('agentmart.system', 'on', false)")
        assert owner.execute("SELECT count(*) FROM billing_invoice_item").fetchone() == (1,)
        for statement in statements:
            with pytest.raises(psycopg.errors.RestrictViolation):
                owner.execute(statement)
