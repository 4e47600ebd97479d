"""The audit log over REST: who sees what, every filter, and Waldur's words for it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from tests.support.market import member, ok, operator
from tests.support.shop import Shop
from tests.support.world import NOW, World
from waldur_api_client.models.event import Event

from agentmart.identity.models import Role
from agentmart.infra import audit, tenancy
from agentmart.infra.actors import Actor
from agentmart.infra.models import AuditEntry

pytestmark = pytest.mark.django_db

LOG = "/api/audit-log/"
EVENTS = "/api/events/"


def actions(api: Any, **query: Any) -> list[str]:
    return [entry["action"] for entry in ok(api.get(LOG, page_size=300, **query))]


@pytest.fixture
def told(world: World) -> World:
    """Three facts at known times about the buyer's and the provider's customers."""
    buyer, provider = world.buyer, world.provider
    assert buyer.customer is not None and provider.customer is not None
    facts = [
        (buyer, buyer.customer, "customer.renamed", 1),
        (buyer, buyer.customer, "customer.moved", 2),
        (provider, provider.customer, "customer.renamed", 3),
    ]
    with tenancy.as_system("test"):
        for person, customer, action, day in facts:
            audit.record(
                action,
                customer,
                actor=Actor(user_id=person.user.id, username=person.user.username),
                now=NOW + timedelta(days=day),
                before={"name": "Old"},
                after={"name": "New"},
                customer_id=customer.id,
            )
    return world


def test_an_entry_tells_who_did_what_when_and_the_values(told: World) -> None:
    assert told.buyer.customer is not None
    (entry,) = ok(told.operator.api.get(LOG, action="customer.moved"))
    assert ok(told.operator.api.get(f"{LOG}{entry['uuid']}/")) == entry
    assert entry.pop("url") == f"http://testserver{LOG}{entry.pop('uuid')}/"
    assert entry == {
        "created": "2026-03-12T12:00:00.000000Z",
        "action": "customer.moved",
        "message": "Customer moved by boris",
        "actor_uuid": told.buyer.user.uuid,
        "actor_name": "boris",
        "impersonator_uuid": None,
        "object_type": "identity.customer",
        "object_uuid": told.buyer.customer.uuid,
        "customer_uuid": told.buyer.customer.uuid,
        "before": {"name": "Old"},
        "after": {"name": "New"},
        "request_id": "",
    }


def test_the_request_s_id_stands_in_its_entries(shop: Shop) -> None:
    answer = shop.world.operator.api.patch(shop.customer, {"address": "9 Road"})
    (entry,) = ok(shop.world.operator.api.get(LOG, request_id=answer["X-Request-Id"]))
    assert (entry["action"], entry["after"]) == ("customer.updated", {"address": "9 Road"})


def test_staff_support_and_finance_see_all_and_owners_their_organization(told: World) -> None:
    buyer = told.buyer.customer
    all_of_them = ["customer.renamed", "customer.moved", "customer.renamed"]
    for api in (told.operator.api, operator("is_support"), operator("is_finance")):
        assert actions(api, created="2026-03-11") == all_of_them
    assert actions(told.buyer.api, created="2026-03-11") == ["customer.moved", "customer.renamed"]
    assert actions(told.provider.api, created="2026-03-11") == ["customer.renamed"]
    for api in (
        operator("is_catalog_manager"),
        member(buyer, Role.CUSTOMER_MANAGER),
        member(buyer, Role.PROJECT_ADMIN, told.buyer.project),
    ):
        assert actions(api) == []
    assert told.visitor.get(LOG).status_code == 401


def test_an_entry_of_another_is_not_there(told: World) -> None:
    assert told.buyer.customer is not None
    (entry,) = ok(told.operator.api.get(LOG, action="customer.moved"))
    assert told.buyer.api.get(f"{LOG}{entry['uuid']}/").status_code == 200
    assert told.stranger.api.get(f"{LOG}{entry['uuid']}/").status_code == 404
    assert actions(told.stranger.api, customer_uuid=told.buyer.customer.uuid) == []


def test_every_filter(told: World) -> None:
    api, buyer = told.operator.api, told.buyer
    assert buyer.customer is not None
    since: dict[str, Any] = {"created": "2026-03-11"}
    mine = ["customer.moved", "customer.renamed"]
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({"actor": "BORI"}, mine),
        ({"actor_uuid": buyer.user.uuid}, mine),
        ({"user_uuid": buyer.user.uuid}, mine),
        ({"user_uuid": buyer.customer.uuid}, mine),
        ({"impersonator_uuid": buyer.user.uuid}, []),
        ({"action": "customer.moved"}, ["customer.moved"]),
        ({"action": ["customer.moved", "order"]}, ["customer.moved"]),
        ({"action": "customer", "actor": "boris"}, mine),
        ({"action": "custom"}, []),
        ({"object_type": "Customer", "actor": "boris"}, mine),
        ({"object_type": "identity.customer", "actor": "boris"}, mine),
        ({"object_type": "order"}, []),
        ({"object_uuid": str(UUID(buyer.customer.uuid))}, mine),
        ({"customer": f"/api/customers/{buyer.customer.uuid}/"}, mine),
        ({"customer_uuid": buyer.customer.uuid}, mine),
        ({"request_id": "none-such"}, []),
        ({"query": "petra"}, ["customer.renamed"]),
        ({"query": "moved"}, ["customer.moved"]),
        ({"created_before": "2026-03-12T12:00:00Z"}, ["customer.renamed"]),
    ]
    for query, wanted in cases:
        assert actions(api, **since, **query) == wanted, query
    for bad in ({"actor_uuid": "x"}, {"created": "yesterday"}, {"o": "before"}, {"customer": "x"}):
        assert list(api.get(LOG, **bad).json()) == list(bad)


def test_orders(told: World) -> None:
    api = told.operator.api
    since = {"created": "2026-03-11"}
    newest = actions(api, **since)
    assert actions(api, **since, o="created") == newest[::-1]
    assert actions(api, **since, o="-created") == newest
    assert actions(api, **since, o="action")[0] == "customer.moved"
    names = [entry["actor_name"] for entry in ok(api.get(LOG, o="actor_name", **since))]
    assert names == ["boris", "boris", "petra"]


def test_waldur_s_clients_read_it_as_events(told: World) -> None:
    assert told.buyer.customer is not None
    rows = ok(told.buyer.api.get(EVENTS, event_type="customer.moved"))
    event = Event.from_dict(rows[0])
    assert (event.event_type, event.message) == ("customer.moved", "Customer moved by boris")
    assert event.context["customer_uuid"] == told.buyer.customer.uuid  # type: ignore[index]
    assert "impersonator_uuid" not in rows[0]["context"]
    assert Event.from_dict(ok(told.buyer.api.get(f"{EVENTS}{rows[0]['uuid']}/"))).uuid == event.uuid


def test_events_filters(told: World) -> None:
    api, buyer = told.operator.api, told.buyer
    assert buyer.customer is not None
    moment = (NOW + timedelta(days=2)).timestamp()
    cases: list[tuple[dict[str, Any], int]] = [
        ({"created_from": moment}, 2),
        ({"created_from": moment, "created_to": moment}, 1),
        ({"created_from": moment, "feature": "customer"}, 2),
        ({"created_from": moment, "scope": f"http://x/api/customers/{buyer.customer.uuid}/"}, 1),
        ({"created_from": moment, "customer_uuid": buyer.customer.uuid}, 1),
        ({"created_from": moment, "user_uuid": buyer.user.uuid}, 1),
        ({"created_from": moment, "related_user_uuid": buyer.user.uuid}, 1),
        ({"created_from": moment, "project_uuid": buyer.user.uuid}, 0),
        ({"created_from": moment, "message": "moved"}, 1),
    ]
    for query, number in cases:
        assert len(ok(api.get(EVENTS, **query))) == number, query
    for bad in ("x", "nan", "-1", "1e30"):
        assert list(api.get(EVENTS, created_from=bad).json()) == ["created_from"]


def test_nobody_writes_it_over_rest(told: World) -> None:
    (entry,) = ok(told.operator.api.get(LOG, action="customer.moved"))
    for answer in (
        told.operator.api.post(LOG, {}),
        told.operator.api.patch(f"{LOG}{entry['uuid']}/", {"action": "x"}),
        told.operator.api.delete(f"{LOG}{entry['uuid']}/"),
    ):
        assert answer.status_code == 405


def test_the_database_lets_nobody_change_it(told: World) -> None:
    """Neither by privilege nor past the trigger: not with the system flag set, not as the tables' owner's trigger."""
    with tenancy.as_system("test"):
        for statement in (
            "UPDATE infra_audit_entry SET action = 'x'",
            "DELETE FROM infra_audit_entry",
            "TRUNCATE infra_audit_entry",
        ):
            with pytest.raises(Exception, match="permission denied"), transaction.atomic():
                connection.cursor().execute(statement)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT tgname FROM pg_trigger WHERE tgrelid = 'infra_audit_entry'::regclass "
                "AND NOT tgisinternal AND tgenabled = 'O' ORDER BY 1"
            )
            assert [name for (name,) in cursor.fetchall()] == [
                "infra_audit_entry_append_only",
                "infra_audit_entry_no_truncate",
            ]
        assert AuditEntry.objects.filter(action="customer.moved").count() == 1


def test_the_filters_have_indexes(told: World) -> None:
    """With sequential scans priced out, each common filter finds an index that also gives the order."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        for column in ("customer_id", "actor_id", "object_id", "impersonator_id"):
            cursor.execute(
                f"EXPLAIN SELECT * FROM infra_audit_entry WHERE {column} = gen_random_uuid() "
                "ORDER BY at DESC LIMIT 10"
            )
            assert "Index" in " ".join(row for (row,) in cursor.fetchall()), column
