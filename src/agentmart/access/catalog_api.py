"""REST: offerings and plans, whose changes reach the keys of who bought them."""

from __future__ import annotations

from typing import Any

from agentmart.access import publishing
from agentmart.agents.models import Agent
from agentmart.catalog import api as catalog
from agentmart.catalog.models import Offering, Plan


class OfferingViewSet(catalog.OfferingViewSet):
    """Offerings: everybody's view for most, the provider's for those who manage them."""

    def move(self, offering: Offering, verb: str, **details: Any) -> Offering:
        """Carry out a change of state, at the gateway too."""
        return publishing.change_offering_state(offering, verb, actor=self.actor, now=self.now, **details)

    def write(self, offering: Offering, changes: dict[str, Any]) -> Offering:
        """Change an offering, at the gateway too."""
        return publishing.update_offering(offering, changes, actor=self.actor, now=self.now)

    def approve(self, offering: Offering) -> Offering:
        """Approve what waits, at the gateway too."""
        return publishing.approve_revision(offering, actor=self.actor, now=self.now)


class ProviderOfferingViewSet(catalog.ProviderOfferingViewSet):
    """Offerings one manages."""

    def move(self, offering: Offering, verb: str, **details: Any) -> Offering:
        """Carry out a change of state, at the gateway too."""
        return publishing.change_offering_state(offering, verb, actor=self.actor, now=self.now, **details)

    def write(self, offering: Offering, changes: dict[str, Any]) -> Offering:
        """Change an offering, at the gateway too."""
        return publishing.update_offering(offering, changes, actor=self.actor, now=self.now)

    def approve(self, offering: Offering) -> Offering:
        """Approve what waits, at the gateway too."""
        return publishing.approve_revision(offering, actor=self.actor, now=self.now)


class ProviderAgentViewSet(catalog.ProviderAgentViewSet):
    """Agents of a provider, with publishing."""

    def offer(self, agent: Agent, **values: Any) -> Offering:
        """Publish an agent, at the gateway too."""
        return publishing.publish_agent(agent, actor=self.actor, now=self.now, **values)


class PlanViewSet(catalog.PlanViewSet):
    """Plans of offerings."""

    def write(self, plan: Plan, changes: dict[str, Any]) -> Plan:
        """Change a plan, at the gateway too."""
        return publishing.update_plan(plan, changes, actor=self.actor, now=self.now)
