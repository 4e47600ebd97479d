"""What may still happen to invoices: payments with proofs, cancellation, notes, sending, sums, the document."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.db.utils import Error as DatabaseError
from django.test import Client
from procrastinate.contrib.django.models import ProcrastinateJob
from tests.support.clocks import At
from tests.support.market import member, ok, operator
from tests.support.racing import race
from tests.support.sale import Sold, generate, sell, use
from tests.support.world import Api, World, make_world

from agentmart.billing import services, tasks
from agentmart.billing.models import CreditNote, Invoice, Payment
from agentmart.config.database import DatabaseUrls
from agentmart.identity.models import Customer, Role
from agentmart.infra import clock, tenancy
from agentmart.infra.models import AuditEntry

ACTIVATED = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
AFTER_GRACE = datetime(2026, 4, 1, 1, tzinfo=UTC)
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20
FREE = {"name": "Free", "unit_price": "0", "components": [{"type": "requests", "price": "0"}]}


@pytest.fixture(autouse=True)
def today(at: At) -> None:
    at(AFTER_GRACE)


@pytest.fixture
def sold(world: World) -> Sold:
    return sell(world.provider, world.buyer, at=ACTIVATED)


def path_of(invoice: dict[str, Any]) -> str:
    return f"/api/invoices/{invoice['uuid']}/"


ACTIONS: list[tuple[str, dict[str, Any]]] = [
    ("paid", {}),
    ("cancel", {"reason": "x"}),
    ("send_notification", {}),
    ("set_backend_id", {"backend_id": "B"}),
    ("set_payment_url", {"payment_url": "https://pay.example/1"}),
    ("set_reference_number", {"reference_number": "R"}),
]


@pytest.mark.parametrize(("action", "sent"), ACTIONS)
def test_only_staff_and_finance_change_invoices(
    world: World, sold: Sold, action: str, sent: dict[str, Any]
) -> None:
    invoice = generate(world)
    path = f"{path_of(invoice)}{action}/"
    buyer = world.buyer
    for api in (buyer.api, operator("is_support"), member(buyer.customer, Role.CUSTOMER_MANAGER)):
        assert api.post(path, sent).status_code == 403
        assert api.post(path, {"reason": 5, "date": "x"}).status_code == 403
    for api in (
        world.stranger.api,
        world.provider.api,
        operator("is_catalog_manager"),
        member(buyer.customer, Role.CUSTOMER_SUPPORT),
        member(buyer.customer, Role.PROJECT_ADMIN, buyer.project),
    ):
        assert api.post(path, sent).status_code == 404
    assert world.visitor.post(path, sent).status_code == 401
    assert ok(buyer.api.get(path_of(invoice))) == invoice


# -- payments


def upload(world: World, path: str, name: str, data: bytes, **fields: str) -> Any:
    file = SimpleUploadedFile(name, data, content_type="text/html")
    return Client().post(path, {"proof": file, **fields}, headers=world.operator.api._headers)


def test_a_payment_keeps_its_proof(world: World, sold: Sold) -> None:
    invoice = generate(world)
    path = path_of(invoice)
    for name, data in (("page.html", b"<script>"), ("x.pdf", b""), ("x.png", b"PNG")):
        refused = upload(world, f"{path}paid/", name, data, date="2026-04-01")
        assert (refused.status_code, list(refused.json())) == (400, ["proof"])
    large = upload(world, f"{path}paid/", "x.pdf", b"%PDF-" + b"0" * 5 * 2**20, date="2026-04-01")
    assert large.status_code in (400, 413)
    paid = ok(upload(world, f"{path}paid/", "receipt.html", PNG, date="2026-04-01", reference="T-1"))
    assert (paid["state"], paid["detail"]) == ("paid", "Invoice has been paid.")
    (payment,) = ok(world.buyer.api.get(f"{path}payments/"))
    assert payment == {
        "uuid": paid["payment_uuid"],
        "created": "2026-04-01T01:00:00.000000Z",
        "date": "2026-04-01",
        "amount": "68.66",
        "currency": "USD",
        "reference": "T-1",
        "proof_name": "receipt.html",
    }
    proof = world.buyer.api.get(f"{path}payments/{payment['uuid']}/proof/")
    assert (proof.status_code, proof.content, proof["Content-Type"]) == (200, PNG, "image/png")
    assert proof["Content-Disposition"] == 'attachment; filename="payment-2026-04-01"'
    for api in (world.stranger.api, world.provider.api):
        assert api.get(f"{path}payments/").status_code == 404
        assert api.get(f"{path}payments/{payment['uuid']}/proof/").status_code == 404
    assert world.buyer.api.get(f"{path}payments/{uuid4().hex}/proof/").status_code == 404


def test_a_payment_without_a_proof_has_none_to_show(world: World, sold: Sold) -> None:
    path = path_of(generate(world))
    payment = ok(world.operator.api.post(f"{path}paid/", {"date": "2026-04-01", "proof": None}))[
        "payment_uuid"
    ]
    assert world.buyer.api.get(f"{path}payments/{payment}/proof/").status_code == 404


def test_an_invoice_over_nothing_is_paid_when_it_is_final(world: World) -> None:
    free = sell(world.provider, world.buyer, at=ACTIVATED, plan=FREE)
    use(free, ACTIVATED)
    invoice = generate(world)
    assert (invoice["state"], invoice["total"], invoice["number"]) == ("paid", "0.00", 1)
    assert (invoice["amount_paid"], invoice["payment_date"], invoice["is_overdue"]) == (
        "0.00",
        "2026-04-01",
        False,
    )
    assert world.operator.api.post(f"{path_of(invoice)}paid/").status_code == 409
    with tenancy.as_system("test"):
        actions = list(
            AuditEntry.objects.filter(action__startswith="invoice.").values_list("action", flat=True)
        )
        assert not Payment.objects.exists()
    assert sorted(actions) == ["invoice.drafted", "invoice.finalized", "invoice.month_ended", "invoice.paid"]


def test_64_at_once_pay_an_invoice_once(
    django_on_fresh_database: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now", lambda: AFTER_GRACE)
    with transaction.atomic():
        world = make_world()
        sell(world.provider, world.buyer, at=ACTIVATED)
        invoice = generate(world)
    token = world.operator.api._headers["Authorization"].removeprefix("Token ")

    def pay() -> int:
        status: int = Api(token).post(f"{path_of(invoice)}paid/", {"date": "2026-04-01"}).status_code
        return status

    assert sorted(race([pay] * 64)) == [200] + [409] * 63
    with tenancy.as_system("test"):
        assert list(Payment.objects.values_list("amount", flat=True)) == [D("68.66")]
        assert AuditEntry.objects.filter(action="invoice.paid").count() == 1


# -- cancellation


def test_canceling_takes_everything_back_by_a_credit_note(world: World, sold: Sold, at: At) -> None:
    invoice = generate(world)
    path = path_of(invoice)
    for wrong in ({}, {"reason": ""}, {"reason": "x" * 501}, {"reason": None}):
        assert list(ok(world.operator.api.post(f"{path}cancel/", wrong), 400)) == ["reason"]
    done = ok(operator("is_finance").post(f"{path}cancel/", {"reason": "Billed to the wrong company"}))
    note = done["credit_note"]
    assert (done["state"], note["number"], note["total"], note["currency"], note["issued_on"]) == (
        "canceled",
        1,
        "68.66",
        "USD",
        "2026-04-01",
    )
    shown = ok(world.buyer.api.get(path))
    assert (shown["state"], shown["credit_note"]) == ("canceled", note)
    unchanged = {"state", "credit_note"}
    assert {k: v for k, v in shown.items() if k not in unchanged} == {
        k: v for k, v in invoice.items() if k not in unchanged
    }
    for action, sent in (("cancel", {"reason": "again"}), ("paid", {}), ("send_notification", {})):
        assert ok(world.operator.api.post(f"{path}{action}/", sent), 409)["code"] == "wrong_state"
    at(datetime(2026, 5, 1, 1, tzinfo=UTC))
    second = generate(world, 4)
    assert [row["late"] for row in second["items"]] == [False]  # March stays closed
    note = ok(world.operator.api.post(f"{path_of(second)}cancel/", {"reason": "Too"}))["credit_note"]
    assert (second["number"], note["number"]) == (2, 2)


def test_drafts_and_invoices_with_payments_are_not_canceled(world: World, sold: Sold) -> None:
    draft = generate(world, 4)
    assert (
        ok(world.operator.api.post(f"{path_of(draft)}cancel/", {"reason": "x"}), 409)["code"] == "wrong_state"
    )
    path = path_of(generate(world))
    ok(world.operator.api.post(f"{path}paid/", {"amount": "1.00"}))
    refused = ok(world.operator.api.post(f"{path}cancel/", {}), 409)
    assert (refused["code"], refused["extra"]) == ("has_payments", {"amount_paid": "1.0000"})
    with tenancy.as_system("test"):
        assert not CreditNote.objects.exists()


def test_nobody_leads_a_final_invoice_anywhere_else_by_sql(
    django_on_fresh_database: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 6, 1, 2, tzinfo=UTC))
    with transaction.atomic():
        world = make_world()
        sell(world.provider, world.buyer, at=ACTIVATED)
        created, paid, canceled = (generate(world, month) for month in (3, 4, 5))
        ok(world.operator.api.post(f"{path_of(paid)}paid/"))
        ok(world.operator.api.post(f"{path_of(canceled)}cancel/", {"reason": "x"}))
    with psycopg.connect(django_on_fresh_database.owner, autocommit=True) as owner:
        owner.execute("SELECT set_config('agentmart.system', 'on', false)")
        for invoice, change in (
            (paid, "state = 'created'"),
            (paid, "state = 'canceled'"),
            (paid, "amount_paid = 0"),
            (paid, "payment_date = '2020-01-01'"),
            (canceled, "state = 'created'"),
            (canceled, "state = 'paid'"),
            (canceled, "amount_paid = 5"),
            (created, "state = 'canceled'"),
            (created, "state = 'pending'"),
        ):
            with pytest.raises(psycopg.errors.RestrictViolation, match="is final"):
                owner.execute(f"UPDATE billing_invoice SET {change} WHERE id = %s", [invoice["uuid"]])
        for statement in (
            "UPDATE billing_credit_note SET total = 0, price = 0",
            "DELETE FROM billing_credit_note",
        ):
            with pytest.raises(psycopg.errors.RestrictViolation):
                owner.execute(statement)
        owner.execute("UPDATE billing_invoice SET state = 'paid' WHERE id = %s", [created["uuid"]])


# -- notes


def test_notes_are_set_in_any_state_and_audited(world: World, sold: Sold) -> None:
    for invoice in (generate(world, 4), generate(world)):
        path = path_of(invoice)
        for action, sent in ACTIONS[3:]:
            (name,) = sent
            assert ok(world.operator.api.post(f"{path}{action}/", sent)) == {
                "detail": f"{name} has been set."
            }
            assert ok(world.buyer.api.get(path))[name] == sent[name]
            ok(world.operator.api.post(f"{path}{action}/", {name: ""}))
            assert ok(world.buyer.api.get(path))[name] == ""
            for wrong in ({}, {name: None}, {name: "x" * 501}):
                assert list(ok(world.operator.api.post(f"{path}{action}/", wrong), 400)) == [name]
    for address in ("javascript:alert(1)", "ftp://x.example/", "no address", "//x.example"):
        ok(world.operator.api.post(f"{path}set_payment_url/", {"payment_url": address}), 400)
    with tenancy.as_system("test"):
        noted = AuditEntry.objects.filter(action="invoice.reference_number_set").order_by("at", "id")
        assert {"reference_number": "R"} in [entry.after for entry in noted]
        assert noted.count() == 4


# -- sending


def test_an_invoice_is_sent_as_pdf_by_a_job(world: World, sold: Sold, settings: Any) -> None:
    settings.EMAIL_HOST = "mail.example"
    draft = generate(world, 4)
    assert ok(world.operator.api.post(f"{path_of(draft)}send_notification/"), 409)["code"] == "wrong_state"
    invoice = generate(world)
    path = f"{path_of(invoice)}send_notification/"
    assert ok(world.operator.api.post(path), 409)["code"] == "no_email"
    with tenancy.as_system("test"):
        assert world.buyer.customer is not None
        Customer.objects.filter(pk=world.buyer.customer.pk).update(
            email="pay@buyer.example", notification_emails="cfo@buyer.example, pay@buyer.example"
        )
    answer = ok(world.operator.api.post(path))
    assert answer == {"detail": "Invoice will be sent to pay@buyer.example, cfo@buyer.example."}
    assert mail.outbox == []
    (job,) = ProcrastinateJob.objects.filter(task_name=services.SENDING_JOB)
    tasks.send_invoice(invoice_id=job.args["invoice_id"])
    (letter,) = mail.outbox
    assert letter.to == ["pay@buyer.example", "cfo@buyer.example"]
    assert letter.subject == "Invoice 1 of Operator Inc for 2026-03: 68.66 USD"
    assert "It is due on 2026-04-15." in letter.body
    ((name, data, kind),) = letter.attachments
    assert (name, data[:5], kind) == ("invoice-2026-03-1.pdf", b"%PDF-", "application/pdf")
    with tenancy.as_system("test"):
        assert AuditEntry.objects.filter(action="invoice.sent").count() == 1
    settings.EMAIL_HOST = ""
    assert "nothing is sent" in ok(world.operator.api.post(path))["detail"]


# -- the document


def test_the_pdf_is_the_same_each_time_and_only_for_those_who_see_the_invoice(
    world: World, sold: Sold
) -> None:
    invoice = generate(world)
    path = f"{path_of(invoice)}pdf/"
    assert invoice["pdf"] == f"http://testserver{path}"
    first = world.buyer.api.get(path)
    assert (first.status_code, first["Content-Type"], first.content[:5]) == (200, "application/pdf", b"%PDF-")
    assert first["Content-Disposition"] == 'inline; filename="invoice-2026-03-1.pdf"'
    assert world.operator.api.get(path).content == first.content
    for api in (world.stranger.api, world.provider.api, operator("is_catalog_manager")):
        assert api.get(path).status_code == 404
    assert world.visitor.get(path).status_code == 401
    draft = world.buyer.api.get(f"{path_of(generate(world, 4))}pdf/")
    assert draft["Content-Disposition"] == 'inline; filename="invoice-2026-04-draft.pdf"'


def test_names_are_text_to_the_document_and_never_its_code(world: World) -> None:
    name = '#panic("x") $x$ *b* [c] \\ // "'
    sell(world.provider, world.buyer, at=ACTIVATED, name=name[:40])
    assert world.buyer.customer is not None
    with tenancy.as_system("test"):
        Customer.objects.filter(pk=world.buyer.customer.pk).update(name=name, address='#read("/etc/passwd")')
    answer = world.buyer.api.get(f"{path_of(generate(world))}pdf/")
    assert (answer.status_code, answer.content[:5]) == (200, b"%PDF-")


# -- sums


def test_stats_sum_up_by_offering(world: World, sold: Sold) -> None:
    use(sold, ACTIVATED, requests=100)
    other = sell(
        world.stranger, world.buyer, at=ACTIVATED, plan={"name": "P", "unit_price": "310"}, name="Other"
    )
    invoice = generate(world)
    path = f"{path_of(invoice)}stats/"
    rows = ok(world.buyer.api.get(path))
    assert [
        (row["offering_name"], row["aggregated_price"], row["aggregated_tax"], row["aggregated_total"])
        for row in rows
    ] == [("Other", 215.0, 0.0, 215.0), ("Helper", 69.66, 0.0, 69.66)]
    assert [(row["service_provider_name"], row["service_category_title"]) for row in rows] == [
        ("Stranger SA", "AI"),
        ("Provider GmbH", "AI"),
    ]
    assert sum(D(str(row["aggregated_total"])) for row in rows) == D(invoice["total"])
    assert world.stranger.customer is not None
    mine = ok(world.buyer.api.get(path, provider_uuid=world.stranger.customer.uuid))
    assert [row["offering_uuid"] for row in mine] == [other.resource.offering.uuid]
    assert world.buyer.api.get(path, provider_uuid="x").status_code == 400
    second = world.buyer.api.get(path, page_size=1, page=2)
    assert (second["X-Result-Count"], [row["offering_name"] for row in second.json()]) == ("2", ["Helper"])
    assert world.stranger.api.get(path).status_code == 404


def test_growth_sums_up_by_month(world: World, sold: Sold, at: At) -> None:
    sell(world.provider, world.stranger, at=ACTIVATED, plan={"name": "P", "unit_price": "31"}, name="Other")
    at(datetime(2026, 5, 1, 2, tzinfo=UTC))
    for _ in range(2):
        services.close_periods(now=datetime(2026, 5, 1, 2, tzinfo=UTC))
    answer = world.operator.api.get("/api/invoices/growth/", customers_count=1)
    told = ok(answer)
    assert answer["X-Result-Count"] == "1"
    assert told["periods"][-3:] == ["3-2026", "4-2026", "5-2026"] and len(told["periods"]) == 12
    assert told["total_periods"][-3:] == [90.16, 130.0, 0.0]
    assert told["customer_periods"] == [{"name": "Buyer Ltd", "periods": [0.0] * 9 + [68.66, 99.0, 0.0]}]
    assert told["other_periods"][-3:] == [21.5, 31.0, 0.0]
    own = ok(world.stranger.api.get("/api/invoices/growth/"))
    assert [row["name"] for row in own["customer_periods"]] == ["Stranger SA"]
    nothing = ok(world.provider.api.get("/api/invoices/growth/"))
    assert (nothing["customer_periods"], nothing["total_periods"]) == ([], [0.0] * 12)
    assert ok(operator("is_catalog_manager").get("/api/invoices/growth/"))["customer_periods"] == []
    for query in ({"currency": "XXX"}, {"months": 37}, {"customers_count": -1}, {"months": "x"}):
        assert list(ok(world.operator.api.get("/api/invoices/growth/", **query), 400)) == list(query)


# -- lists


def test_filters_by_day_and_sum_and_every_ordering(world: World, sold: Sold, at: At) -> None:
    for month in (3, 4, 5):
        at(datetime(2026, month + 1, 1, 2, tzinfo=UTC))
        if month == 5:
            use(sold, datetime(2026, 5, 3, tzinfo=UTC), requests=100)
        generate(world, month)

    def found(**query: Any) -> list[int]:
        return [row["month"] for row in ok(world.buyer.api.get("/api/invoices/", **query))]

    assert found() == [5, 4, 3]
    assert found(o="created") == found(o="month") == found(o=["year", "month"]) == [3, 4, 5]
    assert found(o="-created") == found(o="-month") == found(o="-year") == [5, 4, 3]
    assert found(created="2026-05-01") == [4]
    assert found(created="2026-05-02") == []
    assert found(start_date="2026-05-01") == [5, 4]
    assert found(end_date="2026-05-01") == [4, 3]
    assert found(start_date="2026-05-01", end_date="2026-05-31") == [4]
    assert found(min_sum="99") == [5, 4]
    assert found(max_sum="99.00") == [4, 3]
    assert found(min_sum="99.01", max_sum="100") == [5]
    for query in (
        {"created": "x"},
        {"start_date": "2026-13-01"},
        {"end_date": "9999-12-31"},
        {"min_sum": "NaN"},
        {"o": "number"},
    ):
        assert list(ok(world.buyer.api.get("/api/invoices/", **query), 400)) == list(query)
    hint = world.buyer.api.get("/api/invoices/", accounting_is_running="true")
    assert "accounting_is_running" in hint["Warning"]


def test_items_are_filtered_and_sorted(world: World, sold: Sold) -> None:
    use(sold, ACTIVATED, requests=100)
    other = sell(
        world.stranger, world.buyer, at=ACTIVATED, plan={"name": "P", "unit_price": "310"}, name="Other"
    )
    path = f"{path_of(generate(world))}items/"
    assert world.stranger.customer is not None

    def found(**query: Any) -> list[str]:
        return [row["resource_name"] for row in ok(world.buyer.api.get(path, **query))]

    assert found() == ["Helper 1", "Helper 1", "Other 1"]
    assert found(offering_uuid=other.resource.offering.uuid) == ["Other 1"]
    assert found(provider_uuid=world.stranger.customer.uuid) == ["Other 1"]
    assert found(project_uuid=uuid4().hex) == []
    assert found(query="REQUESTS") == ["Helper 1"]
    assert found(o="-resource_name")[0] == "Other 1"
    assert found(o="-provider_name")[0] == "Other 1"
    for name in ("name", "project_name", "provider_name", "resource_name"):
        assert len(found(o=name)) == len(found(o=f"-{name}")) == 3
    for query in ({"o": "price"}, {"offering_uuid": "x"}):
        assert world.buyer.api.get(path, **query).status_code == 400
    head = Client().head(path, headers=world.buyer.api._headers)
    assert (head.status_code, head["X-Result-Count"]) == (200, "3")


def test_the_application_writes_no_credit_note_for_another_customer(world: World, sold: Sold) -> None:
    generate(world)
    with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
        from_invoice = (
            "INSERT INTO billing_credit_note (id, created, modified, invoice_id, customer_id, issuer_id, number, "
            "issued_on, reason, currency, price, tax, total) SELECT gen_random_uuid(), created, created, id, "
            "customer_id, issuer_id, 1, %s, 'x', currency, price, tax, total FROM billing_invoice"
        )
        assert world.buyer.customer is not None
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('agentmart.customer_ids', %s, true), set_config('agentmart.system', 'off', true)",
                [str(world.buyer.customer.id)],
            )
            cursor.execute(from_invoice, [date(2026, 4, 1)])


def test_invoices_of_days_around_midnight_are_found_by_their_day(world: World, sold: Sold, at: At) -> None:
    at(datetime(2026, 5, 1, tzinfo=UTC) - timedelta(microseconds=1))
    generate(world)
    assert len(ok(world.buyer.api.get("/api/invoices/", created="2026-04-30", end_date="2026-04-30"))) == 1
    with tenancy.as_system("test"):
        assert Invoice.objects.count() == 1
