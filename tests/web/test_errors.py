"""How answers look when something is wrong with the request, or with us."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError
from django.test import Client
from psycopg import errors
from tests.support.market import AGENTS, CONFIGS, OFFERINGS, ORDERS, RESOURCES, ok
from tests.support.shop import Shop
from tests.support.world import World

from agentmart.identity import services as identity
from agentmart.identity.models import Customer

pytestmark = pytest.mark.django_db

LISTS = [
    "/api/users/",
    "/api/customers/",
    "/api/projects/",
    "/api/marketplace-categories/",
    "/api/marketplace-service-providers/",
    OFFERINGS,
    "/api/marketplace-public-offerings/",
    "/api/marketplace-provider-offerings/",
    "/api/marketplace-plans/",
    ORDERS,
    RESOURCES,
    AGENTS,
    CONFIGS,
]


def wrapped(error: Exception, cause: Exception) -> Exception:
    """A fault of the database as Django raises it."""
    error.__cause__ = cause
    return error


def raw(world: World, method: str, path: str, body: bytes = b"", type: str = "", **headers: str) -> Any:
    """A request as it is, by the operator."""
    client = Client(raise_request_exception=False)
    return client.generic(method, path, body, type, headers={**world.operator.api._headers, **headers})


# --- addresses and methods -----------------------------------------------------------------------


@pytest.mark.parametrize("path", LISTS)
def test_the_trailing_slash_is_optional_and_never_redirects(world: World, path: str) -> None:
    with_slash, without = world.operator.api.get(path), world.operator.api.get(path.rstrip("/"))
    assert (with_slash.status_code, without.status_code) == (200, 200)
    assert with_slash.json() == without.json()


def test_addresses_in_answers_have_one_form_and_lead_back(shop: Shop) -> None:
    api = shop.world.operator.api
    for path in LISTS:
        for row in api.get(path.rstrip("/")).json():
            if "url" in row:
                assert row["url"].startswith("http://testserver/api/") and row["url"].endswith("/")
                assert ok(api.get(row["url"]))["uuid"] == row["uuid"]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_a_wrong_method_is_405_in_json(world: World, method: str, path: str) -> None:
    answer = raw(world, method, path)
    assert answer.status_code == 405
    assert answer.json() == {"detail": f'Method "{method}" not allowed.', "code": "method_not_allowed"}
    assert "GET" in answer["Allow"]


@pytest.mark.parametrize(
    "path",
    [
        "/api/nothing",
        "/api/customers/xyz/",
        "/nothing",
        "/api/customers/%00/",
        "/api/customers/--------------------------------/",
        f"/api/customers/{'0' * 32}/nothing/",
        f"{AGENTS}{'0' * 32}/versions/{'9' * 5000}/",
    ],
)
def test_what_is_not_there_is_404_in_json(world: World, path: str) -> None:
    answer = world.operator.api.get(path)
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/json")
    assert answer.json()["code"] == "not_found"
    assert answer["X-Request-Id"]


def test_both_forms_of_a_uuid_lead_to_the_row(world: World) -> None:
    assert world.buyer.customer is not None
    dashed = str(world.buyer.customer.id)
    for form in (dashed, dashed.upper(), world.buyer.customer.uuid):
        assert ok(world.buyer.api.get(f"/api/customers/{form}/"))["uuid"] == world.buyer.customer.uuid
        assert len(ok(world.buyer.api.get("/api/projects/", customer=form))) == 1


def test_bodies_of_other_types_are_415_and_other_answers_406(world: World) -> None:
    answer = raw(world, "POST", "/api/customers/", b"name=x", "text/plain")
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    answer = raw(world, "GET", "/api/customers/", Accept="text/html")
    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")


def test_bodies_above_the_limit_are_413(world: World, settings: Any) -> None:
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    answer = raw(world, "POST", "/api/customers/", b" " * (limit + 1), "application/json")
    assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")
    assert answer.json()["extra"] == {"limit": limit}
    assert answer["X-Request-Id"]


def test_an_unknown_host_is_refused_in_json(world: World, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["shop.example"]
    answer = raw(world, "GET", "/api/customers/")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/json")
    assert answer.json() == {"non_field_errors": ["The request cannot be read."]}


# --- bodies --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        (b"", {"name": ["This field is required."]}),
        (b"[]", {"non_field_errors": ["Give a JSON object."]}),
        (b"null", {"non_field_errors": ["Give a JSON object."]}),
        (b'"x"', {"non_field_errors": ["Give a JSON object."]}),
        (
            b'{"name": }',
            {"non_field_errors": ["The body is not valid JSON: Expecting value at line 1, column 10."]},
        ),
        (b'{"name": NaN}', {"name": ["NaN is not a number of JSON."]}),
        (b'{"a": [0, {"b": 1e999}]}', {"a": [{}, {"b": ["The number is too large."]}]}),
        (b'{"a": ' + b"9" * 5000 + b"}", {"a": ["A whole number of 5000 digits is too large."]}),
        (b'{"tags": ["x", "\\u0000"]}', {"tags": {"1": ["Null characters are not allowed."]}}),
        (b'[{"b": NaN}]', {"non_field_errors": ["NaN is not a number of JSON."]}),
        (b'{"a": {"b": "\\u0000"}}', {"a": {"b": ["Null characters are not allowed."]}}),
        (b'{"name": "\\udfff"}', {"name": ["Half of a surrogate pair is not valid text."]}),
        (b"[" * 101 + b"]" * 101, {"non_field_errors": ["The body is nested deeper than 100 levels."]}),
        (b"[" * 9999 + b"]" * 9999, {"non_field_errors": ["The body is nested deeper than 100 levels."]}),
        (b"\xff{}", {"non_field_errors": ["The body is not UTF-8 text: byte 0."]}),
    ],
)
def test_a_body_that_cannot_be_read_is_400_and_says_where(
    world: World, body: bytes, refusal: dict[str, Any]
) -> None:
    before = Customer.objects.count()
    answer = raw(world, "POST", "/api/customers/", body, "application/json")
    assert (answer.status_code, answer.json()) == (400, refusal)
    assert Customer.objects.count() == before


def test_forms_are_read_too(world: World) -> None:
    answer = raw(
        world, "POST", "/api/customers/", b"name=Acme&country=DE", "application/x-www-form-urlencoded"
    )
    assert ok(answer, 201)["country"] == "DE"
    answer = raw(world, "POST", "/api/customers/", b"name=%00", "application/x-www-form-urlencoded")
    assert (answer.status_code, answer.json()) == (400, {"name": ["Null characters are not allowed."]})


def test_what_is_ignored_of_a_body_is_named(world: World) -> None:
    body = {"name": "Acme", "uuid": "x", "nme": 1, 'we"ird,\u2603': 2}
    answer = world.operator.api.post("/api/customers/", body)
    assert answer.status_code == 201
    assert answer["Warning"] == (
        '299 agentmart "Unknown or read-only key ignored: uuid", '
        '299 agentmart "Unknown or read-only key ignored: nme", '
        '299 agentmart "Unknown or read-only key ignored: we\'ird%2C?"'
    )


def test_an_action_needs_no_body(world: World) -> None:
    assert world.buyer.customer is not None
    answer = raw(world, "POST", f"/api/customers/{world.buyer.customer.uuid}/block/")
    assert ok(answer) == {"detail": "Buyer Ltd is blocked.", "blocked": True}


# --- lists ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", LISTS)
def test_head_gives_the_headers_of_a_list_and_reads_no_row(
    world: World, path: str, django_assert_max_num_queries: Any
) -> None:
    shown = world.operator.api.get(path)
    with django_assert_max_num_queries(6):  # savepoint, token, roles, tenancy, count, release
        answer = raw(world, "HEAD", path)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer["X-Result-Count"] == shown["X-Result-Count"]
    assert answer["Link"] == shown["Link"]


def test_pages_know_their_neighbours(world: World) -> None:
    for number in range(11):
        ok(world.operator.api.post("/api/marketplace-categories/", {"title": f"C{number:02}"}), 201)
    answer = world.operator.api.get("/api/marketplace-categories/", page=2, page_size=5, field=["title", "x"])
    assert answer.json() == [{"title": f"C{number:02}"} for number in range(5, 10)]
    assert answer["X-Result-Count"] == "11"
    address = "http://testserver/api/marketplace-categories/?field=title&field=x&page={}&page_size=5"
    links = {"first": 1, "last": 3, "prev": 1, "next": 3}
    assert answer["Link"] == ", ".join(
        f'<{address.format(page)}>; rel="{name}"' for name, page in links.items()
    )


@pytest.mark.parametrize("page", ["0", "-1", "2", "abc", "1.5", "9" * 5000, "%00"])
def test_a_page_that_is_not_there_is_404(world: World, page: str) -> None:
    answer = raw(world, "GET", f"/api/customers/?page={page}")
    expected = (400, {"page": ["Null characters are not allowed."]})
    if page != "%00":
        expected = (404, {"detail": "Invalid page.", "code": "not_found"})  # type: ignore[assignment]
    assert (answer.status_code, answer.json()) == expected


@pytest.mark.parametrize(
    ("size", "status"), [("100000", 200), ("9" * 50, 200), ("0", 400), ("x", 400), ("-1", 400)]
)
def test_page_sizes_are_clamped_or_refused(world: World, size: str, status: int) -> None:
    answer = world.operator.api.get("/api/customers/", page_size=size)
    assert answer.status_code == status
    if status == 400:
        assert answer.json() == {"page_size": ["Enter a positive whole number."]}


@pytest.mark.parametrize(
    ("path", "parameter", "value", "message"),
    [
        (ORDERS, "state", "nonsense", "Select a valid choice. nonsense is not one of the available choices."),
        (ORDERS, "type", "x", "Select a valid choice. x is not one of the available choices."),
        (RESOURCES, "state", "", "Select a valid choice.  is not one of the available choices."),
        (OFFERINGS, "state", "x", "Select a valid choice. x is not one of the available choices."),
        (ORDERS, "offering_uuid", "x", "Enter a valid UUID."),
        (ORDERS, "customer_uuid", "http://[", "Enter a valid UUID."),
        (RESOURCES, "provider_uuid", "123", "Enter a valid UUID."),
        ("/api/projects/", "customer", "/api/customers/x/", "Enter a valid UUID."),
        ("/api/marketplace-plans/", "offering", "x", "Enter a valid UUID."),
        (AGENTS, "customer_uuid", "x", "Enter a valid UUID."),
        (CONFIGS, "resource_uuid", "x", "Enter a valid UUID."),
        ("/api/customers/", "blocked", "maybe", "Must be a valid boolean."),
        ("/api/customers/", "name", "\0", "Null characters are not allowed."),
    ],
)
def test_a_filter_s_mistake_is_named_by_its_parameter(
    world: World, path: str, parameter: str, value: str, message: str
) -> None:
    answer = world.operator.api.get(path, **{parameter: value})
    assert (answer.status_code, answer.json()) == (400, {parameter: [message]})


def test_an_unknown_parameter_is_ignored_with_a_warning_or_refused_on_demand(world: World) -> None:
    answer = world.operator.api.get("/api/customers/", is_actve="true", page_size=3)
    assert answer.status_code == 200
    assert answer["Warning"] == '299 agentmart "Unknown parameter ignored: is_actve"'
    strict = raw(world, "GET", "/api/customers/?is_actve=true", Prefer="handling=strict")
    assert (strict.status_code, strict.json()) == (400, {"is_actve": ["Unknown parameter."]})
    assert "Warning" not in world.operator.api.get("/api/customers/", name="x")


def test_filters_fold_choices_and_join_repeated_values(shop: Shop) -> None:
    api = shop.world.buyer.api
    for spelling in ("pending provider", "Pending_Provider", "PENDING-PROVIDER", "pending approval"):
        assert len(ok(api.get(ORDERS, state=spelling))) == 1
    assert len(ok(api.get(ORDERS, state=["pending-provider", "done"]))) == 2
    assert ok(api.get(ORDERS, state="draft")) == []
    assert ok(api.get(ORDERS, offering_uuid="0" * 32)) == []
    assert len(ok(api.get(RESOURCES, state="ok", customer_uuid=shop.customer))) == 1


# --- login ---------------------------------------------------------------------------------------


def test_tokens_in_the_address_are_refused_everywhere(world: World) -> None:
    token = world.operator.api._headers["Authorization"].split()[1]
    for path in ("/api/customers/", "/api/marketplace-categories/"):
        answer = world.visitor.get(path, **{"x-auth-token": token})
        assert answer.status_code == 401
        assert answer.json() == {
            "detail": "A token in the address is not accepted; use the Authorization header."
        }


@pytest.mark.parametrize("header", ["Token x", "Token", "Token a b", "token \u00ff", "Token " + "x" * 5000])
def test_a_bad_token_is_401_also_where_visitors_may_read(world: World, header: str) -> None:
    for path in ("/api/customers/", "/api/marketplace-public-offerings/"):
        answer = Client().get(path, headers={"Authorization": header})
        assert answer.status_code == 401
        assert answer["WWW-Authenticate"] == "Token"
        assert set(answer.json()) == {"detail"}


def test_nobody_acts_as_somebody_else(world: World) -> None:
    uuid = world.buyer.user.uuid
    answer = raw(world, "GET", "/api/users/me/", **{"X-Impersonated-User-Uuid": uuid})
    assert (answer.status_code, list(answer.json())) == (400, ["non_field_errors"])


# --- request ids and our own mistakes ------------------------------------------------------------


def test_every_answer_has_a_request_id(world: World) -> None:
    assert len(world.visitor.get("/api/health/")["X-Request-Id"]) == 32
    assert (
        raw(world, "GET", "/api/customers/", **{"X-Request-Id": "abc-12345"})["X-Request-Id"] == "abc-12345"
    )
    for forged in ("short", "a b c d e f g", "x" * 65):
        answer = raw(world, "GET", "/api/customers/", **{"X-Request-Id": forged})
        assert len(answer["X-Request-Id"]) == 32


def test_the_unexpected_is_a_500_in_json_and_leaves_nothing(world: World, monkeypatch: Any) -> None:
    create = identity.create_customer

    def create_and_break(**values: Any) -> Any:
        create(**values)
        raise RuntimeError("secret detail")

    monkeypatch.setattr(identity, "create_customer", create_and_break)
    answer = raw(world, "POST", "/api/customers/", b'{"name": "Half made"}', "application/json")
    assert (answer.status_code, answer["Content-Type"]) == (500, "application/json")
    assert answer.json() == {
        "detail": "Something went wrong on our side.",
        "code": "internal_error",
        "request_id": answer["X-Request-Id"],
    }
    monkeypatch.undo()
    assert ok(world.operator.api.get("/api/customers/", name="Half made")) == []


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (IntegrityError("x"), 500, "internal_error"),
        (wrapped(IntegrityError("x"), errors.ForeignKeyViolation("x")), 409, "conflict"),
        (wrapped(OperationalError("x"), errors.DeadlockDetected("x")), 503, "try_again"),
        (wrapped(IntegrityError("x"), errors.UniqueViolation("x")), 500, "internal_error"),
    ],
)
def test_a_race_that_only_the_database_sees_is_lost_cleanly(
    world: World, monkeypatch: pytest.MonkeyPatch, fault: Exception, status: int, code: str
) -> None:
    def fail(**values: Any) -> None:
        raise fault

    monkeypatch.setattr(identity, "create_project", fail)
    assert world.buyer.customer is not None
    body = json.dumps({"name": "P", "customer": world.buyer.customer.uuid}).encode()
    answer = raw(world, "POST", "/api/projects/", body, "application/json")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.get("Retry-After") == ("1" if status == 503 else None)
    assert len(answer["X-Request-Id"]) == 32
