"""No body brings a 500: every writing endpoint against bodies of every wrong kind, every field against wrong values."""

from __future__ import annotations

import json
import re
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from tests.support.market import AGENTS, CONFIGS, OFFERINGS, ORDERS, PLAN
from tests.support.shop import Shop
from tests.support.studio import STUDIOS, stored
from tests.support.world import Api
from tests.web.test_walk import ROUTES, Things

from agentmart.identity.models import Role
from agentmart.web.urls import router

pytestmark = pytest.mark.django_db

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
DEEP = b"[" * 5000 + b"]" * 5000

BODIES: list[tuple[str, bytes]] = [
    (JSON, b""),
    (JSON, b"[]"),
    (JSON, b'["a"]'),
    (JSON, b'"text"'),
    (JSON, b"null"),
    (JSON, b"1"),
    (JSON, b"true"),
    (JSON, b"{"),
    (JSON, b"hello"),
    (JSON, b"\xff\xfe"),
    (JSON, b'{"name": NaN}'),
    (JSON, b'{"name": Infinity}'),
    (JSON, b'{"name": 1e999}'),
    (JSON, b'{"name": ' + b"9" * 401 + b"}"),
    (JSON, b'{"name": ' + b"9" * 5000 + b"}"),
    (JSON, b'{"name": "\\u0000"}'),
    (JSON, b'{"\\u0000": 1}'),
    (JSON, b'{"a": {"b": ["\\ud800"]}}'),
    (JSON, b'{"\\ud800": 1}'),
    (JSON, DEEP),
    (JSON, b'{"attributes": ' + DEEP + b"}"),
    (JSON, b"{" + b",".join(b'"k%d": 1' % number for number in range(2000)) + b"}"),
    (FORM, b"name=a&name=b"),
    (FORM, b"name=%00"),
    (FORM, b"name=%ff%fe"),
    (FORM, b"%00=1"),
    (FORM, b"&".join(b"k%d=1" % number for number in range(2000))),
    ("multipart/form-data; boundary=x", b"--x\r\n\r\nbroken"),
    ("multipart/form-data", b"no boundary"),
    (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="name"; filename="f"\r\n\r\nfile\r\n--x--\r\n',
    ),
    ("text/plain", b"hello"),
    ("application/json; charset=utf-16", '{"name": "x"}'.encode("utf-16")),
    ("application/json; charset=nonsense", b'{"name": "x"}'),
    ("nonsense", b"{}"),
]

VALUES: list[Any] = [
    None,
    True,
    -1,
    2**63 - 1,
    "",
    "x" * 5000,
    "Ünïcødé ☃ \U0001f600 \u202e\n\x01",
    "http://[",
    "NaN",
    "99999999999999999999999.99",
    "9999-12-31T23:59:59-14:00",
    [],
    [None],
    ["x"] * 2000,
    {},
    {"x": {"": [None]}},
]
BELOW: list[Any] = [None, -1, "", "x" * 5000, [], {}]
"""For what lies deeper in a body: the kinds, not every value."""


def endpoints(shop: Shop) -> list[tuple[str, str, dict[str, Any]]]:
    """Every writing endpoint with a body that is nearly right."""
    customer, project = shop.customer, shop.project
    offering = f"{OFFERINGS}{shop.sold['offering']}/"
    plan = {**PLAN, "description": "d", "currency": "USD", "max_amount": 3}
    component = {"type": "seats", "name": "Seats", "billing_type": "limit", "measured_unit": "seat"}
    member = {"user": shop.world.buyer.user.uuid, "role": Role.CUSTOMER_OWNER, "expiration_time": None}
    details = {"name": "X", "email": "a@b.example", "country": "DE", "vat_code": "1", "address": "a"}
    agent = {"name": "X", "description": "d", "tags": ["t"], "exposed": []}
    studio = {"name": "X", "backend_url": "https://studio.example.com", "api_key": "sk-x"}
    offered: dict[str, Any] = {
        "name": "X",
        "category": shop.category,
        "type": "Marketplace.Basic",
        "customer": shop.provider,
        "description": "d",
        "state": "Active",
        "shared": True,
        "billable": True,
        "plugin_options": {},
        "components": [component],
        "plans": [{**plan, "components": []}],
    }
    ordered = {
        "offering": shop.sold["offering"],
        "project": project,
        "plan": shop.sold["plan"],
        "attributes": {"name": "n"},
        "limits": {},
        "request_comment": "c",
    }
    person = {
        "username": "u",
        "email": "a@b.example",
        "first_name": "f",
        "last_name": "l",
        "password": "a good long password",
        "is_active": True,
        "is_staff": True,
    }
    key = {
        "name": "k",
        "kind": "secret",
        "environment": "live",
        "scopes": ["agent:invoke"],
        "expires_at": "2099-01-01T00:00:00Z",
    }
    return [
        ("post", "/api/users/", person),
        ("post", f"/api/users/{shop.world.stranger.user.uuid}/refresh_token/", {"x": 1}),
        ("post", "/api/customers/", {**details, "currency": "USD", "custom_code_allowed": False}),
        ("patch", customer, {**details, "currency": "USD", "custom_code_allowed": False}),
        ("post", f"{customer}add_user/", member),
        ("post", f"{customer}block/", {"reason": "r"}),
        ("post", f"{customer}unblock/", {"reason": "r"}),
        ("post", "/api/projects/", {"name": "X", "customer": customer, "description": "d"}),
        ("post", f"{project}add_user/", {**member, "role": Role.PROJECT_ADMIN}),
        ("post", "/api/marketplace-categories/", {"title": "t", "description": "d"}),
        ("post", "/api/marketplace-service-providers/", {"customer": customer}),
        ("post", OFFERINGS, offered),
        *(("post", f"{offering}{verb}/", {"x": 1}) for verb in ("activate", "unpause", "archive", "draft")),
        ("post", f"{offering}pause/", {"paused_reason": "r"}),
        ("post", "/api/marketplace-plans/", {**plan, "offering": shop.sold["offering"]}),
        ("post", ORDERS, ordered),
        ("post", f"{shop.order}reject/", {"comment": "c", "provider_rejection_comment": "c"}),
        *(
            ("post", f"{shop.order}{verb}/", {"comment": "c"})
            for verb in ("reject_by_provider", "approve", "approve_by_provider", "cancel", "retry")
        ),
        ("post", f"{shop.resource}terminate/", {"attributes": {}}),
        ("post", AGENTS, {**agent, "customer": shop.provider, "runtime": "embedded"}),
        ("patch", shop.agent, agent),
        ("post", f"{shop.agent}validate_flow/", {"flow": {"data": {"nodes": [], "edges": []}}}),
        ("post", f"{shop.agent}import_flow/", {"flow": "{}", "note": "n"}),
        (
            "post",
            f"{shop.agent}publish/",
            {
                "version": 1,
                "category": shop.category,
                "plans": [plan],
                "name": "n",
                "description": "d",
                "plugin_options": {},
            },
        ),
        ("post", STUDIOS, {**studio, "customer": shop.provider}),
        ("patch", stored(shop.world.provider.customer), studio),
        (
            "post",
            f"{stored(shop.world.provider.customer)}import_flows/",
            {"flows": [uuid4().hex], "agent": shop.agent, "note": "n"},
        ),
        ("patch", shop.config, {"name": "n", "tweaks": {"node": {"field": "x"}}}),
        ("post", f"{shop.config}api-keys/", key),
        ("post", "/api/invoices/", {"customer": customer, "year": 2026, "month": 3}),
    ]


def one_family(route: str) -> str:
    """A route under the one name of the three that offerings have: the code behind them is the same."""
    return re.sub(r"marketplace-(public|provider)-offerings", "marketplace-offerings", route)


def resolve(method: str, path: str) -> tuple[str, str]:
    """The router's route behind a path."""
    for pattern in router.urls:
        if pattern.pattern.match(path.removeprefix("/api/")):
            return method, one_family(str(pattern.pattern))
    raise AssertionError(path)


class Hostile:
    """Sends raw bodies as the person whose task it is, and notes every answer of the wrong form."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.client = Client(raise_request_exception=False)
        self.wrong: list[Any] = []

    def person(self, path: str) -> Api:
        """Who may write there: others are refused before the body is read."""
        world = self.shop.world
        if path.startswith((AGENTS, self.shop.agent)):
            return world.provider.api
        return world.buyer.api if path.startswith(CONFIGS) else world.operator.api

    def send(self, method: str, path: str, content_type: str, body: bytes) -> None:
        """Send, and look at the answer."""
        headers = dict(self.person(path)._headers)
        answer = self.client.generic(method.upper(), path, body, content_type, headers=headers)
        if not well_formed(answer):
            self.wrong.append((method, path, content_type, body[:200], answer.status_code, answer.content))


def well_formed(answer: Any) -> bool:
    """Whether an answer has the form that the contract gives its status."""
    if answer.status_code >= 500 or "X-Request-Id" not in answer:
        return False
    if answer.status_code == 204:
        return not answer.content
    if answer["Content-Type"] != JSON:
        return False
    content = answer.json()
    if answer.status_code == 400:
        return isinstance(content, dict) and "detail" not in content and all(map(_told, content.values()))
    if answer.status_code > 400:
        return set(content) - {"extra"} == {"detail", "code"}
    return True


def _told(messages: Any) -> bool:
    """Whether a field has at least one message, or has fields below that have."""
    return bool(messages) and isinstance(messages, list | dict)


def test_bodies_of_every_wrong_kind(shop: Shop) -> None:
    hostile = Hostile(shop)
    for method, path, _ in endpoints(shop):
        for content_type, body in BODIES:
            hostile.send(method, path, content_type, body)
    assert hostile.wrong == []


@pytest.mark.slow
@pytest.mark.walk
@pytest.mark.parametrize("part", range(4))
def test_bodies_of_every_wrong_kind_at_every_other_address(shop: Shop, part: int) -> None:
    hostile, things = Hostile(shop), Things(shop)
    covered = {resolve(method, path) for method, path, _ in endpoints(shop)}
    others = [
        (method, things.address(path, viewset))
        for found in ROUTES.values()
        for path, method, viewset in found
        if method in ("post", "put", "patch")
    ]
    asked = [(method, path) for method, path in others if resolve(method, path) not in covered][part::4]
    for method, path in asked:
        for content_type, body in BODIES[::2]:
            hostile.send(method, path, content_type, body)
    assert len(asked) >= 10
    assert hostile.wrong == []


@pytest.mark.parametrize("part", range(4))
def test_fields_of_every_wrong_type(shop: Shop, part: int) -> None:
    hostile = Hostile(shop)
    for method, path, body in endpoints(shop)[part::4]:
        for changed in mutations(body):
            hostile.send(method, path, JSON, json.dumps(changed).encode())
    assert hostile.wrong == []


def mutations(body: Any, values: list[Any] = VALUES) -> list[Any]:
    """The body with one value after the other replaced, at every depth; only the first item of a list."""
    if isinstance(body, dict):
        return [
            {**body, name: changed} for name in body for changed in [*values, *mutations(body[name], BELOW)]
        ]
    if isinstance(body, list) and body:
        return [[changed, *body[1:]] for changed in [*values, *mutations(body[0], BELOW)]]
    return []
