"""The operators' back office at /admin/: who is let in, whose rows are seen, and what stands where."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import SimpleTemplateResponse, TemplateResponse
from unfold.sites import UnfoldAdminSite

from agentmart.identity import selectors
from agentmart.identity.models import User
from agentmart.infra import audit, clock, tenancy, throttle
from agentmart.infra.actors import ANONYMOUS
from agentmart.infra.models import AuditEntry
from agentmart.web.callers import address_of
from agentmart.web.middleware import too_many_logins

ROOMS = {
    "identity": "People",
    "catalog": "Catalogue",
    "agents": "Agents",
    "resources": "What runs",
    "access": "Keys",
    "ordering": "Orders",
    "metering": "Usage",
    "billing": "Money",
    "support": "Support desk",
    "reports": "Reports",
    "infra": "Audit",
    "web": "Usage by the hour",
    "procrastinate": "Jobs",
}
"""The groups of the navigation, by module, in their order; modules that are not named come last."""

ICONS = {
    "identity": "group",
    "catalog": "storefront",
    "agents": "smart_toy",
    "resources": "deployed_code",
    "access": "key",
    "ordering": "shopping_cart",
    "metering": "speed",
    "billing": "receipt_long",
    "support": "support_agent",
    "infra": "history",
}

LATELY = 10


class OperatorSite(UnfoldAdminSite):  # type: ignore[misc]  # unfold ships no types
    """Lets in active staff, and tells PostgreSQL that an operator asks before any row is read."""

    index_template = "web/admin_index.html"
    index_title = "Everything"

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Callable[..., Any]:
        """Return the view as a logged-in operator gets it: with the Actor, rendered in the request's transaction."""

        def as_operator(request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
            if self.has_permission(request):
                request.actor = selectors.actor_of(request.user, now=clock.now())
                tenancy.enter(request.actor)
            answer: HttpResponse = view(request, *args, **kwargs)
            # Rendering reads rows; after the view the transaction, and with it what may be seen, is over.
            return answer.render() if isinstance(answer, SimpleTemplateResponse) else answer

        return super().admin_view(as_operator, cacheable)  # type: ignore[no-any-return]

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Let a person in by name and password; too many wrong ones of a name in a minute are refused (429).

        Nobody is known until the end, so the system reads and stamps the person's row (last login, renewed hash).
        """
        if request.method != "POST":
            with tenancy.elevated():
                return super().login(request, extra_context)  # type: ignore[no-any-return]
        # As the form reads it, or one name spelt in many ways could be tried without end.
        now, name = clock.now(), unicodedata.normalize("NFKC", request.POST.get("username", "")).strip()
        who = ("password", address_of(request), name.casefold())
        wait = throttle.attempt(*who, most=throttle.MOST_PASSWORDS, now=now)
        if wait:
            return too_many_logins(wait)
        known = request.user.pk
        with tenancy.elevated():
            answer: HttpResponse = super().login(request, extra_context)
            user: Any = request.user
            if answer.status_code == 302:
                throttle.forgive(*who, now=now)
            else:
                _note_refusal(name, now=now)
            if user.is_authenticated and user.pk != known:
                audit.record("user.logged_in", user, actor=selectors.actor_of(user, now=now), now=now)
        return answer

    def password_change(self, request: Any, extra_context: Any = None) -> HttpResponse:
        """Let operators change their own password."""
        answer: HttpResponse = super().password_change(request, extra_context)
        if request.method == "POST" and answer.status_code == 302:
            audit.record("user.password_changed", request.user, actor=request.actor, now=clock.now())
        return answer

    # -- what stands where

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Return the modules by the names and in the order of ROOMS."""
        modules: list[Any] = super().get_app_list(request, app_label)
        for module in modules:
            module["name"] = ROOMS.get(module["app_label"], module["name"])
        order = {label: place for place, label in enumerate(ROOMS)}
        return sorted(modules, key=lambda module: order.get(module["app_label"], len(order)))

    def get_sidebar_list(self, request: HttpRequest) -> list[dict[str, Any]]:
        """Return the navigation: every module with its models."""
        return [
            {
                "title": module["name"],
                "collapsible": True,
                "items": [
                    {
                        "title": model["name"],
                        "icon": ICONS.get(module["app_label"], "table_rows"),
                        "link": model["admin_url"],
                        "active": request.path.startswith(model["admin_url"]),
                        "has_permission": True,
                    }
                    for model in module["models"]
                ],
            }
            for module in self.get_app_list(request)
        ]

    def index(self, request: HttpRequest, extra_context: Any = None) -> TemplateResponse:
        """Show the modules and what was done last."""
        lately = AuditEntry.objects.order_by("-at", "-id")[:LATELY]
        context = {**(extra_context or {}), "lately": lately}
        answer: TemplateResponse = super().index(request, context)
        return answer


def _note_refusal(name: str, *, now: datetime) -> None:
    """Write into the audit log that somebody tried to log in as this person.

    A name that nobody has is not kept: it may be a password, typed into the wrong field.
    """
    tried = User.objects.filter(username=name.replace("\x00", "")).first()
    if tried is not None:
        audit.record("user.login_refused", tried, actor=ANONYMOUS, now=now)
