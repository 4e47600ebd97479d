"""REST: offerings, under three families of paths."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.catalog import selectors, services
from agentmart.catalog.api import offering_bodies as sent
from agentmart.catalog.api.answers import ShownParts, component_answer
from agentmart.catalog.api.categories import public
from agentmart.catalog.api.offering_answers import (
    WITH_PARTS,
    OfferingComponentSerializer,
    OfferingSerializer,
    StateSerializer,
)
from agentmart.catalog.api.offering_lists import FILTERS, ORDERINGS
from agentmart.catalog.api.plans import PlanSerializer
from agentmart.catalog.api.shown_parts import kept_parts, read_parts
from agentmart.catalog.models import Offering, OfferingComponent, Plan
from agentmart.catalog.states import OfferingState
from agentmart.identity import selectors as identity
from agentmart.identity.models import SELLERS, Customer, Role
from agentmart.identity.permissions import permitted, require
from agentmart.infra.addresses import Addresses
from agentmart.infra.permissions import LoggedIn
from agentmart.infra.rest import ApiViewSet
from agentmart.kit.errors import Forbidden, Invalid, NotFound

FIGURES = frozenset({"total_cost", "total_cost_estimated"})


class OfferingViewSet(ApiViewSet):
    """Offerings: everybody's view for most, the provider's for those who manage them."""

    queryset = Offering.objects
    serializer_class = OfferingSerializer
    filters = FILTERS
    orderings = ORDERINGS
    bodies = {
        "create": sent.OfferingCreateBody,
        "partial_update": sent.OfferingUpdateBody,
        "activate": None,
        "pause": sent.PauseSerializer,
        "unpause": None,
        "archive": None,
        "draft": None,
        "make_unavailable": None,
        "make_available": None,
        "approve_revision": None,
        "reject_revision": sent.RejectBody,
        "update_description": sent.DescriptionBody,
        "update_overview": sent.OverviewBody,
        "update_options": sent.OptionsBody,
        "update_resource_options": sent.ResourceOptionsBody,
        "update_attributes": sent.AttributesBody,
        "update_location": sent.LocationBody,
        "update_integration": sent.IntegrationBody,
        "set_backend_metadata": sent.BackendMetadataBody,
        "create_offering_component": sent.OfferingComponentBody,
        "update_offering_component": sent.OfferingComponentChange,
        "remove_offering_component": sent.OfferingComponentChoice,
        "update_image": sent.ImageBody,
        "update_thumbnail": sent.ThumbnailBody,
        "delete_image": None,
        "delete_thumbnail": None,
    }
    answers = {
        "destroy": None,
        "plans": PlanSerializer(many=True),
        "plan": PlanSerializer,
        **dict.fromkeys(
            ("activate", "pause", "unpause", "archive", "draft", "make_unavailable", "make_available"),
            StateSerializer,
        ),
        "approve_revision": StateSerializer,
        "reject_revision": StateSerializer,
        "create_offering_component": (201, OfferingComponentSerializer),
        "update_offering_component": OfferingComponentSerializer,
        "remove_offering_component": OfferingSerializer,
        "delete_image": (204, None),
        "delete_thumbnail": (204, None),
    }

    def get_permissions(self) -> list[Any]:
        """Let visitors read active offerings."""
        return public(self)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Begin with nothing known of any offering's parts."""
        self.addresses = Addresses(request)
        self._parts: dict[UUID, ShownParts] = {}
        self._resources: dict[UUID, int] = {}
        super().initial(request, *args, **kwargs)

    def visible(self) -> QuerySet[Any]:
        """Return visible offerings with all that their answer shows; lists hold what can be bought."""
        if self.action != "list":
            return selectors.shown_offerings(super().visible())
        return self.sortable(selectors.listed(super().visible(), self.actor))

    def sortable(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Return the list's rows with those sums that it is sorted by."""
        if any(self._asks_for(name) for name in FIGURES):
            rows = selectors.with_figures(rows)
        return selectors.with_sums(rows) if self._asks_for("total_customers") else rows

    def asked_order(self) -> list[str]:
        """Return the columns that `o` names; who may not know any offering's revenue does not learn it by its order."""
        columns = super().asked_order()
        knows = permitted(self.actor, "stats.revenue") or self.actor.customers_as({Role.CUSTOMER_OWNER})
        return columns if knows else [name for name in columns if name.lstrip("-") not in FIGURES]

    def _asks_for(self, name: str) -> bool:
        """Return whether the list is sorted by something."""
        return any(value.removeprefix("-") == name for value in self.request.query_params.getlist("o"))

    def page_of(self, rows: QuerySet[Any]) -> list[Any]:
        """Return a page of offerings, with all their parts at hand."""
        shown: Any = selectors.ShownPage(rows) if self.action == "list" else rows
        page = super().page_of(shown)
        chosen = set(self.request.query_params.getlist("field"))
        if self.action == "list" and page and (not chosen or chosen & WITH_PARTS):
            self._look_up(page)
        return page

    def shown_parts(self, offering: Offering) -> tuple[ShownParts, list[dict[str, Any]]]:
        """Return an offering's components, and its plans with what is live under them."""
        if offering.id not in self._parts:
            self._look_up([offering])
        parts = self._parts[offering.id]
        return parts, parts.counted(self._resources)

    def _look_up(self, offerings: Collection[Offering]) -> None:
        """Read what stands below offerings; a request that changes something keeps nothing for others."""
        read = kept_parts.of if self.request.method in SAFE_METHODS else read_parts
        found = read(offerings, self.addresses, self.now.date())
        self._parts |= found
        self._resources |= selectors.live_resources(
            [key for parts in found.values() for key in parts.plan_ids]
        )

    def show(self, offering: Offering, *, status: int = 200) -> Response:
        """Answer with the offering as it stands now."""
        self._parts.clear()
        return self.answer(self.visible().get(pk=offering.pk), status=status)

    def create(self, request: Request) -> Response:
        """Add an offering; `state: Active` for whoever may activate."""
        named = self.named(sent.OfferingCreateBody, "customer") or self._default_customer()
        if named is not None:
            require(self.actor, "offering.create", provider_id=named.id)
        body = self.body()
        customer = body.pop("customer", named)
        if customer is None:
            raise Invalid("Say which customer provides the offering.", field="customer")
        state = body.pop("state", OfferingState.DRAFT)
        if state == OfferingState.ACTIVE and not services.may_activate(self.actor, customer.id):
            raise Forbidden("Only who may activate offerings may create one as Active.")
        pictures = _pictures_of(body)
        offering = services.create_offering(actor=self.actor, now=self.now, customer=customer, **body)
        self._set_pictures(offering, pictures)
        if state == OfferingState.ACTIVE:
            services.change_state(offering, "activate", actor=self.actor, now=self.now)
        return self.show(offering, status=201)

    def _default_customer(self) -> Customer | None:
        """Return who provides an offering without `customer`: operators' own, or the caller's only one."""
        if self.actor.is_operator:
            return identity.operator_customer()
        mine = Customer.objects.visible_to(self.actor).filter(id__in=self.actor.customers_as(SELLERS))[:2]
        return mine[0] if len(mine) == 1 else None

    def _allowed(self, operation: str) -> Offering:
        """Return the offering of the address; raises 404, 403."""
        offering: Offering = self.get_object()
        require(self.actor, operation, provider_id=offering.customer_id)
        return offering

    def _edit(self, *, partial: bool = False) -> Response:
        """Change what the body names, and answer with the offering."""
        offering = self._allowed("offering.edit")
        if {"secret_options", "service_attributes"} & set(self.payload):
            require(self.actor, "offering.secrets", provider_id=offering.customer_id)
        changes = self.body(partial=partial)
        pictures = _pictures_of(changes)
        written = self.write(offering, changes)
        self._set_pictures(written, pictures)
        return self.show(written)

    def _set_pictures(self, offering: Offering, pictures: dict[str, Any]) -> None:
        """Give the offering the pictures that came with the rest of it; null takes one off."""
        for kind, data in pictures.items():
            if data is not None:
                services.store_picture(offering, kind, data, actor=self.actor, now=self.now)
            elif getattr(offering, kind) is not None:
                services.remove_picture(offering, kind, actor=self.actor, now=self.now)

    def write(self, offering: Offering, changes: dict[str, Any]) -> Offering:
        """Change an offering; the view that knows of keys replaces it."""
        return services.update_offering(offering, changes, actor=self.actor, now=self.now)

    def approve(self, offering: Offering) -> Offering:
        """Approve what waits; the view that knows of keys replaces it."""
        return services.approve_revision(offering, actor=self.actor, now=self.now)

    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """Change an offering."""
        return self._edit(partial=True)

    def destroy(self, request: Request, **kwargs: Any) -> Response:
        """Remove a draft that nobody ordered."""
        services.delete_offering(self.get_object(), actor=self.actor, now=self.now)
        return Response(status=204)

    @action(detail=True, methods=["get"])
    def plans(self, request: Request, **kwargs: Any) -> Response:
        """List the offering's plans."""
        page = self.page_of(self._plans())  # type: ignore[arg-type]
        return self.get_paginated_response(self._plan_answers(page))

    @action(detail=True, methods=["get"], url_path="plans/(?P<plan_uuid>[0-9a-fA-F-]{32,36})")
    def plan(self, request: Request, plan_uuid: str, **kwargs: Any) -> Response:
        """Show one of the offering's plans."""
        key = plan_uuid.replace("-", "").lower()
        found = [plan for plan in self._plans() if plan["id"].hex == key]
        if not found:
            raise NotFound("The offering has no such plan.")
        return Response(self._plan_answers(found)[0])

    def _plans(self) -> list[selectors.Row]:
        """Return the offering's plans as plain rows; those under review for those who manage it."""
        plans = Plan.objects.visible_to(self.actor).filter(offering=self.get_object())
        return selectors.complete_plans(selectors.plan_rows(plans))

    def _plan_answers(self, plans: list[selectors.Row]) -> list[dict[str, Any]]:
        """Return plain rows of plans as they are shown."""
        shown = PlanSerializer(plans, many=True, context=self.get_serializer_context()).data
        return list(shown)

    # --- states ---

    def move(self, offering: Offering, verb: str, **details: Any) -> Offering:
        """Carry out a change of state (what is above this module tells the gateway of it)."""
        return services.change_state(offering, verb, actor=self.actor, now=self.now, **details)

    def _moved(self, verb: str, **details: Any) -> Response:
        """Carry out one state change and answer where the offering stands."""
        offering = self.move(self.get_object(), verb, **details)
        return Response({"detail": f"Offering is {offering.state}.", "state": offering.state})

    @action(detail=True, methods=["post"])
    def activate(self, request: Request, **kwargs: Any) -> Response:
        """Draft → Active; of an offering that is live, approve the revision that waits."""
        offering = self.get_object()
        if offering.state != OfferingState.DRAFT and offering.review == "pending":
            return self._approved(offering)
        return self._moved("activate")

    @action(detail=True, methods=["post"])
    def approve_revision(self, request: Request, **kwargs: Any) -> Response:
        """Let the revision that waits go live; buyers keep the version they have."""
        return self._approved(self.get_object())

    def _approved(self, offering: Offering) -> Response:
        """Approve what waits and say so."""
        offering = self.approve(offering)
        return Response({"detail": "The revision is approved.", "state": offering.state})

    @action(detail=True, methods=["post"])
    def reject_revision(self, request: Request, **kwargs: Any) -> Response:
        """Refuse the revision that waits; what is live stays as it is."""
        offering = self._allowed("offering.activate")
        comment = self.body().get("comment", "")
        offering = services.reject_revision(offering, comment=comment, actor=self.actor, now=self.now)
        return Response({"detail": "The revision is rejected.", "state": offering.state})

    @action(detail=True, methods=["post"])
    def pause(self, request: Request, **kwargs: Any) -> Response:
        """Active → Paused."""
        self._allowed("offering.pause")
        return self._moved("pause", paused_reason=self.body().get("paused_reason", ""))

    @action(detail=True, methods=["post"])
    def unpause(self, request: Request, **kwargs: Any) -> Response:
        """Paused → Active."""
        return self._moved("unpause", paused_reason="")

    @action(detail=True, methods=["post"])
    def archive(self, request: Request, **kwargs: Any) -> Response:
        """Any → Archived."""
        return self._moved("archive")

    @action(detail=True, methods=["post"])
    def draft(self, request: Request, **kwargs: Any) -> Response:
        """Back to Draft."""
        return self._moved("draft")

    @action(detail=True, methods=["post"])
    def make_unavailable(self, request: Request, **kwargs: Any) -> Response:
        """Active → Unavailable: no orders, and the gateway refuses calls (503)."""
        return self._moved("make_unavailable")

    @action(detail=True, methods=["post"])
    def make_available(self, request: Request, **kwargs: Any) -> Response:
        """Unavailable → Active."""
        return self._moved("make_available")

    # --- what it says ---

    @action(detail=True, methods=["post"])
    def update_description(self, request: Request, **kwargs: Any) -> Response:
        """Change the category, and the short text."""
        return self._edit()

    @action(detail=True, methods=["post"])
    def update_overview(self, request: Request, **kwargs: Any) -> Response:
        """Change what the offering's page says."""
        return self._edit()

    @action(detail=True, methods=["post"])
    def update_options(self, request: Request, **kwargs: Any) -> Response:
        """Change what an order says."""
        return self._edit()

    @action(detail=True, methods=["post"])
    def update_resource_options(self, request: Request, **kwargs: Any) -> Response:
        """Change what a resource can be changed by."""
        return self._edit()

    @action(detail=True, methods=["post"])
    def update_location(self, request: Request, **kwargs: Any) -> Response:
        """Change where the offering is."""
        return self._edit()

    @action(detail=True, methods=["post"])
    def update_integration(self, request: Request, **kwargs: Any) -> Response:
        """Change how the offering is connected to what delivers it."""
        return self._edit()

    @action(detail=True, methods=["post"])
    def set_backend_metadata(self, request: Request, **kwargs: Any) -> Response:
        """Change what the delivering system says of the offering."""
        return self._edit()

    @action(detail=True, methods=["post"])
    def update_attributes(self, request: Request, **kwargs: Any) -> Response:
        """Replace the attributes: the body itself, or its `attributes`."""
        offering = self._allowed("offering.edit")
        whole = dict(self.payload)
        body = whole if set(whole) == {"attributes"} else {"attributes": whole}
        checked = sent.AttributesBody(data=body, context=self.get_serializer_context())
        checked.is_valid(raise_exception=True)
        changes = checked.validated_data
        return self.show(self.write(offering, changes))

    # --- components ---

    def _component(self, offering: Offering, uuid: UUID) -> OfferingComponent:
        """Return a component of the offering; raises Invalid for one that it has not."""
        component = (
            OfferingComponent.objects.visible_to(self.actor).filter(offering=offering, pk=uuid).first()
        )
        if component is None:
            raise Invalid("The offering has no such component.", field="uuid")
        return component

    def _component_answer(self, component: OfferingComponent, *, status: int = 200) -> Response:
        """Return a component as it is shown."""
        row = {name: getattr(component, name) for name in selectors.COMPONENT_COLUMNS}
        return Response(component_answer(row), status=status)

    @action(detail=True, methods=["post"])
    def create_offering_component(self, request: Request, **kwargs: Any) -> Response:
        """Add a component."""
        offering = self._allowed("plan.write")
        component = services.add_component(offering, self.body(), actor=self.actor, now=self.now)
        return self._component_answer(component, status=201)

    @action(detail=True, methods=["post"])
    def update_offering_component(self, request: Request, **kwargs: Any) -> Response:
        """Change a component; how a priced one is billed stays."""
        offering = self._allowed("offering.edit")
        changes = self.body()
        component = self._component(offering, changes.pop("uuid"))
        return self._component_answer(
            services.update_component(component, changes, actor=self.actor, now=self.now)
        )

    @action(detail=True, methods=["post"])
    def remove_offering_component(self, request: Request, **kwargs: Any) -> Response:
        """Take a component off the offering, unless it was sold."""
        offering = self._allowed("offering.edit")
        component = self._component(offering, self.body()["uuid"])
        services.remove_component(component, actor=self.actor, now=self.now)
        return self.show(offering)

    # --- pictures ---

    def _store_picture(self, kind: str) -> Response:
        """Give the offering a picture."""
        offering = self._allowed("offering.edit")
        data = self.body()[kind]
        return self.show(services.store_picture(offering, kind, data, actor=self.actor, now=self.now))

    def _remove_picture(self, kind: str) -> Response:
        """Take a picture off the offering."""
        services.remove_picture(self._allowed("offering.edit"), kind, actor=self.actor, now=self.now)
        return Response(status=204)

    def _picture(self, kind: str) -> HttpResponse:
        """Answer with a picture itself."""
        picture = selectors.picture_of(self.get_object(), kind)
        if picture is None:
            raise NotFound(f"The offering has no {kind}.")
        answer = HttpResponse(bytes(picture.data), content_type=picture.content_type)
        answer["X-Content-Type-Options"] = "nosniff"
        answer["Cache-Control"] = "private, max-age=300"
        return answer

    @action(detail=True, methods=["post"])
    def update_image(self, request: Request, **kwargs: Any) -> Response:
        """Give the offering its large picture: a file, or base64 text."""
        return self._store_picture("image")

    @action(detail=True, methods=["post"])
    def update_thumbnail(self, request: Request, **kwargs: Any) -> Response:
        """Give the offering its small picture."""
        return self._store_picture("thumbnail")

    @action(detail=True, methods=["post"])
    def delete_image(self, request: Request, **kwargs: Any) -> Response:
        """Take the large picture off."""
        return self._remove_picture("image")

    @action(detail=True, methods=["post"])
    def delete_thumbnail(self, request: Request, **kwargs: Any) -> Response:
        """Take the small picture off."""
        return self._remove_picture("thumbnail")

    @extend_schema(responses={(200, "image/*"): bytes})
    @action(detail=True, methods=["get"])
    def image(self, request: Request, **kwargs: Any) -> HttpResponse:
        """Show the large picture."""
        return self._picture("image")

    @extend_schema(responses={(200, "image/*"): bytes})
    @action(detail=True, methods=["get"])
    def thumbnail(self, request: Request, **kwargs: Any) -> HttpResponse:
        """Show the small picture."""
        return self._picture("thumbnail")


def _pictures_of(body: dict[str, Any]) -> dict[str, Any]:
    """Take the pictures out of a body that says more of an offering."""
    return {kind: body.pop(kind) for kind in ("image", "thumbnail") if kind in body}


class PublicOfferingViewSet(OfferingViewSet):
    """The catalogue as it is read; it is written by the other two families of paths."""

    http_method_names = ["get", "head", "options"]


class ProviderOfferingViewSet(OfferingViewSet):
    """Offerings one manages."""

    def get_permissions(self) -> list[Any]:
        """Nobody without login."""
        return [LoggedIn()]

    def visible(self) -> QuerySet[Any]:
        """Return the offerings the actor manages."""
        rows = selectors.managed_offerings(self.actor)
        return self.sortable(rows) if self.action == "list" else selectors.shown_offerings(rows)
