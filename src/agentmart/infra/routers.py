"""How viewsets become addresses."""

from __future__ import annotations

from typing import Any

from django.urls import include, re_path
from rest_framework.routers import SimpleRouter


class ApiRouter(SimpleRouter):
    """Routes PUT only to viewsets that can change a row at all: `update` of the base stands on `partial_update`.

    What a viewset never answers (`http_method_names`) has no address.
    """

    def by_prefix(self) -> list[Any]:
        """Return the addresses, each viewset's under its prefix: requests pass over viewsets, not over each route."""
        every, found = self.registry, []
        for prefix, viewset, basename in every:
            self.registry = [("", viewset, basename)]
            found.append(re_path(f"^{prefix}/", include(self.get_urls())))
        self.registry = every
        return found

    def get_method_map(self, viewset: Any, method_map: Any) -> dict[str, str]:
        """Return the methods of a route that the viewset has, by action."""
        bound: dict[str, str] = super().get_method_map(viewset, method_map)
        if bound.get("put") == "update" and not hasattr(viewset, "partial_update"):
            del bound["put"]
        return {method: action for method, action in bound.items() if method in viewset.http_method_names}
