"""The back office: everything is found, nothing is written past a service, and every deed asks and is audited."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.hashers import PBKDF2PasswordHasher, make_password
from django.db import connection, models
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from procrastinate.contrib.django.models import ProcrastinateJob
from tests.support.flows import echo_flow
from tests.support.market import agent, buy, publish
from tests.support.rows import row_of
from tests.support.shop import Shop
from tests.support.world import World

from agentmart.access.models import ApiKey, GrantRow
from agentmart.billing import services as billing
from agentmart.billing.models import Invoice, InvoiceItem, Payment
from agentmart.catalog.admin import price_words
from agentmart.catalog.models import Offering
from agentmart.identity.models import ApiToken, Customer, User
from agentmart.identity.tokens import hash_token
from agentmart.infra import tenancy
from agentmart.infra.actors import Actor, RoleGrant
from agentmart.infra.admin_columns import PlainAmount
from agentmart.infra.models import AuditEntry
from agentmart.metering.models import UsageEvent
from agentmart.ordering.models import Order
from agentmart.resources.models import Resource
from agentmart.support.models import Issue
from agentmart.web.models import UsageByHour

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"
REGISTERED = sorted(admin.site._registry, key=lambda model: model._meta.label_lower)


def page(model: type[models.Model], kind: str = "changelist", *arguments: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{kind}", args=arguments)


@pytest.fixture
def staff(world: World) -> Client:
    """The operator's browser, logged in."""
    return browser_of(world.operator.user)


def browser_of(user: User, **options: Any) -> Client:
    """A browser with the person's session, without the hashing of a login."""
    browser = Client(**options)
    with tenancy.as_system("test"):
        browser.force_login(user)
    return browser


def logged_in(user: User) -> Client:
    """A browser after the login page."""
    with tenancy.as_system("test"):
        user.password = make_password(PASSWORD)
        User.objects.filter(pk=user.pk).update(password=user.password)
    browser = Client()
    browser.post("/admin/login/", {"username": user.username, "password": PASSWORD})
    return browser


def audited(row: Any) -> list[tuple[str, str]]:
    """What the audit log says of a row: (action, who)."""
    with tenancy.as_system("test"):
        entries = AuditEntry.objects.filter(object_id=row.pk).order_by("at", "id")
        return [(entry.action, entry.actor_name) for entry in entries]


# --- who is let in ----------------------------------------------------------------------------------


def test_logging_in_stamps_the_person_and_is_audited(world: World) -> None:
    user = world.operator.user
    browser = logged_in(user)
    assert browser.get("/admin/").status_code == 200
    user.refresh_from_db()
    assert user.last_login is not None
    assert audited(user)[-1] == ("user.logged_in", "olga")
    assert browser.post("/admin/logout/").status_code == 200
    assert browser.get("/admin/").status_code == 302


def test_a_wrong_password_lets_nobody_in(world: World) -> None:
    browser = logged_in(world.operator.user)
    browser.post("/admin/logout/")
    body = {"username": "olga", "password": "wrong horse battery"}
    answer = browser.post("/admin/login/", body)
    assert answer.status_code == 200
    assert b"Please enter the correct username and password for a staff account" in answer.content
    assert browser.get("/admin/").status_code == 302


def test_an_old_password_hash_is_renewed_at_login(world: World) -> None:
    user, hasher = world.operator.user, PBKDF2PasswordHasher()
    weak = hasher.encode(PASSWORD, "a salt of some length!", iterations=1000)
    with tenancy.as_system("test"):
        User.objects.filter(pk=user.pk).update(password=weak)
    assert Client().post("/admin/login/", {"username": "olga", "password": PASSWORD}).status_code == 302
    user.refresh_from_db()
    assert int(user.password.split("$")[1]) == hasher.iterations


@pytest.mark.parametrize("flag", ["is_support", "is_finance", "is_catalog_manager", "is_superuser"])
def test_only_staff_are_let_in(world: World, flag: str) -> None:
    with tenancy.as_system("test"):
        User.objects.filter(pk=world.buyer.user.pk).update(**{flag: True})
    browser = logged_in(world.buyer.user)
    forced = browser_of(world.stranger.user)
    with tenancy.as_system("test"):
        before = list(Customer.objects.order_by("pk").values())
    for client in (browser, forced, Client()):
        for model in REGISTERED:
            assert client.get(page(model)).status_code == 302
        answer = client.post(f"{page(Customer, 'deed', 'block')}?id={before[0]['id']}", {"reason": "x"})
        assert answer.status_code == 302 and answer["Location"].startswith("/admin/login/")
    with tenancy.as_system("test"):
        assert list(Customer.objects.order_by("pk").values()) == before


def test_an_api_token_opens_no_back_office(world: World) -> None:
    assert world.operator.api.get("/admin/").status_code == 302


def test_a_form_from_elsewhere_is_refused(world: World) -> None:
    browser = browser_of(world.operator.user, enforce_csrf_checks=True)
    customer = world.buyer.customer
    assert customer is not None
    answer = browser.post(f"{page(Customer, 'deed', 'block')}?id={customer.pk}", {"reason": "x"})
    assert answer.status_code == 403
    customer.refresh_from_db()
    assert not customer.blocked


# --- everything is found ----------------------------------------------------------------------------


def test_every_model_of_ours_has_a_page() -> None:
    ours = {model for model in apps.get_models() if model.__module__.startswith("agentmart.")}
    missing = {model._meta.label for model in ours - set(REGISTERED)}
    # keys of several columns: they are shown as web.UsageByHour, web.UsageByKey, web.KeyedCall
    assert missing == {"metering.UsageHour", "metering.UsagePart", "access.IdempotentCall"}
    assert ProcrastinateJob in REGISTERED


@pytest.fixture
def filled(shop: Shop) -> dict[type[models.Model], Any]:
    """A row of every model that has a page; a worker's tables stay empty."""
    with tenancy.as_system("test"):
        row_of_hours(shop)
        rows = {model: row_of(model) for model in REGISTERED if model._meta.app_label != "procrastinate"}
        return rows | {ProcrastinateJob: ProcrastinateJob.objects.first()}


@pytest.mark.slow
@pytest.mark.walk
def test_list_search_and_row_answer(filled: dict[type[models.Model], Any], staff: Client) -> None:
    for model in REGISTERED:
        listed = staff.get(page(model))
        assert listed.status_code == 200, model
        row = filled.get(model)
        if row is None:
            continue
        assert listed.context["cl"].result_count >= 1, model
        for term in ("nothing of that name", str(row.pk), "\x00", "'; --"):
            assert staff.get(page(model), {"q": term}).status_code == 200, (model, term)
        if isinstance(model._meta.pk, models.UUIDField):
            found = staff.get(page(model), {"q": row.pk.hex}).context["cl"].result_list
            assert row in list(found), model
        assert staff.get(page(model, "change", row.pk)).status_code == 200, model
        assert staff.get(page(model, "history", row.pk)).status_code == 302, model


def running() -> Resource:
    """The shop's live resource."""
    return Resource.objects.get(state="OK")


def row_of_hours(shop: Shop) -> None:
    """Write an hourly sum, the same of a key, and a call under an idempotency key."""
    resource = running()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO metering_usage_part (resource_id, hour, key_key, version_key, customer_id,"
            " provider_customer_id, events, errors, requests, input_tokens, output_tokens)"
            " VALUES (%s, '2026-03-10 12:00Z', gen_random_uuid(), gen_random_uuid(), %s, %s, 3, 1, 3, 20, 30)",
            [resource.pk, resource.customer_id, resource.provider_customer_id],
        )
        cursor.execute(
            "INSERT INTO access_idempotent_call (config_id, key_sha256, customer_id, fingerprint, call_id,"
            " claimed_at, expires_at) VALUES (gen_random_uuid(), decode(repeat('ab', 32), 'hex'), %s,"
            " decode(repeat('cd', 32), 'hex'), gen_random_uuid(), '2026-03-10 12:00Z', '2026-03-11 12:00Z')",
            [resource.customer_id],
        )
        cursor.execute(
            "INSERT INTO metering_usage_hour VALUES (%s, '2026-03-10 12:00Z', "
            "'00000000-0000-0000-0000-000000000000', %s, %s, %s, %s, 3, 1, 3, 20, 30)",
            [
                resource.pk,
                resource.customer_id,
                resource.provider_customer_id,
                resource.project_id,
                resource.offering_id,
            ],
        )


@pytest.mark.slow
@pytest.mark.walk
def test_every_filter_answers(filled: dict[type[models.Model], Any], staff: Client) -> None:
    for model in REGISTERED:
        choices = staff.get(page(model)).context["cl"]
        for one in choices.filter_specs:
            for choice in one.choices(choices):
                assert staff.get(f"{page(model)}{choice['query_string']}").status_code == 200, (model, one)


def test_a_list_s_queries_do_not_grow_with_its_rows(shop: Shop, staff: Client) -> None:
    def counts() -> dict[str, int]:
        found = {}
        for model in REGISTERED:
            with CaptureQueriesContext(connection) as seen:
                assert staff.get(page(model)).status_code == 200
            found[model._meta.label] = len(seen)
        return found

    before = counts()
    for _ in range(3):
        sold = publish(shop.world, agent(shop.world, echo_flow()))
        buy(shop.world, sold, attributes={"name": "One more"})
    after = counts()
    grown = {name: (before[name], after[name]) for name in before if after[name] > before[name] + 1}
    assert grown == {}  # one more: the first page of a table that was empty
    assert max(after.values()) <= 14


def test_lists_never_read_a_flow(shop: Shop, staff: Client) -> None:
    for model in REGISTERED:
        with CaptureQueriesContext(connection) as seen:
            staff.get(page(model))
        assert [query["sql"] for query in seen if '"flow"' in query["sql"]] == []


def test_secrets_stand_on_no_page(shop: Shop, staff: Client) -> None:
    with tenancy.as_system("test"):
        user, token = User.objects.get(username="olga"), ApiToken.objects.first()
        assert token is not None
        grant = GrantRow.objects.first()
        assert grant is not None
    hidden = [
        user.password,
        bytes(token.token_sha256).hex(),
        bytes(grant.key_sha256).hex(),
        "token_sha256",
        "key_sha256",
    ]
    for row in (user, token, grant):
        shown = staff.get(page(type(row), "change", row.pk)).content.decode()
        assert [secret for secret in hidden if secret in shown] == []


@pytest.mark.parametrize(
    ("view", "by_provider"), [("web_usage_by_hour", 1), ("web_usage_by_key", 1), ("web_keyed_call", 0)]
)
def test_views_show_a_tenant_s_own_rows_in_the_database(shop: Shop, view: str, by_provider: int) -> None:
    def seen_by(customer: Customer | None) -> int:
        assert customer is not None
        tenancy.enter(Actor(grants=(RoleGrant(customer.id, "CUSTOMER.OWNER"),)))
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {view}")
            (count,) = cursor.fetchone()
            return int(count)

    with tenancy.as_system("test"):
        row_of_hours(shop)
    assert seen_by(shop.world.buyer.customer) == 1
    assert seen_by(shop.world.provider.customer) == by_provider
    assert seen_by(shop.world.stranger.customer) == 0


def test_the_navigation_names_every_page(staff: Client) -> None:
    shown = staff.get("/admin/")
    links = {item["link"] for room in shown.context["sidebar_navigation"] for item in room["items"]}
    assert links == {page(model) for model in REGISTERED}


def test_ids_are_shown_by_the_name_of_what_they_name(shop: Shop, staff: Client) -> None:
    customer = shop.world.buyer.customer
    assert customer is not None
    with tenancy.as_system("test"):
        row_of_hours(shop)
        order = Order.objects.first()
    assert order is not None
    listed = staff.get(page(UsageByHour)).content.decode()
    assert f'title="{customer.pk}">Buyer Ltd</a>' in listed
    assert "2026-03-10 12:00" in listed  # ISO 8601, as in logs and invoices
    assert ">Provider GmbH</a>" in staff.get(page(Order, "change", order.pk)).content.decode()


def test_every_list_is_filtered(staff: Client) -> None:
    unfiltered = {
        model._meta.label
        for model in REGISTERED
        if not admin.site._registry[model].get_list_filter(staff.get("/admin/").wsgi_request)
    }
    assert unfiltered == set()


def test_titles_and_lists_hold_names_not_ids(filled: dict[type[models.Model], Any], staff: Client) -> None:
    technical = {  # rows that are called by nothing but their id
        "access.GrantRow",
        "metering.CallFlag",
        "metering.CallPayload",
        "metering.CallStarted",
        "metering.UsageEvent",
        "procrastinate.ProcrastinateJob",
        "web.KeyedCall",
        "web.UsageByHour",
        "web.UsageByKey",
    }
    uuid = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}")
    for model, row in filled.items():
        with tenancy.as_system("test"):
            title = str(model._default_manager.get(pk=row.pk))
        assert model._meta.label in technical or not uuid.search(title), (model, title)
        listed = staff.get(page(model)).content.decode()
        table = re.sub("<[^>]*>", " ", listed[listed.find('id="result_list"') :])
        assert model._meta.label in technical or not uuid.search(table), model


def test_what_an_audit_entry_is_about_is_a_link(shop: Shop, staff: Client) -> None:
    customer = shop.world.buyer.customer
    assert customer is not None
    listed = staff.get(page(AuditEntry), {"q": customer.pk.hex}).content.decode()
    link = f'href="{page(Customer, "change", customer.pk)}" title="{customer.pk}">Customer {str(customer.pk)[:8]}…</a>'
    assert link in listed


@pytest.mark.parametrize(
    ("price", "words"),
    [
        ({}, "-"),
        ({"model": "fixed", "price": "99", "amount": "1"}, "99 USD a period"),
        ({"model": "per_unit", "price": "0.01", "free_units": "100"}, "0.01 USD each, free units 100"),
        (
            {
                "model": "tiered",
                "tier_mode": "graduated",
                "tiers": [
                    {"up_to": "500", "unit_price": "0", "flat_price": "5"},
                    {"up_to": None, "unit_price": "0.001", "flat_price": "0"},
                ],
            },
            "graduated: up to 500: 0 and 5 once; above: 0.001 USD each",
        ),
        ({"model": "percentage", "rate": "0.05", "minimum": "1"}, "percentage, rate 0.05, minimum 1"),
    ],
)
def test_prices_are_said_in_words(price: dict[str, Any], words: str) -> None:
    assert price_words(price, "USD") == words


def test_amounts_are_shown_as_people_write_them() -> None:
    def shown(row: models.Model, name: str) -> str:
        column = row._meta.get_field(name)
        assert isinstance(column, models.DecimalField)
        return PlainAmount(column)(row)

    line = InvoiceItem(
        total=Decimal("70.9300"), unit_price=None, quantity=Decimal("27.0000000000"), currency="USD"
    )
    assert [shown(line, name) for name in ("total", "quantity", "unit_price")] == ["70.93", "27", "-"]
    assert shown(Invoice(total=Decimal("70.0000"), currency="JPY"), "total") == "70"


def test_rows_without_texts_are_found_by_uuids_alone(shop: Shop, staff: Client) -> None:
    with tenancy.as_system("test"):
        row_of_hours(shop)
        resource = running()
    assert staff.get(page(UsageByHour), {"q": "helper"}).context["cl"].result_count == 0
    assert staff.get(page(UsageByHour), {"q": resource.uuid}).context["cl"].result_count == 1


def test_pages_are_named_as_the_navigation_names_them(staff: Client) -> None:
    shown = staff.get(page(AuditEntry)).content.decode()
    assert "Audit entries" in shown
    assert "entrys" not in shown


# --- nothing is written past a service --------------------------------------------------------------


def test_no_page_adds_or_deletes(filled: dict[type[models.Model], Any], staff: Client) -> None:
    for model, row in filled.items():
        with tenancy.as_system("test"):
            before = model._default_manager.count()
        assert staff.get(page(model, "add")).status_code == 403, model
        assert staff.post(page(model, "add"), {}).status_code == 403, model
        assert staff.post(page(model, "delete", row.pk), {"post": "yes"}).status_code == 403, model
        staff.post(page(model), {"action": "delete_selected", "_selected_action": str(row.pk), "post": "yes"})
        with tenancy.as_system("test"):
            assert model._default_manager.count() == before, model


READ_ONLY = [Invoice, InvoiceItem, Payment, UsageEvent, AuditEntry, Order, Resource, User, Offering, ApiKey]


def test_money_usage_audit_and_states_are_read_only(
    filled: dict[type[models.Model], Any], staff: Client
) -> None:
    for model in READ_ONLY:
        rows = model._default_manager.filter(pk=filled[model].pk)
        with tenancy.as_system("test"):
            before = rows.values().get()
        body = dict.fromkeys(before, "1") | {"state": "paid", "is_superuser": "on", "_save": "Save"}
        assert staff.post(page(model, "change", filled[model].pk), body).status_code == 403, model
        with tenancy.as_system("test"):
            assert rows.values().get() == before, model


def test_an_edit_goes_through_the_service_and_is_audited(world: World, staff: Client) -> None:
    customer = world.buyer.customer
    assert customer is not None
    form = staff.get(page(Customer, "change", customer.pk)).context["adminform"].form
    body = {name: form[name].value() or "" for name in form.fields} | {
        "name": "Buyer Limited",
        "blocked": "on",
    }
    answer = staff.post(page(Customer, "change", customer.pk), {k: v for k, v in body.items() if v != ""})
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    customer.refresh_from_db()
    assert (customer.name, customer.blocked) == ("Buyer Limited", False)
    with tenancy.as_system("test"):
        entry = AuditEntry.objects.get(object_id=customer.pk, action="customer.updated")
        assert (entry.actor_name, entry.before, entry.after) == (
            "olga",
            {"name": "Buyer Ltd"},
            {"name": "Buyer Limited"},
        )
        assert LogEntry.objects.count() == 0  # the audit log is the record


# --- deeds ------------------------------------------------------------------------------------------


def invoice_of(shop: Shop) -> Invoice:
    with tenancy.as_system("test") as actor:
        resource = running()
        resource.plan_periods.update(start=datetime(2026, 1, 1, tzinfo=UTC))
        assert shop.world.buyer.customer is not None
        now = datetime(2026, 3, 10, tzinfo=UTC)
        return billing.generate_invoice(shop.world.buyer.customer, 2026, 1, actor=actor, now=now).invoices[0]


def issue_of(shop: Shop) -> Issue:
    body = {"summary": "It is slow", "customer": shop.customer}
    shop.world.buyer.api.post("/api/support-issues/", body)
    with tenancy.as_system("test"):
        return Issue.objects.get()


Find = Callable[[Shop], Any]

DEEDS: list[tuple[str, Find, dict[str, str], str]] = [
    ("block", lambda s: s.world.buyer.customer, {"reason": "unpaid"}, "customer.blocked"),
    ("pause", lambda s: Offering.objects.get(), {"paused_reason": "holidays"}, "offering.paused"),
    ("stop", lambda s: Offering.objects.get(), {}, "offering.made_unavailable"),
    ("archive", lambda s: Offering.objects.get(), {}, "offering.archived"),
    ("cancel", lambda s: Order.objects.get(resource_name="Second"), {}, "order.canceled"),
    ("terminate", lambda s: running(), {}, "resource.terminating"),
    ("revoke", lambda s: ApiKey.objects.get(), {}, "api_key.revoked"),
    ("paid", invoice_of, {"reference": "wire 7"}, "invoice.paid"),
    ("escalate", issue_of, {"reason": "an important customer"}, "issue.escalated"),
    ("resolve", issue_of, {"resolution": "a new disk"}, "issue.resolved"),
    ("deactivate", lambda s: s.world.buyer.user, {}, "user.updated"),
    ("reset-token", lambda s: s.world.buyer.user, {}, "user.token_refreshed"),
]


@pytest.mark.parametrize(("name", "find", "answers", "action"), DEEDS, ids=[deed[0] for deed in DEEDS])
def test_a_deed_asks_first_then_is_done_and_audited(
    shop: Shop, staff: Client, name: str, find: Find, answers: dict[str, str], action: str
) -> None:
    with tenancy.as_system("test"):
        row = find(shop)
    model = type(row)
    chosen = {"action": name, "_selected_action": str(row.pk)}
    asked = staff.post(page(model), chosen)
    assert asked.status_code == 302
    address = asked["Location"]
    assert address == f"{page(model, 'deed', name)}?id={row.pk}"
    assert address in staff.get(page(model, "change", row.pk)).content.decode().replace("&amp;", "&")
    question = staff.get(address)
    assert question.status_code == 200
    assert b"No, take me back" in question.content and str(row).encode() in question.content
    assert (action, "olga") not in audited(row)
    done = staff.post(address, answers)
    assert done.status_code in (200, 302)
    assert (action, "olga") in audited(row)


def test_every_deed_is_tried() -> None:
    offered = {deed.name for page in admin.site._registry.values() for deed in getattr(page, "deeds", ())}
    assert offered - {name for name, *_ in DEEDS} == {
        "unblock",
        "activate",
        "unpause",
        "retry",
        "reactivate",
        "restart",
    }


def offered(staff: Client, row: models.Model) -> list[str]:
    return [title for title, _ in staff.get(page(type(row), "change", row.pk)).context["deeds"]]


def test_a_row_offers_the_deeds_that_are_possible(shop: Shop, staff: Client) -> None:
    customer = shop.world.buyer.customer
    assert customer is not None
    with tenancy.as_system("test"):
        offering, resource = Offering.objects.get(), running()
        done = Order.objects.exclude(resource_name="Second").first()
        waiting, key = Order.objects.get(resource_name="Second"), ApiKey.objects.get()
    assert done is not None
    assert offered(staff, customer) == ["Block"]
    assert offered(staff, offering) == ["Pause", "Archive", "Stop at once"]
    assert (offered(staff, done), offered(staff, waiting)) == ([], ["Cancel"])
    assert (offered(staff, resource), offered(staff, key)) == (["Terminate"], ["Revoke"])
    for row, name in ((customer, "block"), (offering, "stop"), (key, "revoke"), (resource, "terminate")):
        staff.post(f"{page(type(row), 'deed', name)}?id={row.pk}", {"reason": "unpaid"})
    assert offered(staff, customer) == ["Unblock"]
    assert offered(staff, offering) == ["Archive", "Make available"]
    assert (offered(staff, key), offered(staff, resource)) == ([], [])
    assert offered(staff, shop.world.buyer.user) == ["Reset the API token", "Deactivate"]


def test_a_refused_deed_is_told_and_changes_nothing(shop: Shop, staff: Client) -> None:
    with tenancy.as_system("test"):
        done = Order.objects.exclude(resource_name="Second").first()
        waiting = Order.objects.get(resource_name="Second")
    assert done is not None
    address = f"{page(Order, 'deed', 'cancel')}?id={done.pk}&id={waiting.pk}"
    told = staff.post(address, {}, follow=True).content.decode()
    assert "Valid states for operation" in told
    with tenancy.as_system("test"):
        done.refresh_from_db()
        waiting.refresh_from_db()
    assert (done.state, waiting.state) == ("done", "canceled")  # one refusal stops no other


def test_unblocking_and_blocking_reach_the_keys(shop: Shop, staff: Client) -> None:
    customer = shop.world.buyer.customer
    assert customer is not None
    for name, state in (("block", "customer_blocked"), ("unblock", "active")):
        staff.post(f"{page(Customer, 'deed', name)}?id={customer.pk}", {"reason": "unpaid"})
        with tenancy.as_system("test"):
            assert GrantRow.objects.get().state == state


def test_a_new_token_is_shown_once_and_works(shop: Shop, staff: Client) -> None:
    user = shop.world.buyer.user
    answer = staff.post(f"{page(User, 'deed', 'reset-token')}?id={user.pk}", {})
    assert answer.status_code == 200 and "no-store" in answer["Cache-Control"]
    ((told, token),) = answer.context["shown"]
    assert told == "boris"
    with tenancy.as_system("test"):
        assert bytes(ApiToken.objects.get(user=user).token_sha256) == bytes(hash_token(token))
    assert token not in staff.get(page(User)).content.decode()
    assert shop.world.buyer.api.get("/api/customers/").status_code == 401  # the old one ended


def test_a_deed_on_nothing_or_of_no_name_is_not_found(shop: Shop, staff: Client) -> None:
    customer = shop.world.buyer.customer
    assert customer is not None
    for address in (
        f"{page(Customer, 'deed', 'block')}",
        f"{page(Customer, 'deed', 'block')}?id=x",
        f"{page(Customer, 'deed', 'erase')}?id={customer.pk}",
        f"{page(Customer, 'deed', 'block')}?id={shop.world.buyer.user.pk}",
    ):
        assert staff.get(address).status_code == 404
        assert staff.post(address, {"reason": "x"}).status_code == 404


def test_own_password_can_be_changed(world: World) -> None:
    staff = logged_in(world.operator.user)
    body = {
        "old_password": PASSWORD,
        "new_password1": "another horse battery",
        "new_password2": "another horse battery",
    }
    assert staff.post("/admin/password_change/", body).status_code == 302
    assert audited(world.operator.user)[-1] == ("user.password_changed", "olga")
    body = {"username": "olga", "password": "another horse battery"}
    assert Client().post("/admin/login/", body).status_code == 302
