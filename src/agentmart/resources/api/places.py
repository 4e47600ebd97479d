"""REST: where calls may come from, in the one form in which it is kept and compared."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from agentmart.contracts.places import MAX_ORIGIN, read_network, read_origin


class PlaceField(serializers.CharField):
    """An origin or a network."""

    def read(self, text: str) -> str:
        """Return the form in which a text is kept; raises ValueError for one that is no such place."""
        raise NotImplementedError

    def to_internal_value(self, data: Any) -> str:
        """Return the form in which it is kept; refuses what is none."""
        try:
            return self.read(super().to_internal_value(data))
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from None


class OriginField(PlaceField):
    """A web page's origin: scheme, host, perhaps a port; no path, no wildcard."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=MAX_ORIGIN, **kwargs)

    def read(self, text: str) -> str:
        """Return the origin as browsers send it."""
        return read_origin(text)


class NetworkField(PlaceField):
    """An address or a network, IPv4 or IPv6."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=100, **kwargs)

    def read(self, text: str) -> str:
        """Return the network in its shortest form."""
        return read_network(text)
