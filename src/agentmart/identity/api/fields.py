"""Fields of requests and answers that several endpoints of the module share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agentmart.contracts.grants import Caps
from agentmart.identity import quotas
from agentmart.identity.models import Quota
from agentmart.identity.roles import ROLE_IDS, role_named
from agentmart.identity.vat import vat_problem

LARGEST_LIMIT = 2**53


@extend_schema_field({"type": "string", "description": "A role's name, or its uuid."})
class RoleField(serializers.CharField):
    """A role by its name (`CUSTOMER.OWNER`) or uuid."""

    def to_internal_value(self, data: Any) -> str:
        """Return the role's name."""
        text = super().to_internal_value(data)
        name = role_named(text)
        if name is None:
            raise serializers.ValidationError(
                f'"{text}" is not a valid choice. Roles are: {", ".join(ROLE_IDS)}.'
            )
        return name


@extend_schema_field(
    {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "enum": list(quotas.NAMES)},
                "usage": {"type": "integer", "readOnly": True},
                "limit": {"type": "integer", "minimum": -1, "maximum": LARGEST_LIMIT},
            },
        },
    }
)
class QuotasField(serializers.Field[Any, Any, Any, Any]):
    """Quotas: answered as a list with usage and limit, read as that list or as an object name → limit."""

    def to_representation(self, value: Any) -> list[dict[str, Any]]:
        """Return every quota; −1 is no limit."""
        rows: Iterable[Quota] = value.all()
        found = {row.name: row for row in rows}
        return [
            {"name": name, "usage": found[name].usage, "limit": found[name].limit}
            for name in quotas.NAMES
            if name in found
        ]

    def to_internal_value(self, data: Any) -> dict[str, int]:
        """Return the named limits."""
        limits: dict[str, int] = {}
        for name, limit in self._pairs(data):
            if not isinstance(name, str) or name not in quotas.NAMES:
                raise serializers.ValidationError(
                    f"There is no quota {str(name)[:40]}; there are: {', '.join(quotas.NAMES)}."
                )
            if isinstance(limit, bool) or not isinstance(limit, int) or not -1 <= limit <= LARGEST_LIMIT:
                raise serializers.ValidationError(
                    f"The limit of {name} must be a whole number from -1 (none) to {LARGEST_LIMIT}."
                )
            limits[name] = limit
        return limits

    def _pairs(self, data: Any) -> list[tuple[Any, Any]]:
        """Return names and limits of either form; raises ValidationError for another."""
        if isinstance(data, dict):
            return list(data.items())
        if isinstance(data, list) and all(isinstance(item, dict) for item in data):
            return [(item.get("name"), item.get("limit")) for item in data]
        raise serializers.ValidationError("Give an object name → limit, or a list of {name, limit}.")


class VatCodeField(serializers.CharField):
    """A VAT number; where its prefix names a country whose form is known, it must have that form."""

    def to_internal_value(self, data: Any) -> str:
        """Return the number as it came."""
        code = super().to_internal_value(data)
        problem = vat_problem(code)
        if problem:
            raise serializers.ValidationError(problem)
        return code


class EmailsField(serializers.CharField):
    """E-mail addresses, comma separated."""

    def to_internal_value(self, data: Any) -> str:
        """Return the addresses, each checked."""
        text = super().to_internal_value(data)
        for address in filter(None, (part.strip() for part in text.split(","))):
            try:
                validate_email(address)
            except ValidationError:
                raise serializers.ValidationError(f"{address} is no e-mail address.") from None
        return text


MOST_CALLS = 2**31 - 1
CAPS = tuple(field.name for field in fields(Caps))


@extend_schema_field(
    {
        "type": "object",
        "properties": {name: {"type": "integer", "minimum": 1, "maximum": MOST_CALLS} for name in CAPS},
        "additionalProperties": False,
    }
)
class CapsField(serializers.JSONField):
    """What calls may take together, at most: requests and tokens per minute and month, calls at once."""

    def to_internal_value(self, data: Any) -> dict[str, int]:
        """Return the caps; refuses what is none. A cap that is left out does not limit."""
        if not isinstance(data, dict):
            raise serializers.ValidationError('Give an object of limits, like {"requests_per_minute": 600}.')
        wrong: dict[str, list[str]] = {}
        for name, value in data.items():
            if name not in CAPS:
                wrong[str(name)] = [f"There is no such limit; there are {', '.join(CAPS)}."]
            elif type(value) is not int or not 1 <= value <= MOST_CALLS:
                wrong[name] = [f"Give a whole number from 1 to {MOST_CALLS}."]
        if wrong:
            raise serializers.ValidationError(wrong)
        return dict(data)
