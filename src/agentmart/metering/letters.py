"""What people are told by e-mail of an agent's budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from agentmart.identity.selectors import leaders_addresses
from agentmart.resources.models import AgentConfig

STOPPED = "Its calls are refused (402) until the budget is raised or the month is over."
GOES_ON = "Its calls go on."


@dataclass(frozen=True, slots=True)
class Letter:
    """An e-mail to be sent."""

    recipients: list[str]
    subject: str
    text: str


def letter_of_budget(config_id: UUID, facts: Mapping[str, Any], *, now: datetime) -> Letter | None:
    """Return what the owners and managers of an agent's customer are told when a step of its budget is reached.

    `facts` are those of the audit entry. Returns None where the agent is gone or nobody has an address.
    """
    config = AgentConfig.objects.select_related("resource").filter(pk=config_id).first()
    if config is None:
        return None
    recipients = leaders_addresses(config.customer_id, now=now)
    if not recipients:
        return None
    resource = config.resource
    name = " ".join(resource.name.split())
    told = (
        f"{name} (project {resource.project_name}) has cost {facts['spent']} {facts['currency']} "
        f"in {facts['month']} so far: {facts['percent']} percent of its budget of "
        f"{facts['budget']} {facts['currency']} are reached."
    )
    subject = f"{name}: {facts['percent']} percent of the budget for {facts['month']}"
    return Letter(recipients, subject[:200], f"{told}\n{STOPPED if facts['stopped'] else GOES_ON}\n")
