"""The fixed cast of API tests: an operator, a provider, a buyer and a stranger, each with a client."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.test import Client

from agentmart.identity import services as identity
from agentmart.identity.models import Customer, Project, Role, User
from agentmart.infra import tenancy

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


class Api:
    """A person's REST client: JSON in, (status, body) kept on the response."""

    def __init__(self, token: str | None = None) -> None:
        self._client = Client()
        self._headers = {"Authorization": f"Token {token}"} if token else {}

    def get(self, path: str, **query: Any) -> Any:
        return self._client.get(path, query, headers=self._headers)

    def post(self, path: str, body: Any = None) -> Any:
        return self._client.post(path, body or {}, content_type="application/json", headers=self._headers)

    def put(self, path: str, body: Any) -> Any:
        return self._client.put(path, body, content_type="application/json", headers=self._headers)

    def head(self, path: str, **query: Any) -> Any:
        return self._client.head(path, query, headers=self._headers)

    def patch(self, path: str, body: Any) -> Any:
        return self._client.patch(path, body, content_type="application/json", headers=self._headers)

    def delete(self, path: str) -> Any:
        return self._client.delete(path, headers=self._headers)


@dataclass
class Person:
    """A person with the customer (and project) they own."""

    user: User
    api: Api
    customer: Customer | None = None
    project: Project | None = None


@dataclass
class World:
    """The cast."""

    operator: Person
    provider: Person
    buyer: Person
    stranger: Person
    visitor: Api


def _person(name: str, *, owns: str = "", **flags: bool) -> Person:
    with tenancy.as_system("test") as actor:
        user = identity.create_user(actor=actor, now=NOW, username=name, **flags)
        token = identity.refresh_token(user, actor=actor, now=NOW)
        if not owns:
            return Person(user, Api(token))
        customer = identity.create_customer(actor=actor, now=NOW, name=owns, currency="USD")
        project = identity.create_project(actor=actor, now=NOW, customer=customer, name=f"{owns} project")
        identity.add_member(actor=actor, now=NOW, user=user, role=Role.CUSTOMER_OWNER, customer=customer)
        return Person(user, Api(token), customer, project)


def make_world() -> World:
    """Create the cast in the open transaction."""
    identity.install(now=NOW, operator_name="Operator Inc", currency="USD")
    return World(
        operator=_person("olga", is_staff=True),
        provider=_person("petra", owns="Provider GmbH"),
        buyer=_person("boris", owns="Buyer Ltd"),
        stranger=_person("sam", owns="Stranger SA"),
        visitor=Api(),
    )
