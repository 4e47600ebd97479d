"""How the catalogue's rows are answered: plain functions that build JSON, since lists hold hundreds of parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID

from agentmart.catalog.models import FileKind, Offering
from agentmart.catalog.selectors import Parts, Row
from agentmart.catalog.states import OfferingState
from agentmart.infra.addresses import Addresses
from agentmart.infra.readers import moment_text
from agentmart.kit.money import money_text

ZERO = Decimal(0)
PLAN_TYPES = {
    "fixed": "fixed",
    "usage": "usage-based",
    "limit": "limit",
    "one": "one-time",
    "few": "on-plan-switch",
}
EMPTY_OPTIONS: dict[str, Any] = {"order": [], "options": {}}


@lru_cache(maxsize=8192)
def shown_price(text: str, currency: str) -> str:
    """Return a stored price with at least the currency's places."""
    return money_text(Decimal(text), currency)


def number(value: Decimal | None) -> int | float | None:
    """Return an amount as a JSON number."""
    if value is None:
        return None
    return int(value) if value == value.to_integral_value() else float(value)


def unit_price(price: Mapping[str, Any]) -> str | None:
    """Return the stored price of one unit (of the first tier where there are tiers), None for a percentage."""
    if "price" in price:
        text: str = price["price"]
        return text
    tiers = price.get("tiers")
    return tiers[0]["unit_price"] if tiers else None


def price_now(row: Row, today: date) -> tuple[dict[str, Any], int]:
    """Return the price and amount of a plan component that are in force."""
    if row["next_from"] is not None and today >= row["next_from"]:
        return row["next_price"], row["next_amount"] or 0
    return row["price"], row["amount"]


def next_unit_price(row: Row, today: date, currency: str) -> str | None:
    """Return the price of one unit from the next period on, None where none is announced."""
    if row["next_from"] is None or today >= row["next_from"]:
        return None
    text = unit_price(row["next_price"])
    return None if text is None else shown_price(text, currency)


def plan_component(row: Row, today: date, currency: str) -> dict[str, Any]:
    """Return what one component costs in a plan, as part of the plan."""
    component = row["component"]
    price, amount = price_now(row, today)
    shown = {
        "uuid": row["id"].hex,
        "id": row["number"],
        "type": component["type"],
        "name": component["name"],
        "measured_unit": component["measured_unit"],
        "billing_type": component["billing_type"],
        **price,
        "amount": amount,
        "future_price": next_unit_price(row, today, currency),
        "discount_aggregation": "resource",
    }
    if component["limit_period"]:
        shown["limit_period"] = component["limit_period"]
    if row["next_from"] is not None and today < row["next_from"]:
        shown["future_from"] = row["next_from"].isoformat()
        shown["future"] = row["next_price"]
    return shown


class _Sums:
    """What a plan's prices add up to."""

    def __init__(self) -> None:
        self.by_kind = dict.fromkeys(PLAN_TYPES, ZERO)
        self.charged: set[str] = set()

    def add(self, component: Row, price: Mapping[str, Any], text: str | None) -> None:
        """Add one component's price; `text` is its price of a unit, None for a percentage."""
        billing_type = component["billing_type"]
        value = ZERO if text is None else Decimal(text)
        if value or text is None or price.get("tiers"):
            self.charged.add(billing_type)
        if value:
            units = (
                component["min_value"] or 1 if billing_type == "limit" else Decimal(price.get("amount", 1))
            )
            self.by_kind[billing_type] += value * units

    @property
    def plan_type(self) -> str:
        """Return how the plan is billed altogether; what is free counts as fixed."""
        if len(self.charged) > 1:
            return "mixed"
        return PLAN_TYPES[next(iter(self.charged))] if self.charged else "fixed"

    @property
    def least(self) -> Decimal:
        """Return what the first period costs whoever uses nothing."""
        return self.by_kind["fixed"] + self.by_kind["limit"] + self.by_kind["one"]


def plan_answer(plan: Row, addresses: Addresses, today: date) -> dict[str, Any]:
    """Return a plan with its prices."""
    currency = plan["currency"]
    prices: dict[str, str] = {}
    future: dict[str, str] = {}
    quotas: dict[str, int] = {}
    sums = _Sums()
    for row in plan["prices"]:
        kind = row["component"]["type"]
        price, quotas[kind] = price_now(row, today)
        text = unit_price(price)
        sums.add(row["component"], price, text)
        if text is not None:
            prices[kind] = shown_price(text, currency)
        coming = next_unit_price(row, today, currency)
        if coming is not None:
            future[kind] = coming
    return {
        "url": addresses.of("marketplace-plan-detail", plan["id"]),
        "uuid": plan["id"].hex,
        "name": plan["name"],
        "description": plan["description"],
        "article_code": plan["article_code"],
        "max_amount": plan["max_amount"],
        "archived": plan["archived"],
        "pending": plan["pending"],
        "is_active": not plan["archived"],
        "billing_mode": plan["billing_mode"],
        "unit": plan["unit"],
        "interval_count": plan["interval_count"],
        "unit_price": prices.get("base") or shown_price("0", currency),
        "currency": currency,
        "init_price": number(sums.by_kind["one"]),
        "switch_price": number(sums.by_kind["few"]),
        "minimal_price": money_text(sums.least, currency),
        "plan_type": sums.plan_type,
        "backend_id": plan["backend_id"],
        "organization_groups": [],
        "components": [plan_component(row, today, currency) for row in plan["prices"]],
        "prices": prices,
        "future_prices": future,
        "quotas": quotas,
        "limits": plan["limits"],
        "resources_count": plan["resources_count"],
        "offering": addresses.of("marketplace-offering-detail", plan["offering_id"]),
        "offering_uuid": plan["offering_id"].hex,
    }


def component_answer(row: Row) -> dict[str, Any]:
    """Return a component of an offering."""
    return {
        "uuid": row["id"].hex,
        "offering_uuid": row["offering_id"].hex,
        "type": row["type"],
        "name": row["name"],
        "description": row["description"],
        "measured_unit": row["measured_unit"],
        "billing_type": row["billing_type"],
        "limit_period": row["limit_period"] or None,
        "limit_amount": number(row["limit_amount"]),
        "min_value": number(row["min_value"]),
        "max_value": number(row["max_value"]),
        "max_available_limit": number(row["max_available_limit"]),
        "default_limit": number(row["default_limit"]),
        "unit_factor": 1,
        "is_boolean": row["is_boolean"],
        "is_builtin": row["is_builtin"],
        "is_prepaid": False,
        "article_code": row["article_code"],
    }


@dataclass(frozen=True, slots=True)
class ShownParts:
    """An offering's components and plans as they are answered; nobody changes these objects."""

    components: list[dict[str, Any]]
    plans: list[dict[str, Any]]  # with `resources_count` 0: see `counted`
    plan_ids: tuple[UUID, ...]
    classification: str

    @property
    def weight(self) -> int:
        """Return how many parts these are."""
        return 1 + len(self.components) + sum(1 + len(plan["components"]) for plan in self.plans)

    def counted(self, resources: Mapping[UUID, int]) -> list[dict[str, Any]]:
        """Return the plans with the number of live resources under each."""
        found = zip(self.plan_ids, self.plans, strict=True)
        return [
            {**plan, "resources_count": resources[key]} if key in resources else plan for key, plan in found
        ]


def shown_parts(parts: Parts, addresses: Addresses, today: date) -> ShownParts:
    """Return an offering's parts as they are answered."""
    return ShownParts(
        [component_answer(row) for row in parts.components],
        [plan_answer(plan, addresses, today) for plan in parts.plans],
        tuple(plan["id"] for plan in parts.plans),
        _classification(parts.components),
    )


def offering_answer(
    offering: Offering,
    parts: ShownParts,
    plans: list[dict[str, Any]],
    addresses: Addresses,
    *,
    managed: bool,
    secrets: bool,
    money: bool,
) -> dict[str, Any]:
    """Return an offering: everybody's view, with more for those who manage it, with secrets for those who may."""
    shown: dict[str, Any] = {
        **_texts(offering),
        **_place_and_pictures(offering, addresses),
        "url": addresses.of("marketplace-offering-detail", offering.id),
        "uuid": offering.id.hex,
        "created": moment_text(offering.created),
        "modified": moment_text(offering.modified),
        "customer": addresses.of("customer-detail", offering.customer_id),
        "customer_uuid": offering.customer_id.hex,
        "customer_name": offering.customer_name,  # type: ignore[attr-defined]  # selectors.shown_offerings
        "category": addresses.of("marketplace-category-detail", offering.category_id),
        "category_uuid": offering.category_id.hex,
        "category_title": offering.category_title,  # type: ignore[attr-defined]
        "attributes": offering.attributes,
        "options": offering.options or EMPTY_OPTIONS,
        "resource_options": offering.resource_options or EMPTY_OPTIONS,
        "plugin_options": offering.plugin_options,
        "components": parts.components,
        "plans": plans if managed else [plan for plan in plans if not plan["pending"]],
        "state": offering.state,
        "review": offering.review,
        "paused_reason": offering.paused_reason,
        "type": offering.type,
        "shared": offering.shared,
        "billable": offering.billable,
        "is_orderable": offering.state == OfferingState.ACTIVE
        and any(not plan["archived"] for plan in plans),
        "backend_id": offering.backend_id,
        "backend_metadata": offering.backend_metadata,
        **_files(offering, addresses),
        "tags": [{"name": tag} for tag in offering.tags],
        "organization_groups": [],
        "endpoints": [],
        "quotas": [],
        "order_count": offering.order_count,  # type: ignore[attr-defined]  # as above
        "total_customers": offering.total_customers,  # type: ignore[attr-defined]
        **_figures(offering, shown=money),
        "agent_uuid": offering.agent_id.hex if offering.agent_id else None,
        "flow_version": offering.version,
        "custom_code": offering.custom_code,
        "billing_type_classification": parts.classification,
    }
    if managed:
        _add_private(shown, offering, secrets=secrets)
    return shown


def _figures(offering: Any, *, shown: bool) -> dict[str, Any]:
    """Return what an offering has brought in (`billing.OfferingFigures` says how), nothing for who may not know."""
    known = shown and offering.figures_currency is not None
    return {
        "total_cost": number(offering.total_cost) if known else None,
        "total_cost_estimated": number(offering.total_cost_estimated) if known else None,
        "total_cost_currency": offering.figures_currency if known else None,
    }


def _texts(offering: Offering) -> dict[str, str]:
    """Return what an offering says of itself."""
    return {
        "name": offering.name,
        "slug": offering.slug,
        "description": offering.description,
        "full_description": offering.full_description,
        "privacy_policy_link": offering.privacy_policy_link,
        "helpdesk_url": offering.helpdesk_url,
        "documentation_url": offering.documentation_url,
        "access_url": offering.access_url,
        "vendor_details": offering.vendor_details,
        "getting_started": offering.getting_started,
        "integration_guide": offering.integration_guide,
    }


def _place_and_pictures(offering: Offering, addresses: Addresses) -> dict[str, Any]:
    """Return where an offering is given, and the addresses of its pictures."""
    return {
        "country": offering.country,
        "latitude": offering.latitude,
        "longitude": offering.longitude,
        "image": _picture(offering, "image", addresses),
        "thumbnail": _picture(offering, "thumbnail", addresses),
    }


def _add_private(shown: dict[str, Any], offering: Offering, *, secrets: bool) -> None:
    """Add what only those who manage an offering read."""
    private = getattr(offering, "private", None)
    if private is None:
        return
    shown["backend_id_rules"] = private.backend_id_rules
    shown["pending_version"] = private.revision.get("version")
    shown["pending_details"] = private.revision.get("details", {})
    shown["review_comment"] = private.review_comment
    if secrets:
        shown["secret_options"] = private.secret_options
        shown["service_attributes"] = private.service_attributes


def _picture(offering: Offering, kind: str, addresses: Addresses) -> str | None:
    """Return the address of a picture; it names the picture itself, so that a new one is not taken for the old."""
    uuid = getattr(offering, kind)
    if uuid is None:
        return None
    return f"{addresses.of('marketplace-public-offering-detail', offering.id)}{kind}/?v={uuid.hex[-8:]}"


def _files(offering: Any, addresses: Addresses) -> dict[str, list[dict[str, Any]]]:
    """Return the screenshots and files of an offering."""
    screenshots, files = [], []
    for row in offering.shown_files:
        key = UUID(row["id"])
        moment = moment_text(datetime.fromisoformat(row["created"]))
        shown = {"uuid": key.hex, "name": row["name"], "created": moment}
        if row["kind"] == FileKind.SCREENSHOT:
            image = f"{addresses.of('marketplace-screenshot-detail', key)}image/"
            shown |= {"description": row["description"], "image": image, "thumbnail": image}
            screenshots.append(shown)
        else:
            files.append({**shown, "file": f"{addresses.of('marketplace-offering-file-detail', key)}file/"})
    return {"screenshots": screenshots, "files": files}


def _classification(components: list[Row]) -> str:
    """Return how an offering is billed altogether."""
    usage = any(row["billing_type"] == "usage" for row in components)
    limit = any(row["billing_type"] == "limit" for row in components)
    if usage and limit:
        return "mixed"
    return "usage_only" if usage else "limit_only"
