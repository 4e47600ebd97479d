"""Who acts: a person with roles, or the system itself."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class RoleGrant:
    """One role of a person: in a customer, or in one project of it."""

    customer_id: UUID
    role: str
    project_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """The person (or system) on whose behalf a request or job runs."""

    user_id: UUID | None = None
    username: str = ""
    operator_roles: frozenset[str] = frozenset()  # staff, support, finance, catalog
    grants: tuple[RoleGrant, ...] = ()
    system: bool = False
    impersonator_id: UUID | None = None  # the member of staff who acts as this person
    impersonator_name: str = ""

    @property
    def is_anonymous(self) -> bool:
        """Return whether nobody is logged in."""
        return self.user_id is None and not self.system

    @property
    def is_operator(self) -> bool:
        """Return whether the actor sees all tenants: an operator in any role, or the system."""
        return self.system or bool(self.operator_roles)

    @property
    def customer_ids(self) -> frozenset[UUID]:
        """Return the customers the actor has any role in."""
        return frozenset(grant.customer_id for grant in self.grants)

    def customers_as(self, roles: Collection[str]) -> frozenset[UUID]:
        """Return the customers (whole, not single projects) in which the actor has one of the roles."""
        return frozenset(
            grant.customer_id for grant in self.grants if grant.project_id is None and grant.role in roles
        )

    @property
    def label(self) -> str:
        """Return the name that the audit log shows: of both people, where staff acts as somebody."""
        if self.impersonator_id is not None:
            return f"{self.impersonator_name} as {self.username}"
        return self.username or ("system" if self.system else "anonymous")


ANONYMOUS = Actor()


def system_actor(name: str = "system") -> Actor:
    """Return the actor of a job; `name` says which, in the audit log."""
    return Actor(username=name, system=True)
