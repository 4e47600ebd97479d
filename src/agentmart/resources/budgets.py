"""How far a month's charges have come in the buyer's budget for an agent. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from agentmart.contracts.grants import BUDGET_STEPS, BudgetAction


def reached(budget: Mapping[str, Any], spending: Mapping[str, Any]) -> int:
    """Return the last of BUDGET_STEPS that what is known to be spent has reached, in percent; 0 for none yet."""
    if budget.get("monthly") is None or "spent" not in spending:
        return 0
    amount, spent = Decimal(budget["monthly"]), Decimal(spending["spent"])
    return max((step for step in BUDGET_STEPS if spent * 100 >= amount * step), default=0)


def is_exhausted(budget: Mapping[str, Any], spending: Mapping[str, Any]) -> bool:
    """Return whether the budget stops the agent now."""
    return budget.get("action") == BudgetAction.STOP and reached(budget, spending) >= 100
