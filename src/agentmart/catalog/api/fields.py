"""Serializers of the catalogue's answers: what is built by `answers`, described for the API's schema."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from agentmart.infra.rest import ApiSerializer


class BuiltSerializer(ApiSerializer):
    """A serializer whose fields only describe: `built` makes the answer."""

    def built(self, instance: Any) -> dict[str, Any]:
        """Return the whole answer."""
        raise NotImplementedError

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """Return the chosen keys of the answer, all without a choice."""
        answer = self.built(instance)
        chosen = self._cut_to
        return {name: value for name, value in answer.items() if name in chosen} if chosen else answer


def text(**kwargs: Any) -> serializers.CharField:
    """Return a field of free text in a request."""
    return serializers.CharField(required=False, allow_blank=True, **kwargs)


def link() -> serializers.CharField:
    """Return a field of a request that holds an address, or nothing."""
    return WebAddress(required=False, allow_blank=True, max_length=500)


class WebAddress(serializers.CharField):
    """An http(s) address, or empty: nothing that a browser would run."""

    def to_internal_value(self, data: Any) -> str:
        """Return the address; refuses other schemes."""
        value: str = super().to_internal_value(data)
        if value and not value.lower().startswith(("http://", "https://")):
            raise serializers.ValidationError("Enter a valid URL.")
        return value


class BoundField(serializers.DecimalField):
    """An amount of something measured, or null."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            max_digits=30,
            decimal_places=10,
            min_value=0,
            required=False,
            allow_null=True,
            coerce_to_string=False,
            **kwargs,
        )
