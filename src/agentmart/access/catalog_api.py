"""REST: offerings and plans, whose changes reach the keys of who bought them."""

from __future__ import annotations

from typing import Any

from agentmart.access import publishing
from agentmart.catalog import api as catalog
from agentmart.catalog.models import Offering, Plan


class OfferingViewSet(catalog.OfferingViewSet):
    """Offerings: everybody's view for most, the provider's for those who manage them."""

    def move(self, offering: Offering, verb: str, **details: Any) -> Offering:
        """Carry out a change of state, at the gateway too."""
        return publishing.change_offering_state(offering, verb, actor=self.actor, now=self.now, **details)


class ProviderOfferingViewSet(catalog.ProviderOfferingViewSet):
    """Offerings one manages."""

    def move(self, offering: Offering, verb: str, **details: Any) -> Offering:
        """Carry out a change of state, at the gateway too."""
        return publishing.change_offering_state(offering, verb, actor=self.actor, now=self.now, **details)


class PlanViewSet(catalog.PlanViewSet):
    """Plans of offerings."""

    def write(self, plan: Plan, changes: dict[str, Any]) -> Plan:
        """Change a plan, at the gateway too."""
        return publishing.update_plan(plan, changes, actor=self.actor, now=self.now)
