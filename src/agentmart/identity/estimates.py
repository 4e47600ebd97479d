"""What customers and projects will have to pay for the running month: read by relation, made by a module above."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import DateTimeField, DecimalField, F, Max, OuterRef, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from agentmart.identity.permissions import permitted
from agentmart.infra.actors import Actor
from agentmart.infra.readers import moment_text
from agentmart.kit.money import money_text

ESTIMATE = {
    "type": "object",
    "properties": {
        "total": {"type": "string"},
        "tax": {"type": "string"},
        "currency": {"type": "string"},
        "as_of": {"type": "string", "format": "date-time"},
    },
}
_MONEY: DecimalField[Any, Any] = DecimalField(max_digits=24, decimal_places=4)


def with_estimates(rows: Any, *, now: datetime, currency: str) -> QuerySet[Any]:
    """Return customers or projects with the estimate of the month of `now`; `currency` names the column of theirs.

    Amounts in other currencies are not added. As far as the reader may see estimates (row-level security).
    """
    relation: Any = rows.model._meta.get_field("cost_estimates")
    owner = relation.field.name
    month = relation.related_model.objects.filter(
        **{owner: OuterRef("pk")}, first_day=now.date().replace(day=1), currency=OuterRef(currency)
    )
    sums = month.order_by().values(owner)
    found: QuerySet[Any] = rows.annotate(
        estimate_currency=F(currency),
        estimated_cost=Coalesce(
            Subquery(sums.annotate(sum=Sum(F("price") + F("tax"))).values("sum"), output_field=_MONEY),
            Value(Decimal(0), output_field=_MONEY),
        ),
        estimated_tax=Subquery(sums.annotate(sum=Sum("tax")).values("sum"), output_field=_MONEY),
        estimated_at=Subquery(sums.annotate(at=Max("as_of")).values("at"), output_field=DateTimeField()),
    )
    return found


def shown_estimate(row: Any, *, actor: Actor, customer_id: UUID) -> dict[str, str]:
    """Return a row's estimate as it is answered: nothing where there is none, or for who may not see invoices."""
    at: datetime | None = getattr(row, "estimated_at", None)
    if at is None or not permitted(actor, "invoice.see", customer_id=customer_id):
        return {}
    currency = row.estimate_currency
    return {
        "total": money_text(row.estimated_cost, currency),
        "tax": money_text(row.estimated_tax, currency),
        "currency": currency,
        "as_of": moment_text(at),
    }
