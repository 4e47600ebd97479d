"""The unmodified waldur-api-client against a running site, by the names of its operations."""

from __future__ import annotations

import importlib
import pkgutil
import typing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import waldur_api_client.api
from tests.support.waiting import until
from waldur_api_client import AuthenticatedClient
from waldur_api_client.errors import UnexpectedStatus

PACKAGES = sorted((found.name for found in pkgutil.iter_modules(waldur_api_client.api.__path__)), key=len)


@cache
def operation(name: str) -> Any:
    """The client's module of an operation (`marketplace_orders_create`)."""
    for package in reversed(PACKAGES):
        if name.startswith(package):
            try:
                return importlib.import_module(f"waldur_api_client.api.{package}.{name}")
            except ModuleNotFoundError:
                continue
    raise LookupError(name)


@dataclass(frozen=True)
class Site:
    """Where the installation answers, its operator's token, and its data folder."""

    url: str
    staff: str
    folder: Path
    clients: list[Waldur] = field(default_factory=list)

    def client(self, token: str) -> Waldur:
        """A person's client."""
        self.clients.append(Waldur(self.url, token))
        return self.clients[-1]

    def hang_up(self) -> None:
        """Close all connections."""
        while self.clients:
            self.clients.pop().client.get_httpx_client().close()


class Waldur:
    """One person's Waldur client: `person("customers_create", body={…})` returns what the client parsed."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.token = token
        self.client = AuthenticatedClient(
            base_url=url,
            token=token,
            prefix="Token",
            timeout=httpx.Timeout(30),
        )

    def answer(self, name: str, *arguments: Any, body: dict[str, Any] | None = None, **filters: Any) -> Any:
        """The client's detailed answer: status_code, headers, parsed."""
        module = operation(name)
        if body is not None:
            filters["body"] = _body_class(name).from_dict(body)
        return module.sync_detailed(*arguments, client=self.client, **filters)

    def __call__(self, name: str, *arguments: Any, body: dict[str, Any] | None = None, **filters: Any) -> Any:
        return self.answer(name, *arguments, body=body, **filters).parsed

    def all(self, name: str, *arguments: Any, **filters: Any) -> list[Any]:
        """Every row of every page."""
        rows: list[Any] = operation(name).sync_all(*arguments, client=self.client, **filters)
        return rows

    async def later(self, name: str, *arguments: Any, **filters: Any) -> Any:
        """The same call, awaited."""
        client = AuthenticatedClient(base_url=self.url, token=self.token, prefix="Token")
        async with client:
            return await operation(name).asyncio(*arguments, client=client, **filters)

    def refused(self, name: str, *arguments: Any, **more: Any) -> int:
        """The status of a call that must be refused."""
        try:
            answer = self.answer(name, *arguments, **more)
        except UnexpectedStatus as error:
            return int(error.status_code)
        assert answer.status_code == 409, f"{name} was not refused: {answer.status_code} {answer.content!r}"
        return int(answer.status_code)

    def http(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """A plain request, for what Waldur's client has no operation for."""
        headers = {"Authorization": f"Token {self.token}"}
        return httpx.request(method, f"{self.url}{path}", json=body, headers=headers, timeout=30)

    def ok(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        """The body of a plain request's answer, which must have this status."""
        answer = self.http(method, path, body)
        assert answer.status_code == status, (method, path, answer.status_code, answer.text[:600])
        return answer.json() if answer.content else None


@cache
def _body_class(name: str) -> Any:
    """The class that reads an operation's JSON body, the first where it takes forms too."""
    annotated = typing.get_type_hints(operation(name).sync_detailed)["body"]
    return (typing.get_args(annotated) or (annotated,))[0]


@dataclass
class Party:
    """People with customers of their own, as one test's cast."""

    site: Site
    number: int
    staff: Waldur
    provider: Waldur
    buyer: Waldur
    stranger: Waldur
    selling: Any  # customers, as the client parsed them
    buying: Any
    foreign: Any
    project: Any
    category: Any

    @staticmethod
    def gather(site: Site, number: int) -> Party:
        """Register everybody over REST, by the operator."""
        staff = site.client(site.staff)
        people = {}
        for role, company in (("petra", "Provider"), ("boris", "Buyer"), ("sam", "Stranger")):
            customer = staff("customers_create", body={"name": f"{company} {number}"})
            body = {"username": f"{role}{number}", "email": f"{role}{number}@example.com"}
            user = staff("users_create", body=body)
            role_of = {"role": "CUSTOMER.OWNER", "user": user.uuid.hex}
            staff("customers_add_user", customer.uuid, body=role_of)
            token = staff("users_refresh_token", user.uuid).additional_properties.get("token")
            token = token or staff.ok("POST", f"/api/users/{user.uuid.hex}/refresh_token/")["token"]
            people[role] = (site.client(token), customer)
        buyer, buying = people["boris"]
        project = staff("projects_create", body={"name": f"Project {number}", "customer": buying.url})
        return Party(
            site=site,
            number=number,
            staff=staff,
            provider=people["petra"][0],
            buyer=buyer,
            stranger=people["sam"][0],
            selling=people["petra"][1],
            buying=buying,
            foreign=people["sam"][1],
            project=project,
            category=staff("marketplace_categories_create", body={"title": f"AI {number}"}),
        )

    def offering(self, **details: Any) -> Any:
        """An active offering of the provider: a base fee, requests by use, seats by limit, one plan."""
        body = {
            "name": f"Agent {self.number}",
            "category": self.category.url,
            "customer": self.selling.url,
            "type": "GSVAgents.Agent",
            "components": [
                {"type": "seats", "name": "Seats", "measured_unit": "seat", "billing_type": "limit"},
                {"type": "storage", "name": "Storage", "measured_unit": "GB", "billing_type": "usage"},
            ],
            "plugin_options": {"require_provider_approval": True},
            **details,
        }
        offering = self.staff("marketplace_provider_offerings_create", body=body)
        self.plan(offering)
        self.staff("marketplace_provider_offerings_activate", offering.uuid)
        return self.staff("marketplace_provider_offerings_retrieve", offering.uuid)

    def plan(self, offering: Any, name: str = "Professional", **prices: str) -> Any:
        """One more plan of an offering."""
        plan = self.staff(
            "marketplace_plans_create",
            body={"name": name, "offering": offering.url, "unit_price": "99.00", "unit": "month"},
        )
        given = {"seats": "5.00", "storage": "0.02", **prices}
        self.staff("marketplace_plans_update_prices", plan.uuid, body={"prices": given})
        return self.staff("marketplace_plans_retrieve", plan.uuid)

    def plan_of(self, offering: Any, name: str = "Professional") -> Any:
        """The plan of an offering by its name."""
        rows = self.staff("marketplace_plans_list", offering_uuid=offering.uuid)
        (found,) = [row for row in rows if row.name == name]
        return found

    def order(
        self, offering: Any, *, by: Waldur | None = None, name: str = "My agent", **details: Any
    ) -> Any:
        """An order of the buyer, not yet approved by the provider."""
        body = {
            "offering": offering.url,
            "project": self.project.url,
            "plan": self.plan_of(offering).url,
            "attributes": {"name": name},
            "limits": {"seats": 3},
            "accepting_terms_of_service": True,
            **details,
        }
        return (by or self.buyer)("marketplace_orders_create", body=body)

    def resource(self, offering: Any, **details: Any) -> Any:
        """A running resource of the buyer."""
        order = self.order(offering, **details)
        self.staff("marketplace_orders_approve_by_provider", order.uuid, body={})
        self.finished(order.uuid)
        return self.staff("marketplace_resources_retrieve", order.marketplace_resource_uuid)

    def finished(self, order: Any) -> Any:
        """The order, once the worker has carried it out."""
        until(lambda: self.staff("marketplace_orders_retrieve", order).state not in ("executing",), 30)
        return self.staff("marketplace_orders_retrieve", order)
