"""Roles as the API shows them: a name of ours, and an id that never changes (pure)."""

from __future__ import annotations

from uuid import UUID, uuid5

from agentmart.identity.models import Role

_NAMESPACE = UUID("6f0f8a3e-6a57-4b0b-9f0e-9a3c1a4c1d55")

ROLE_IDS: dict[str, UUID] = {role.value: uuid5(_NAMESPACE, role.value) for role in Role}
"""Role → the uuid that Waldur's clients know it by."""
_NAMES = {uuid: name for name, uuid in ROLE_IDS.items()}

MEANINGS: dict[str, str] = {
    Role.CUSTOMER_OWNER: "Everything in the organization, its people included",
    Role.CUSTOMER_MANAGER: "Projects, orders and resources of the organization",
    Role.CUSTOMER_SUPPORT: "Sees everything of the organization",
    Role.PROJECT_ADMIN: "Orders and resources of a project",
    Role.PROJECT_MANAGER: "A project, its people, orders and resources",
    Role.PROJECT_MEMBER: "Orders in a project",
    Role.OFFERING_MANAGER: "What the organization sells",
}


def role_named(text: str) -> str | None:
    """Return the role that a name or uuid stands for, None where there is none."""
    if text in ROLE_IDS:
        return text
    try:
        return _NAMES.get(UUID(text))
    except ValueError:
        return None
