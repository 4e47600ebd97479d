"""Keeping the content of calls: off by default, the buyer's choice, readable by few, noted, erased, ended."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.support.calls import write_call
from tests.support.market import CONFIGS, member, ok, operator
from tests.support.shop import Shop
from tests.support.world import Api

from agentmart.access.models import GrantRow
from agentmart.contracts.payloads import PURPOSE
from agentmart.identity.models import Role
from agentmart.infra import clock, tenancy
from agentmart.infra.models import AuditEntry
from agentmart.kit.ids import uuid7
from agentmart.kit.sealing import seal
from agentmart.metering import services
from agentmart.metering.models import CallPayload, PayloadSetting
from agentmart.resources.models import AgentConfig

pytestmark = pytest.mark.django_db

DAY = datetime(2026, 3, 20, 8, 30, tzinfo=UTC)
SECRET = "a payload key of tests"
BUILT_IN = ["email", "phone", "card", "api_key"]


@pytest.fixture(autouse=True)
def today(shop: Shop, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.setattr(clock, "now", lambda: DAY)
    settings.PAYLOAD_KEYS = ("a newer key", SECRET)


def config_of(shop: Shop) -> AgentConfig:
    with tenancy.as_system("test"):
        uuid = shop.config.rstrip("/").rsplit("/", 1)[-1]
        return AgentConfig.objects.select_related("resource").get(pk=uuid)


def kept(shop: Shop, at: datetime = DAY, days: int = 7, text: str = "hello") -> CallPayload:
    """What the gateway would have kept of a call."""
    config = config_of(shop)
    call = write_call(config.resource, at)
    said = {"input": text, "output": "hi", "input_truncated": False, "output_truncated": True}
    with tenancy.as_system("test"):
        return CallPayload.objects.create(
            call_id=call,
            customer_id=config.customer_id,
            config_id=config.id,
            occurred_at=at,
            expires_at=at + timedelta(days=days),
            sealed=seal(json.dumps(said).encode(), call, secret=SECRET, purpose=PURPOSE),
        )


def path_of(shop: Shop, payload: CallPayload) -> str:
    return f"{shop.config}calls/{payload.call_id.hex}/payload/"


def left() -> int:
    with tenancy.as_system("test"):
        return CallPayload.objects.count()


def test_it_is_off_until_the_buyer_says_so(shop: Shop) -> None:
    api = shop.world.buyer.api
    off = {"enabled": False, "retention_days": 30, "redact": BUILT_IN}
    assert ok(api.get(shop.config))["payload_logging"] == off
    assert ok(api.get(CONFIGS))[0]["payload_logging"] == off
    own = {"name": "order_no", "pattern": "ORD-[0-9]{4,6}"}
    wanted = {"enabled": True, "retention_days": 90, "redact": ["email", own]}
    changed = ok(api.patch(shop.config, {"payload_logging": wanted, "name": "Both"}))
    assert (changed["payload_logging"], changed["name"]) == (wanted, "Both")
    assert ok(api.patch(shop.config, {"payload_logging": {"retention_days": 5}}))["payload_logging"] == {
        **wanted,
        "retention_days": 5,
    }
    assert ok(api.patch(shop.config, {"name": "Name"}))["payload_logging"]["retention_days"] == 5
    with tenancy.as_system("test"):
        entries = AuditEntry.objects.filter(action="agent_config.payload_logging_set").order_by("at")
        assert [entry.after["retention_days"] for entry in entries] == [90, 5]
        assert PayloadSetting.objects.get().customer_id == config_of(shop).customer_id
        assert GrantRow.objects.exists()


@pytest.mark.parametrize(
    ("wanted", "key"),
    [
        ({"retention_days": 91}, "retention_days"),
        ({"retention_days": 0}, "retention_days"),
        ({"redact": ["everything"]}, "redact"),
        ({"redact": ["email", "email"]}, "redact"),
        ({"redact": [{"name": "email", "pattern": "x"}]}, "redact"),
        ({"redact": [{"name": "bad", "pattern": "(a+)+b"}]}, "redact"),
        ({"redact": [{"name": "bad", "pattern": "[a-z]*"}]}, "redact"),
        ({"redact": [{"name": "bad", "pattern": "a{1,200}"}]}, "redact"),
        ({"redact": [{"name": f"p{n}", "pattern": "x{100}"} for n in range(2)]}, "redact"),
        ({"redact": [{"name": f"p{n}", "pattern": "x"} for n in range(6)]}, "redact"),
        ({"redact": [{"name": "Bad", "pattern": "x"}]}, "redact"),
        ({"redact": [{"pattern": "x"}]}, "redact"),
        ({"redact": [7]}, "redact"),
        ({"redact": "email"}, "redact"),
        ({"enabled": "maybe"}, "enabled"),
    ],
)
def test_choices_that_are_refused(shop: Shop, wanted: dict[str, Any], key: str) -> None:
    answer = shop.world.buyer.api.patch(shop.config, {"payload_logging": {"enabled": True, **wanted}})
    assert answer.status_code == 400, answer.content
    assert list(answer.json()) == ["payload_logging"] and list(answer.json()["payload_logging"]) == [key]
    assert ok(shop.world.buyer.api.get(shop.config))["payload_logging"]["enabled"] is False


def test_owners_and_managers_alone_choose_read_and_erase(shop: Shop) -> None:
    payload, buyer = kept(shop), shop.world.buyer
    path = path_of(shop, payload)
    project_roles = [
        member(buyer.customer, role, buyer.project)
        for role in (Role.PROJECT_ADMIN, Role.PROJECT_MANAGER, Role.PROJECT_MEMBER)
    ]
    seeing = [*project_roles, member(buyer.customer, Role.CUSTOMER_SUPPORT), shop.world.operator.api]
    seeing += [operator("is_support"), operator("is_finance")]
    change = {"payload_logging": {"enabled": True}}
    for api in seeing:
        assert api.get(path).status_code == 403
        assert api.delete(path).status_code == 403
        assert api.delete(f"{shop.config}payloads/").status_code == 403
        assert api.patch(shop.config, change).status_code == 403
    same = {"payload_logging": {"enabled": False}}
    assert ok(project_roles[0].patch(shop.config, same))["payload_logging"]["enabled"] is False
    for api in (shop.world.stranger.api, shop.world.provider.api):
        assert api.get(path).status_code == 404
        assert api.delete(path).status_code == 404
        assert api.delete(f"{shop.config}payloads/").status_code == 404
    assert shop.world.visitor.get(path).status_code == 401
    assert left() == 1
    manager = member(buyer.customer, Role.CUSTOMER_MANAGER)
    assert ok(manager.get(path))["input"] == "hello"
    assert ok(manager.patch(shop.config, change))["payload_logging"]["enabled"] is True
    assert manager.delete(path).status_code == 204
    assert left() == 0


def test_staff_that_acts_as_the_owner_reads_nothing(shop: Shop) -> None:
    payload = kept(shop)
    started = ok(
        shop.world.operator.api.post(
            f"/api/users/{shop.world.buyer.user.uuid}/impersonate/", {"reason": "ticket 7"}
        ),
        201,
    )
    acting = Api(started["token"])
    assert acting.get(shop.config).status_code == 200
    assert acting.get(path_of(shop, payload)).status_code == 403


def test_reading_shows_what_was_kept_and_is_noted(shop: Shop) -> None:
    payload = kept(shop)
    api = shop.world.buyer.api
    assert ok(api.get(f"{shop.config}calls/"))[0]["payload_kept"] is True
    assert ok(api.get(path_of(shop, payload))) == {
        "request_id": payload.call_id.hex,
        "occurred_at": "2026-03-20T08:30:00Z",
        "expires_at": "2026-03-27T08:30:00Z",
        "input": "hello",
        "output": "hi",
        "input_truncated": False,
        "output_truncated": True,
    }
    with tenancy.as_system("test"):
        (entry,) = AuditEntry.objects.filter(action="call_payload.read")
        assert (entry.object_id, entry.actor_id) == (payload.call_id, shop.world.buyer.user.id)
        assert entry.customer_id == payload.customer_id
        assert "hello" not in json.dumps(entry.after)


def test_nothing_is_shown_of_other_agents_unkept_calls_or_lost_keys(shop: Shop, settings: Any) -> None:
    payload, api = kept(shop), shop.world.buyer.api
    assert api.get(f"{shop.config}calls/{uuid7(DAY).hex}/payload/").status_code == 404
    settings.PAYLOAD_KEYS = ("a newer key",)
    answer = api.get(path_of(shop, payload))
    assert (answer.status_code, answer.json()["code"]) == (409, "payload_unreadable")
    with tenancy.as_system("test"):
        CallPayload.objects.update(config_id=uuid7(DAY))
    assert api.get(path_of(shop, payload)).status_code == 404


def test_erasing_one_and_all_is_noted(shop: Shop) -> None:
    one, two, three = (kept(shop, DAY + timedelta(minutes=n)) for n in range(3))
    api = shop.world.buyer.api
    assert api.delete(path_of(shop, one)).status_code == 204
    assert left() == 2
    assert api.delete(path_of(shop, one)).status_code == 204
    assert api.get(path_of(shop, one)).status_code == 404
    assert api.delete(f"{shop.config}payloads/").status_code == 204
    assert (left(), api.get(path_of(shop, two)).status_code) == (0, 404)
    with tenancy.as_system("test"):
        entries = AuditEntry.objects.filter(action="agent_config.payloads_erased").order_by(
            "at", "after__erased"
        )
        assert sorted(entry.after["erased"] for entry in entries) == [0, 1, 2]
    assert three.call_id


def test_what_is_kept_ends_with_its_retention(shop: Shop) -> None:
    payload = kept(shop, days=7)
    end = DAY + timedelta(days=7)
    assert services.sweep_payloads(now=end - timedelta(seconds=1)) == 0
    assert services.sweep_payloads(now=end) == 1
    assert left() == 0
    assert shop.world.buyer.api.get(path_of(shop, payload)).status_code == 404


def test_what_is_over_is_not_shown_before_it_is_swept(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    payload = kept(shop, days=7)
    monkeypatch.setattr(clock, "now", lambda: DAY + timedelta(days=7))
    assert shop.world.buyer.api.get(path_of(shop, payload)).status_code == 404


def test_a_shorter_retention_holds_for_what_is_kept_a_longer_one_does_not(shop: Shop) -> None:
    kept(shop, days=30)
    api = shop.world.buyer.api
    for days, ends in ((10, 10), (90, 10)):
        ok(api.patch(shop.config, {"payload_logging": {"enabled": True, "retention_days": days}}))
        with tenancy.as_system("test"):
            assert CallPayload.objects.get().expires_at == DAY + timedelta(days=ends)
