"""REST: orders."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.catalog.api import OfferingSerializer
from agentmart.identity.permissions import require
from agentmart.infra.rest import (
    FLAGS,
    ApiViewSet,
    BadFilter,
    Filter,
    by_choice,
    by_exact,
    by_flag,
    by_moment,
    by_text,
    by_uuid,
    by_words,
    fold,
    parse_uuid,
)
from agentmart.kit import webhooks
from agentmart.kit.errors import NotFound
from agentmart.ordering import selectors, services
from agentmart.ordering.api.resources import ResourceDetailSerializer, ResourceViewSet, shown_offering
from agentmart.ordering.api.serializers import (
    ApproveSerializer,
    BackendIdSerializer,
    CallbackSecretSerializer,
    CallbackSerializer,
    CommentSerializer,
    ConsumerInfoSerializer,
    DecisionSerializer,
    DetailSerializer,
    ErredSerializer,
    OrderCreateSerializer,
    OrderSerializer,
    OrderUpdateSerializer,
    ProviderInfoSerializer,
    RejectSerializer,
    StatusSerializer,
)
from agentmart.ordering.models import Order
from agentmart.ordering.services import callbacks, review
from agentmart.ordering.states import STATE_NAMES, OrderState, OrderType, Side

TYPE_NAMES = {fold(kind.value): (kind.value,) for kind in OrderType}
APPROVABLE = {
    "can_approve_as_consumer": selectors.approvable_as_consumer,
    "can_approve_as_provider": selectors.approvable_as_provider,
}
BY_ACTOR = Filter(lambda rows, values: rows, {"type": "boolean"}, "Whether the caller may approve it now.")


class OrderViewSet(ApiViewSet):
    """Orders of buyers, and of providers' offerings."""

    queryset = selectors.with_all(Order.objects)
    serializer_class = OrderSerializer
    wide = True
    filters = {
        "state": by_choice("state", STATE_NAMES),
        "type": by_choice("type", TYPE_NAMES),
        "offering": by_uuid("offering_id"),
        "offering_uuid": by_uuid("offering_id"),
        "offering_type": by_exact("offering__type"),
        "offering_slug": by_exact("offering__slug"),
        "project_uuid": by_uuid("project_id"),
        "customer_uuid": by_uuid("customer_id"),
        "provider_uuid": by_uuid("provider_customer_id"),
        "category_uuid": by_uuid("offering__category_id"),
        "resource": by_uuid("resource_id"),
        "resource_uuid": by_uuid("resource_id"),
        "resource_name": by_text("resource_name"),
        "query": by_words("resource_name", "offering__name", "project_name", "customer_name"),
        "slug": by_exact("slug"),
        "created": by_moment("created"),
        "created_before": by_moment("created", "lt"),
        "modified": by_moment("modified"),
        "modified_before": by_moment("modified", "lt"),
        "was_auto_approved": by_flag("auto_approved"),
        "can_approve_as_consumer": BY_ACTOR,
        "can_approve_as_provider": BY_ACTOR,
    }
    orderings = {
        "created": "created",
        "state": "state",
        "cost": "cost",
        "consumer_reviewed_at": "consumer_reviewed_at",
    }
    bodies = {
        "create": OrderCreateSerializer,
        "partial_update": OrderUpdateSerializer,
        "approve_by_provider": ApproveSerializer,
        "reject": RejectSerializer,
        "reject_by_consumer": RejectSerializer,
        "reject_by_provider": RejectSerializer,
        "set_state_erred": ErredSerializer,
        "set_backend_id": BackendIdSerializer,
        "set_consumer_info": ConsumerInfoSerializer,
        "set_provider_info": ProviderInfoSerializer,
        "add_comment": CommentSerializer,
        "replay_callback": None,
    }
    answers: Any = {
        "approve": DecisionSerializer,
        "approve_by_consumer": DecisionSerializer,
        "approve_by_provider": DecisionSerializer,
        "reject": DecisionSerializer,
        "reject_by_consumer": DecisionSerializer,
        "reject_by_provider": DecisionSerializer,
        "cancel": (202, DecisionSerializer),
        "retry": DecisionSerializer,
        "set_state_executing": DecisionSerializer,
        "set_state_done": DecisionSerializer,
        "set_state_erred": DecisionSerializer,
        "set_backend_id": StatusSerializer,
        "set_consumer_info": DetailSerializer,
        "set_provider_info": DetailSerializer,
        "my_orders": OrderSerializer(many=True),
        "offering": OfferingSerializer,
        "resource": ResourceDetailSerializer,
        "callbacks": CallbackSerializer(many=True),
        "replay_callback": (202, CallbackSerializer),
        "callback_secret": CallbackSecretSerializer,
        "comments": CommentSerializer(many=True),
        "add_comment": (201, CommentSerializer),
    }

    def visible(self) -> QuerySet[Any]:
        """Return the orders the actor may see; lists read no more beside them than they show."""
        rows = super().visible()
        return selectors.listed(rows) if self.action == "list" else rows

    def _filtered(self, rows: QuerySet[Any], name: str, apply: Any, values: list[str]) -> QuerySet[Any]:
        """Return the rows that one filter leaves; who may approve what depends on the caller."""
        if name not in APPROVABLE:
            return super()._filtered(rows, name, apply, values)
        return super()._filtered(rows, name, self._approvable(name), values)

    def _approvable(self, name: str) -> Any:
        """Return the filter on orders that the caller may, or may not, approve for one side."""

        def apply(rows: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
            if any(value.lower() not in FLAGS for value in values):
                raise BadFilter("Must be a valid boolean.")
            wanted = {FLAGS[value.lower()] for value in values}
            if len(wanted) == 2:
                return rows
            mine = APPROVABLE[name](self.actor).values("pk")
            return rows.filter(pk__in=mine) if True in wanted else rows.exclude(pk__in=mine)

        return apply

    def create(self, request: Request) -> Response:
        """Place an order."""
        project = self.named(OrderCreateSerializer, "project")
        if project is not None:
            require(self.actor, "order.place", customer_id=project.customer_id, project_id=project.id)
        body = self.body()
        order = services.place_order(
            actor=self.actor,
            now=self.now,
            project=body["project"],
            offering=body["offering"],
            plan=body.get("plan"),
            attributes=body.get("attributes", {}),
            limits=body.get("limits", {}),
            comment=body.get("request_comment") or "",
            accepting_terms=body["accepting_terms_of_service"],
            callback_url=body.get("callback_url") or "",
            start_date=body.get("start_date"),
            slug=body.get("slug", ""),
        )
        return self.answer(order, status=201)

    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """Change limits, attributes or start date of a pending order."""
        order = self.get_object()
        review.require_editable(order, actor=self.actor)
        changes = self.body(partial=True)
        return self.answer(services.edit_order(order, changes, actor=self.actor, now=self.now))

    def destroy(self, request: Request, **kwargs: Any) -> Response:
        """Delete a pending order."""
        services.delete_order(self.get_object(), actor=self.actor, now=self.now)
        return Response(status=204)

    def _done(self, order: Order, detail: str, *, status: int = 200) -> Response:
        """Answer a decision."""
        return Response({"detail": detail, "state": order.state}, status=status)

    @action(detail=True, methods=["post"])
    def approve(self, request: Request, **kwargs: Any) -> Response:
        """Approve the step that is pending."""
        order = services.approve(self.get_object(), actor=self.actor, now=self.now)
        return self._done(order, "Order has been approved.")

    @action(detail=True, methods=["post"])
    def approve_by_consumer(self, request: Request, **kwargs: Any) -> Response:
        """Approve for the buyer."""
        order = services.approve_as_consumer(self.get_object(), actor=self.actor, now=self.now)
        return self._done(order, "Order has been approved.")

    @action(detail=True, methods=["post"])
    def approve_by_provider(self, request: Request, **kwargs: Any) -> Response:
        """Approve for the provider, who may add to the attributes."""
        order = self.get_object()
        review.require_provider_step(order, actor=self.actor)
        attributes = self.body().get("attributes")
        order = services.approve_as_provider(order, actor=self.actor, now=self.now, attributes=attributes)
        return self._done(order, "Order has been approved.")

    @action(detail=True, methods=["post"])
    def reject(self, request: Request, **kwargs: Any) -> Response:
        """Reject the step that is pending."""
        order = self.get_object()
        review.require_step(self.actor, order, own=True)
        return self._rejected(services.reject(order, self._comment(), actor=self.actor, now=self.now))

    @action(detail=True, methods=["post"])
    def reject_by_consumer(self, request: Request, **kwargs: Any) -> Response:
        """Reject for the buyer."""
        order = self.get_object()
        review.require_consumer_step(order, actor=self.actor)
        comment = self._comment()
        return self._rejected(services.reject_as_consumer(order, comment, actor=self.actor, now=self.now))

    @action(detail=True, methods=["post"])
    def reject_by_provider(self, request: Request, **kwargs: Any) -> Response:
        """Reject for the provider."""
        order = self.get_object()
        review.require_provider_step(order, actor=self.actor)
        comment = self._comment()
        return self._rejected(services.reject_as_provider(order, comment, actor=self.actor, now=self.now))

    def _comment(self) -> str:
        """Return why the order is rejected, by whichever name it came."""
        body = self.body()
        names = ("comment", "consumer_rejection_comment", "provider_rejection_comment")
        return next((body[name] for name in names if body.get(name)), "")

    def _rejected(self, order: Order) -> Response:
        """Answer a rejection."""
        return self._done(order, "Order has been rejected.")

    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, **kwargs: Any) -> Response:
        """Withdraw an order that is not done yet."""
        order = services.cancel_order(self.get_object(), actor=self.actor, now=self.now)
        return self._done(order, "Order has been canceled.", status=202)

    @action(detail=True, methods=["post"])
    def retry(self, request: Request, **kwargs: Any) -> Response:
        """Carry out an erred order once more."""
        order = services.retry_order(self.get_object(), actor=self.actor, now=self.now)
        return self._done(order, "Order is executing.")

    @action(detail=True, methods=["post"])
    def set_state_executing(self, request: Request, **kwargs: Any) -> Response:
        """Begin a pending order (which approves it for the provider), or an erred one once more."""
        order = self.get_object()
        begin = services.set_executing
        if order.state == OrderState.PENDING_PROVIDER:
            begin = services.approve_as_provider
        return self._done(begin(order, actor=self.actor, now=self.now), "Order is executing.")

    @action(detail=True, methods=["post"])
    def set_state_done(self, request: Request, **kwargs: Any) -> Response:
        """Say that the provider has carried the order out."""
        order = services.set_done(self.get_object(), actor=self.actor, now=self.now)
        return self._done(order, "Order is done.")

    @action(detail=True, methods=["post"])
    def set_state_erred(self, request: Request, **kwargs: Any) -> Response:
        """Say that the provider could not carry the order out."""
        order = self.get_object()
        review.require_executing(order, actor=self.actor)
        body = self.body()
        order = services.set_erred(
            order,
            body.get("error_message", ""),
            actor=self.actor,
            now=self.now,
            traceback=body.get("error_traceback", ""),
        )
        return self._done(order, "Order has erred.")

    @action(detail=True, methods=["post"])
    def set_backend_id(self, request: Request, **kwargs: Any) -> Response:
        """Note the name under which the provider's system knows the order."""
        order = self.get_object()
        require(self.actor, "order.review_as_provider", provider_id=order.provider_customer_id)
        backend_id = self.body()["backend_id"]
        services.set_backend_id(order, backend_id, actor=self.actor, now=self.now)
        return Response({"status": "Backend ID has been set."})

    @action(detail=True, methods=["post"])
    def set_consumer_info(self, request: Request, **kwargs: Any) -> Response:
        """Let the provider know something."""
        order = self.get_object()
        require(self.actor, "order.place", customer_id=order.customer_id, project_id=order.project_id)
        services.set_message(order, Side.CONSUMER, self.body(), actor=self.actor, now=self.now)
        return Response({"detail": "Consumer info has been set."})

    @action(detail=True, methods=["post"])
    def set_provider_info(self, request: Request, **kwargs: Any) -> Response:
        """Let the buyer know something."""
        order = self.get_object()
        require(self.actor, "order.review_as_provider", provider_id=order.provider_customer_id)
        services.set_message(order, Side.PROVIDER, self.body(), actor=self.actor, now=self.now)
        return Response({"detail": "Provider info has been set."})

    @action(detail=False, methods=["get"], url_path="dashboard-my-orders")
    def my_orders(self, request: Request) -> Response:
        """List the orders that the caller placed, newest first."""
        mine = selectors.listed(super().visible()).filter(created_by_id=self.actor.user_id)
        page = self.page_of(mine.order_by(*self.ordering))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @action(detail=True, methods=["get"])
    def offering(self, request: Request, **kwargs: Any) -> Response:
        """Show the order's offering as the caller sees it."""
        return shown_offering(request, self.get_object().offering_id)

    @action(detail=True, methods=["get"])
    def resource(self, request: Request, **kwargs: Any) -> Response:
        """Show the resource that the order is about."""
        uuid = self.get_object().resource_id.hex
        shown: Response = ResourceViewSet.as_view({"get": "retrieve"})(request._request, uuid=uuid)
        return shown

    @action(detail=True, methods=["get"])
    def callbacks(self, request: Request, **kwargs: Any) -> Response:
        """List the messages to the order's `callback_url`, oldest first."""
        order = self.get_object()
        callbacks.require_callbacks(order, actor=self.actor)
        page = self.page_of(selectors.callbacks_of(order))
        shown = CallbackSerializer(page, many=True, context=self.get_serializer_context())
        return self.get_paginated_response(shown.data)

    @action(detail=True, methods=["post"], url_path="callbacks/(?P<callback>[0-9a-fA-F-]{32,36})/replay")
    def replay_callback(self, request: Request, callback: str, **kwargs: Any) -> Response:
        """Send a message to the order's `callback_url` again."""
        order = self.get_object()
        callbacks.require_callbacks(order, actor=self.actor)
        uuid = parse_uuid(callback)
        message = selectors.callbacks_of(order).filter(pk=uuid).first() if uuid else None
        if message is None:
            raise NotFound("The order has no such message.")
        message = callbacks.replay(message, actor=self.actor, now=self.now)
        return Response(CallbackSerializer(message, context=self.get_serializer_context()).data, status=202)

    @action(detail=True, methods=["get"])
    def callback_secret(self, request: Request, **kwargs: Any) -> Response:
        """Show what messages to this buyer's addresses are signed with (Standard Webhooks, `whsec_`)."""
        order = self.get_object()
        callbacks.require_callbacks(order, actor=self.actor)
        return Response({"secret": webhooks.secret_text(callbacks.secret_of(order.customer_id))})

    @action(detail=True, methods=["get"])
    def comments(self, request: Request, **kwargs: Any) -> Response:
        """List what both sides said about the order, oldest first."""
        rows = selectors.comments_of(self.get_object())
        shown = CommentSerializer(self.page_of(rows), many=True, context=self.get_serializer_context())
        return self.get_paginated_response(shown.data)

    @comments.mapping.post
    def add_comment(self, request: Request, **kwargs: Any) -> Response:
        """Say something about the order."""
        order = self.get_object()
        services.require_comment(order, actor=self.actor)
        text = self.body()["text"]
        comment = services.comment_order(order, text, actor=self.actor, now=self.now)
        shown = CommentSerializer(comment, context=self.get_serializer_context())
        return Response(shown.data, status=201)
