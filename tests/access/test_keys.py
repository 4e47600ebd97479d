"""Keys over REST: made, listed, shown, put in each other's place, ended; and what their Grants then say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from tests.support.desk import project_member
from tests.support.market import CONFIGS, ok
from tests.support.shop import Shop

from agentmart.access import services
from agentmart.access.embedding import snippet
from agentmart.access.models import ApiKey, GrantRow
from agentmart.catalog.models import Plan
from agentmart.contracts.keys import hash_key
from agentmart.infra import clock, tenancy
from agentmart.infra.models import AuditEntry
from agentmart.kit.ids import uuid7

pytestmark = pytest.mark.django_db

PAGE = "https://www.buyer.example"


def keys(shop: Shop) -> str:
    return f"{shop.config}api-keys/"


def made(shop: Shop, **body: Any) -> dict[str, Any]:
    found: dict[str, Any] = ok(shop.world.buyer.api.post(keys(shop), {"name": "K", **body}), 201)
    return found


def grant_of(key: dict[str, Any]) -> GrantRow:
    with tenancy.as_system("test"):
        return GrantRow.objects.get(key_id=UUID(key["uuid"]))


def limits_of(shop: Shop, **limits: Any) -> None:
    with tenancy.as_system("test"):
        Plan.objects.update(limits=limits)


def end(key: dict[str, Any], **values: Any) -> None:
    with tenancy.as_system("test"):
        ApiKey.objects.filter(pk=UUID(key["uuid"])).update(**values)


def test_a_key_as_asked(shop: Shop) -> None:
    limits_of(shop, requests_per_minute=50)
    terms = {
        "kind": "secret",
        "environment": "test",
        "scopes": ["agent:invoke"],
        "allowed_ips": ["203.0.113.0/24", "2001:0DB8::1", "203.0.113.0/24"],
        "limits": {"requests_per_minute": 5, "concurrent_requests": 1},
    }
    key = made(shop, **terms)
    kept = {**terms, "allowed_ips": ["203.0.113.0/24", "2001:db8::1"], "allowed_origins": []}
    assert {name: key[name] for name in kept} == kept
    assert (key["state"], key["last_used_at"], key["prefix"]) == ("active", None, "ar_sk_test_")
    assert key["key"].startswith("ar_sk_test_")
    assert key["last4"] == key["key"][-4:]
    grant = grant_of(key)
    assert grant.key_sha256 == hash_key(key["key"])
    assert (grant.kind, grant.environment, grant.scopes) == ("secret", "test", ["agent:invoke"])
    assert grant.allowed_ips == kept["allowed_ips"]
    assert grant.key_limits == {
        "requests_per_minute": 5,
        "concurrent_requests": 1,
        "requests_per_month": 1000,
    }
    with tenancy.as_system("test"):
        entry = AuditEntry.objects.get(action="api_key.issued", object_id=UUID(key["uuid"]))
        assert entry.after["limits"] == terms["limits"]
        assert key["key"] not in str(entry.after)
        assert ApiKey.objects.get(pk=UUID(key["uuid"])).public_text == ""


def test_a_key_as_it_is_without_wishes(shop: Shop) -> None:
    key = made(shop)
    assert (key["kind"], key["environment"]) == ("secret", "live")
    assert key["scopes"] == ["agent:invoke", "agent:stream"]
    assert (key["allowed_ips"], key["allowed_origins"], key["limits"]) == ([], [], {})
    grant = grant_of(key)
    assert (grant.key_limits, grant.allowed_ips, grant.allowed_origins) == (None, [], [])
    assert grant.expires_at is not None
    lasts = grant.expires_at - clock.now()
    assert timedelta(days=364) < lasts <= timedelta(days=365)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "name"),
    ({"name": "x" * 151}, "name"),
    ({"kind": "session"}, "kind"),
    ({"environment": "prod"}, "environment"),
    ({"scopes": []}, "scopes"),
    ({"scopes": ["agent:admin"]}, "scopes"),
    ({"scopes": "agent:invoke"}, "scopes"),
    ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
    ({"expires_at": "2999-01-01T00:00:00Z"}, "expires_at"),
    ({"expires_at": "tomorrow"}, "expires_at"),
    ({"allowed_ips": ["203.0.113.7/24"]}, "allowed_ips"),
    ({"allowed_ips": ["here"]}, "allowed_ips"),
    ({"allowed_ips": ["203.0.113.7"] * 51}, "allowed_ips"),
    ({"allowed_origins": [PAGE]}, "allowed_origins"),  # a secret key is not for pages
    ({"kind": "publishable"}, "allowed_origins"),  # neither it nor the agent names any
    ({"kind": "publishable", "allowed_origins": ["*"]}, "allowed_origins"),
    (
        {"kind": "publishable", "environment": "test", "allowed_origins": ["https://*.a.example"]},
        "allowed_origins",
    ),
    ({"kind": "publishable", "allowed_origins": [f"{PAGE}/path"]}, "allowed_origins"),
    ({"limits": {"requests_per_minute": 0}}, "limits"),
    ({"limits": {"requests_per_minute": 51}}, "limits"),  # the plan allows 50
    ({"limits": {"requests_per_minute": "many"}}, "limits"),
    ({"limits": 5}, "limits"),
]


@pytest.mark.parametrize(("wish", "field"), BAD)
def test_keys_that_make_no_sense(shop: Shop, wish: dict[str, Any], field: str) -> None:
    limits_of(shop, requests_per_minute=50)
    answer = shop.world.buyer.api.post(keys(shop), {"name": "K", **wish})
    assert (answer.status_code, list(answer.json())) == (400, [field]), answer.content
    assert len(ok(shop.world.buyer.api.get(keys(shop)))) == 1


def test_limits_of_a_plan_without_any_may_be_held_tighter(shop: Shop) -> None:
    limits_of(shop)
    assert made(shop, limits={"tokens_per_month": 10})["limits"] == {"tokens_per_month": 10}


def test_an_agent_has_few_test_keys(shop: Shop) -> None:
    first = made(shop, environment="test")
    for _ in range(4):
        made(shop, environment="test")
    answer = shop.world.buyer.api.post(keys(shop), {"name": "K", "environment": "test"})
    assert (answer.status_code, answer.json()["code"]) == (409, "quota_exceeded")
    assert answer.json()["extra"] == {"quota": "test_keys", "limit": 5, "usage": 5}
    made(shop)
    assert shop.world.buyer.api.delete(f"{keys(shop)}{first['uuid']}/").status_code == 204
    made(shop, environment="test")


def test_the_text_is_shown_once(shop: Shop) -> None:
    buyer = shop.world.buyer.api
    secret, page = made(shop), made(shop, kind="publishable", allowed_origins=[PAGE])
    listed = buyer.get(keys(shop))
    detail = buyer.get(f"{keys(shop)}{page['uuid']}/")
    for answer in (listed, detail, buyer.get(shop.config)):
        text = answer.content.decode()
        for key in (secret, page):
            assert key["key"] not in text
            assert key["key"].rsplit(".", 1)[-1] not in text
    assert all("key" not in row and "public_text" not in row for row in ok(listed))
    assert {name: value for name, value in page.items() if name != "key"} == ok(detail)


def test_keys_are_filtered_and_sorted(shop: Shop) -> None:
    buyer = shop.world.buyer.api
    page = made(shop, name="Page", kind="publishable", allowed_origins=[PAGE])
    test = made(shop, name="Test", environment="test", expires_at="2030-01-01T00:00:00Z")
    over, gone = made(shop, name="Over"), made(shop, name="Gone")
    end(over, expires_at=clock.now())
    assert buyer.delete(f"{keys(shop)}{gone['uuid']}/").status_code == 204

    def names(**query: Any) -> list[str]:
        return [row["name"] for row in ok(buyer.get(keys(shop), **query))]

    assert names() == ["Gone", "Over", "Test", "Page", "CI"]
    assert names(o="name") == ["CI", "Gone", "Over", "Page", "Test"]
    assert names(o="-name") == ["Test", "Page", "Over", "Gone", "CI"]
    assert names(kind="publishable") == ["Page"]
    assert names(environment="TEST") == ["Test"]
    assert names(state="active", o="name") == ["CI", "Page", "Test"]
    assert names(state=["expired", "revoked"], o="name") == ["Gone", "Over"]
    assert names(query=page["last4"]) == ["Page"]
    assert names(name="es") == ["Test"]
    assert names(expires_before=test["expires_at"][:10], o="name") == ["CI", "Gone", "Over", "Page"]
    assert names(created_before="2020-01-01") == []
    for bad in ({"state": "new"}, {"kind": "session"}, {"o": "key_sha256"}, {"created": "x"}):
        answer = buyer.get(keys(shop), **bad)
        assert (answer.status_code, list(answer.json())) == (400, list(bad))
    assert ok(buyer.get(keys(shop), page_size=2, page=3))[0]["name"] == "CI"


def test_who_may_do_what(shop: Shop) -> None:
    world, member = shop.world, project_member(shop.world)
    page = made(shop, kind="publishable", allowed_origins=[PAGE])
    detail = f"{keys(shop)}{page['uuid']}/"
    embed = f"{shop.config}widget-embed/"
    for api, seen, written, shown in (
        (world.operator.api, 200, 403, 403),
        (member, 403, 403, 403),
        (world.provider.api, 404, 404, 404),
        (world.stranger.api, 404, 404, 404),
        (world.visitor, 401, 401, 401),
    ):
        assert api.get(keys(shop)).status_code == seen
        assert api.get(detail).status_code == seen
        assert api.post(keys(shop), {}).status_code == written  # before the body is read
        assert api.post(f"{detail}rotate/", {"overlap_seconds": -1}).status_code == written
        assert api.get(embed).status_code == shown
    for api, status in ((member, 403), (world.stranger.api, 404), (world.operator.api, 204)):
        assert api.delete(detail).status_code == status
    assert grant_of(page).state == "revoked"


def test_a_key_of_another_agent_is_none_of_this_one(shop: Shop) -> None:
    path = f"{CONFIGS}{'0' * 32}/api-keys/"
    assert shop.world.buyer.api.get(path).status_code == 404
    for method in ("get", "delete"):
        assert getattr(shop.world.buyer.api, method)(f"{keys(shop)}{'0' * 32}/").status_code == 404
    assert shop.world.buyer.api.post(f"{keys(shop)}{'0' * 32}/rotate/", {}).status_code == 404


def test_rotation_keeps_the_terms(shop: Shop) -> None:
    limits_of(shop, requests_per_minute=50)
    old = made(
        shop,
        kind="publishable",
        environment="test",
        scopes=["agent:invoke"],
        allowed_origins=[PAGE],
        allowed_ips=["203.0.113.7"],
        limits={"requests_per_minute": 15},
        expires_at=(clock.now() + timedelta(days=10)).isoformat(),
    )
    limits_of(shop, requests_per_minute=10)
    new = ok(shop.world.buyer.api.post(f"{keys(shop)}{old['uuid']}/rotate/", {"overlap_seconds": 60}), 201)
    same = ("name", "kind", "environment", "scopes", "allowed_origins", "allowed_ips", "prefix")
    assert {name: new[name] for name in same} == {name: old[name] for name in same}
    assert new["limits"] == {"requests_per_minute": 10}  # the plan has become tighter
    assert new["key"] != old["key"]
    grant, before = grant_of(new), grant_of(old)
    assert grant.expires_at is not None
    assert timedelta(days=9) < grant.expires_at - clock.now() <= timedelta(days=10)
    assert before.accept_until is not None
    assert timedelta(0) < before.accept_until - clock.now() <= timedelta(seconds=60)
    assert (before.state, grant.state, grant.accept_until) == ("active", "active", None)
    again = shop.world.buyer.api.post(f"{keys(shop)}{old['uuid']}/rotate/", {})
    assert (again.status_code, again.json()["code"]) == (409, "wrong_state")
    at_once = ok(shop.world.buyer.api.post(f"{keys(shop)}{new['uuid']}/rotate/", {}), 201)
    assert (grant_of(new).state, grant_of(at_once).state) == ("revoked", "active")


def test_publishable_keys_follow_the_agents_origins_unless_they_have_their_own(shop: Shop) -> None:
    buyer = shop.world.buyer.api
    ok(buyer.patch(shop.config, {"allowed_origins": [PAGE]}))
    following, own = (
        made(shop, kind="publishable"),
        made(shop, kind="publishable", allowed_origins=["http://a.example"]),
    )
    secret = made(shop)
    assert [grant_of(key).allowed_origins for key in (following, own, secret)] == [
        [PAGE],
        ["http://a.example"],
        [],
    ]
    ok(buyer.patch(shop.config, {"allowed_origins": ["https://new.example:8443"]}))
    assert grant_of(following).allowed_origins == ["https://new.example:8443"]
    assert [grant_of(key).allowed_origins for key in (own, secret)] == [["http://a.example"], []]
    ok(buyer.patch(shop.config, {"allowed_origins": []}))
    assert grant_of(following).allowed_origins == []  # no page at all


def test_grants_carry_the_budget(shop: Shop) -> None:
    key = made(shop)
    assert grant_of(key).budget is None
    ok(shop.world.buyer.api.patch(shop.config, {"budget": {"monthly": "12.50", "action": "notify"}}))
    budget = grant_of(key).budget
    assert {name: budget[name] for name in ("amount", "currency", "action")} == {
        "amount": "12.50",
        "currency": "USD",
        "action": "notify",
    }


def test_when_a_key_was_last_used(shop: Shop) -> None:
    key = made(shop)
    now = clock.now()

    def used(moment: Any) -> None:
        with tenancy.as_system("test"):
            grant = GrantRow.objects.get(key_id=UUID(key["uuid"]))
            with connection.cursor() as cursor:
                cursor.execute(
                    "INSERT INTO metering_usage_event (id, customer_id, provider_customer_id, project_id, resource_id,"
                    " offering_id, key_id, occurred_at, received_at, status, requests, input_tokens, output_tokens,"
                    " source, duration_ms, streamed, error_code, meters)"
                    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, 'ok', 1, 0, 0, 'none', 1, false, '', '{}')",
                    [
                        uuid7(moment),
                        grant.customer_id,
                        grant.provider_customer_id,
                        grant.project_id,
                        grant.resource_id,
                        grant.offering_id,
                        grant.key_id,
                        moment,
                        moment,
                    ],
                )

    def shown() -> Any:
        return ok(shop.world.buyer.api.get(f"{keys(shop)}{key['uuid']}/"))["last_used_at"]

    assert services.note_uses(now=now) == 0
    used(now - timedelta(seconds=30))
    used(now - timedelta(seconds=90))
    assert services.note_uses(now=now) == 1
    last = shown()
    assert last is not None
    assert services.note_uses(now=now) == 0  # nothing new
    assert services.note_uses(now=now + timedelta(hours=1)) == 0
    assert shown() == last
    with tenancy.as_system("test"):
        assert ApiKey.objects.get(pk=UUID(key["uuid"])).last_used_at == now - timedelta(seconds=30)


# -- the widget's lines


def test_the_lines_for_a_page(shop: Shop, settings: Any) -> None:
    settings.GATEWAY_URL = "https://agents.example.com"
    buyer = shop.world.buyer.api
    embed = f"{shop.config}widget-embed/"
    empty = ok(buyer.get(embed))
    assert (empty["publishable_key"], empty["html"], empty["publishable_key_uuid"]) == (None, None, None)
    ok(
        buyer.patch(
            shop.config, {"allowed_origins": [PAGE], "widget": {"theme": "dark", "title": "</script><b>"}}
        )
    )
    first = made(shop, kind="publishable")
    key = made(shop, kind="publishable", allowed_origins=["http://a.example"])
    test = made(shop, kind="publishable", environment="test")
    found = ok(buyer.get(embed))
    config_id = shop.config.rstrip("/").rsplit("/", 1)[-1]
    assert found["config_id"] == config_id
    assert (found["publishable_key"], found["publishable_key_uuid"]) == (key["key"], key["uuid"])
    assert found["allowed_origins"] == ["http://a.example"]
    assert (found["loader_url"], found["integrity"]) == ("https://agents.example.com/widget/loader.js", None)
    assert found["options"] == {"position": "bottom-right", "theme": "dark", "title": "</script><b>"}
    assert found["html"].startswith('<script src="https://agents.example.com/widget/loader.js"></script>\n')
    assert f'GSVWidget.init({{"configId": "{config_id}", "apiKey": "{key["key"]}"' in found["html"]
    assert "</script><b>" not in found["html"]
    assert found["html"].count("</script>") == 2
    assert ok(buyer.get(embed, environment="test"))["publishable_key"] == test["key"]
    named = ok(buyer.get(embed, key=first["uuid"]))
    assert (named["publishable_key"], named["allowed_origins"]) == (first["key"], [PAGE])
    buyer.delete(f"{keys(shop)}{key['uuid']}/")
    assert ok(buyer.get(embed))["publishable_key"] == first["key"]
    secret = made(shop)
    for bad in ({"key": key["uuid"]}, {"key": secret["uuid"]}, {"key": "x"}, {"environment": "prod"}):
        answer = buyer.get(embed, **bad)
        assert (answer.status_code, list(answer.json())) == (400, list(bad))


def test_what_a_buyer_writes_stays_text() -> None:
    html = snippet('https://a"b', UUID(int=0), "k", {"title": "</script>\u2028&<!--"})
    assert html.count("<") == 4
    assert "\u2028" not in html
    assert 'src="https://a&quot;b"' in html
