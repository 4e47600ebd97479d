"""Keys bound to networks, behind proxies or not; what calls with a test key count; nothing secret is ever told."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from tests.gateway.support import Answer, Exchange, World, call, get, issue

from agentmart.contracts.places import (
    client_address,
    is_within,
    read_address,
    read_network,
    read_networks,
    read_origin,
)
from agentmart.gateway.app import create_app
from agentmart.gateway.settings import KeySettings, SessionSettings

INSIDE = "203.0.113.0/24"


async def invoke(app: Any, key: str, client: str, **headers: str) -> Answer:
    sent = {"authorization": f"Bearer {key}", **{n.replace("_", "-"): v for n, v in headers.items()}}
    exchange = Exchange(app, "POST", "/api/agent-gateway/invoke/", sent, b'{"input": "x"}', client=client)
    await exchange.task
    return exchange.answer


@pytest.mark.parametrize(
    ("networks", "client", "status"),
    [
        ((INSIDE,), "203.0.113.7", 200),
        ((INSIDE,), "203.0.114.7", 403),
        ((INSIDE,), "::ffff:203.0.113.7", 200),
        ((INSIDE,), "2001:db8::1", 403),
        ((INSIDE, "2001:db8::/32"), "2001:db8:1::1", 200),
        (("2001:db8::1",), "2001:db8::2", 403),
        ((INSIDE,), "", 403),
        ((), "198.51.100.1", 200),
    ],
)
async def test_a_key_works_from_its_networks_only(
    world: World, networks: tuple[str, ...], client: str, status: int
) -> None:
    issued = await world.issue(allowed_ips=networks)
    answer = await invoke(world.app, issued.key, client)
    assert answer.status == status
    if status == 403:
        assert answer.json()["code"] == "address_not_allowed"
        assert not world.runtime.requests
    # what a client says of itself is not believed
    forwarded = await invoke(world.app, issued.key, client, x_forwarded_for="203.0.113.7, 2001:db8::1")
    assert forwarded.status == status


async def test_behind_trusted_proxies_the_client_is_who_they_say(world: World) -> None:
    issued = await world.issue(allowed_ips=(INSIDE,))
    values = {name: getattr(world.settings, name) for name in world.settings.__slots__}
    app = create_app(
        type(world.settings)(**{**values, "trusted_proxies": read_networks("10.0.0.0/8, ::1")}),
        runtimes={"scripted": world.runtime},
    )
    await app.startup()
    try:
        for client, forwarded, status in (
            ("10.0.0.1", "203.0.113.7", 200),
            ("10.0.0.1", "198.51.100.1, 203.0.113.7, 10.9.9.9", 200),
            ("10.0.0.1", "203.0.113.7, 198.51.100.1", 403),  # the first was written by the client itself
            ("198.51.100.1", "203.0.113.7", 403),
            ("10.0.0.1", "nonsense", 403),
            ("::1", "[2001:db8::1]:80, 203.0.113.7:4711", 200),
        ):
            assert (await invoke(app, issued.key, client, x_forwarded_for=forwarded)).status == status
    finally:
        await app.shutdown()


def test_several_forwarded_headers_are_one_list() -> None:
    trusted = read_networks("10.0.0.0/8")
    assert str(client_address("10.0.0.1", ["203.0.113.7", "198.51.100.1"], trusted)) == "198.51.100.1"
    assert str(client_address("10.0.0.1", ["203.0.113.7", "10.0.0.2"], trusted)) == "203.0.113.7"
    assert str(client_address("10.0.0.1", [], trusted)) == "10.0.0.1"
    assert client_address("unix", ["203.0.113.7"], trusted) is None


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("HTTPS://A.Example/", "https://a.example"),
        ("https://a.example:443", "https://a.example"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://a.example:0080", "http://a.example"),
        ("http://[::0001]:8080", "http://[::1]:8080"),
    ],
)
def test_origins_have_one_form(given: str, kept: str) -> None:
    assert read_origin(given) == kept


@pytest.mark.parametrize(
    "given",
    [
        *(
            "*",
            "null",
            "https://*.a.example",
            "a.example",
            "ftp://a.example",
            "https://a.example/x",
            "https://a..b",
        ),
        *(
            "https://a:0",
            "https://a:99999",
            "https://u@a.example",
            "https://a.example?x",
            "https://[::g]",
            "",
            "https://",
        ),
        *("https://-a.example", "https://a b.example", "https://a.example\n"[:-1] + "\x00"),
    ],
)
def test_what_is_no_origin(given: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        read_origin(given)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7/32", "203.0.113.7"),
        ("203.0.113.0/255.255.255.0", INSIDE),
        ("2001:0db8::/32", "2001:db8::/32"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
    ],
)
def test_networks_have_one_form(given: str, kept: str) -> None:
    assert read_network(given) == kept


@pytest.mark.parametrize(
    "given", ["", "x", "203.0.113.7/24", "1.2.3", "1.2.3.4/33", "fe80::1%eth0", "01.2.3.4", "/8"]
)
def test_what_is_no_network(given: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        read_network(given)


def test_an_unknown_address_is_in_no_network() -> None:
    assert not is_within(read_address("x"), (INSIDE, "0.0.0.0/0"))


async def test_calls_with_a_test_key_are_outside_of_any_plan(world: World) -> None:
    live = await world.issue()
    test = await world.issue(environment="test", plan_id=live.grant.plan_id)
    for issued in (live, test):
        assert (await call(world.app, {"input": "count x"}, issued.key)).status == 200
    rows = {row["key_id"]: row for row in await world.store.events()}
    assert rows[live.grant.key_id]["plan_id"] == live.grant.plan_id
    assert rows[test.grant.key_id]["plan_id"] is None
    assert rows[test.grant.key_id]["requests"] == 1
    plans = {str(row["plan_key"]) for row in await world.store.hours()}
    assert plans == {str(live.grant.plan_id), "00000000-0000-0000-0000-000000000000"}


async def test_nothing_secret_is_logged_or_told(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    good, page = (
        await world.issue(),
        await world.issue(kind="publishable", allowed_origins=("https://a.example",)),
    )
    bound = await world.issue(allowed_ips=("192.0.2.1",))
    forged = issue().key[:-4] + "AAAA"
    answers = [await call(world.app, {"input": "x"}, key) for key in (good.key, forged, bound.key, page.key)]
    answers.append(await call(world.app, {"input": "x"}, good.key, origin="https://a.example"))
    answers.append(await call(world.app, b"{", good.key))
    answers.append(await call(world.app, {"input": "bug"}, good.key))
    opened = await call(
        world.app,
        {"config_id": page.grant.config_id.hex},
        page.key,
        path="/api/agent-gateway/sessions/",
        origin="https://a.example",
    )
    token = opened.json()["token"]
    answers.append(await call(world.app, {"input": "x"}, token, origin="https://b.example"))
    answers.append(await get(world.app, "/metrics"))
    answers.append(await get(world.app, "/api/agent-gateway/health/"))
    told = caplog.text + "".join(str(vars(record)) for record in caplog.records)
    told += "".join(f"{answer.headers}{answer.body!r}" for answer in answers)
    texts = [
        good.key,
        forged,
        bound.key,
        page.key,
        token,
        world.settings.keys.secret,
        world.settings.sessions.secrets[0],
    ]
    for text in texts:
        assert text not in told
        assert text.rsplit(".", 1)[-1] not in told  # the signature
    assert good.grant.key_id.hex in told  # the search would find something
    for secret in (
        repr(world.settings),
        repr(KeySettings(secret="s3cret")),
        repr(SessionSettings(secrets=("s3cret",))),
    ):
        assert "s3cret" not in secret
        assert world.settings.keys.secret not in secret
